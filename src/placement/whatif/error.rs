//! Why a question cannot be answered.

/// Why a question cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfError {
    /// What is lost is not said.
    #[error(
        "`{0}` does not say what is lost: write pool=NAME, region=NAME, provider=NAME or zone=NAME"
    )]
    Loss(String),
    /// A price change is not one.
    #[error(
        "`{0}` is no price change: write NAME=+20%, NAME=-20% or NAME=1.2, where NAME is a provider or a pool"
    )]
    Price(String),
    /// A factor is not a number.
    #[error("`{0}` is no factor: write 1.3, +30% or -30%")]
    Factor(String),
    /// A percentage without its sign may mean two things.
    #[error("`{0}` may mean {0} of what is or {0} more: write a factor such as 1.3, +30% or -30%")]
    Unsigned(String),
    /// A factor that leaves nothing.
    #[error("`{0}` leaves nothing: a factor must be more than 0, a percentage more than -100%")]
    NotPositive(String),
    /// A factor beyond all reason.
    #[error("`{text}` is too much: the most is {most} times as much")]
    TooLarge {
        /// As written.
        text: String,
        /// The greatest factor.
        most: String,
    },
    /// A factor finer than can be reckoned with.
    #[error("`{0}` is too fine: a factor has at most 6 decimals, a percentage 4")]
    TooFine(String),
    /// A selector is not one.
    #[error(
        "`{0}` is no label selector: write KEY=VALUE, KEY!=VALUE, KEY or !KEY, with commas between"
    )]
    Selector(String),
    /// A selector selects no service.
    #[error("no service has labels that match `{selector}`{}", meant(.suggestion))]
    NothingSelected {
        /// As written.
        selector: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// There is nothing of this name.
    #[error("there is no {what} `{name}`{}{}", meant(.suggestion), there_are(.known))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// As written.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
        /// Some of what there is.
        known: Vec<String>,
    },
    /// The name is that of a pool and of a provider.
    #[error("`{0}` is a provider and a pool: write provider={0}=… or pool={0}=…")]
    Ambiguous(String),
    /// Several regions have a zone of this name.
    #[error("`{name}` may be any of {}: write one of these", .zones.join(", "))]
    AmbiguousZone {
        /// As written.
        name: String,
        /// The zones that it may be.
        zones: Vec<String>,
    },
    /// A service would have more replicas than a LatticeService may ask for.
    #[error(
        "{service} would have {replicas} replicas, which is more than the {most} that a service may ask for"
    )]
    Replicas {
        /// The service.
        service: String,
        /// What it would have.
        replicas: u64,
        /// The most.
        most: u32,
    },
    /// A price would be more than any price may be.
    #[error("{class} in {pool} would cost {hourly}/h, which is more than a price may be")]
    Dear {
        /// The node class.
        class: String,
        /// The pool.
        pool: String,
        /// The price.
        hourly: String,
    },
    /// All together is too much to reckon with.
    #[error("{0}: take a smaller factor")]
    Beyond(String),
    /// The series is too long.
    #[error("that is more than {0} scenarios: take greater steps, or fewer at once")]
    TooMany(usize),
    /// A sweep that goes nowhere.
    #[error("a sweep goes up from 1, so that its end must be more than 1")]
    Sweep,
    /// Every pool is lost already.
    #[error("no pool is left to lose")]
    NothingLeft,
}

fn meant(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// Most names that are listed beside an unknown one.
const LISTED: usize = 20;

fn there_are(names: &[String]) -> String {
    let listed = names.iter().take(LISTED).cloned().collect::<Vec<_>>();
    match names.len() {
        0 => "; there is none at all".to_owned(),
        n if n > LISTED => format!(
            "\n  there are: {} and {} more",
            listed.join(", "),
            n - LISTED
        ),
        _ => format!("\n  there are: {}", listed.join(", ")),
    }
}
