//! Why a log cannot be read, or does not hold what is asked for.

use std::path::PathBuf;

use crate::api::Timestamp;

/// Why a log cannot be read, or does not hold what is asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// There is nothing in it.
    #[error("the log holds no decision")]
    Empty,
    /// It does not have the decision.
    #[error("there is no decision {id} in the log, which holds {first} to {last}")]
    NoDecision { id: u64, first: u64, last: u64 },
    /// It does not go back that far.
    #[error(
        "the log does not reach back to {time}: its oldest is {} of {oldest}{}",
        if *id == 0 { "the decision".to_owned() } else { format!("decision {id}") },
        if *id > 1 {
            "\n  older ones were dropped; --decision-log-size, -days and -mib of `lattice operator` say how many are kept"
        } else {
            ""
        }
    )]
    TooEarly {
        time: Timestamp,
        oldest: Timestamp,
        id: u64,
    },
    /// What is asked for has not been.
    #[error("{time} is later than the log tells of, which is until {until}")]
    Future { time: Timestamp, until: Timestamp },
    /// What was given is no time.
    #[error(
        "--{flag}: `{text}` is not a time; write 2024-01-15T10:30:00Z, or how long ago: 90m, 2h or \"3d ago\""
    )]
    When { flag: &'static str, text: String },
    /// A decision's time cannot be read.
    #[error("decision {id} has no readable time")]
    Time { id: u64, source: chrono::ParseError },
    /// The folder is something else.
    #[error("{} holds no exported log: there is no {} in it\n  `lattice log export DIR` writes one", path.display(), super::export::INDEX)]
    NoLog { path: PathBuf },
    /// The list of an exported log cannot be read.
    #[error("{} is not the list of a log that this version reads", path.display())]
    Index {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A file is not what the list says.
    #[error("{} is not the decision that was exported: its digest is another", path.display())]
    Damaged { path: PathBuf },
    /// The folder holds something already.
    #[error("{} holds a log already; export into another folder", path.display())]
    Taken { path: PathBuf },
}
