//! What is wrong between objects, and where in which object a person should look.

use std::fmt;

use crate::api::{PathSegment, Violation};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Part of the input cannot be used.
    Error,
    /// Everything is used, but perhaps not as was meant.
    Warning,
}

/// Something that is wrong with an object in the light of the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Kind of the object.
    pub kind: &'static str,
    /// Namespace of the object, if its kind has one.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
    /// The place in the object, from its root.
    pub path: Vec<PathSegment>,
    /// What is wrong, without the place.
    pub message: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl Problem {
    /// An error in an object without a namespace.
    pub(crate) fn error(kind: &'static str, name: &str, path: &[&str], message: String) -> Self {
        Self {
            severity: Severity::Error,
            kind,
            namespace: None,
            name: name.to_owned(),
            path: path.iter().map(|key| PathSegment::from(*key)).collect(),
            message,
            suggestion: None,
        }
    }

    /// A warning about an object without a namespace.
    pub(crate) fn warning(kind: &'static str, name: &str, path: &[&str], message: String) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(kind, name, path, message)
        }
    }

    pub(crate) fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.path.push(PathSegment::Index(index));
        self
    }

    pub(crate) fn suggest(mut self, name: Option<String>) -> Self {
        self.suggestion = name;
        self
    }

    /// The problem without its object: `spec.nodeClasses[0]: ...; did you mean ...?`.
    pub fn located(&self) -> String {
        let violation = Violation {
            path: self.path.clone(),
            message: self.message.clone(),
        };
        match &self.suggestion {
            Some(name) => format!("{violation}; did you mean `{name}`?"),
            None => violation.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}: {}", self.name, self.located())
    }
}

/// The known name that is nearest to the one written, if one is near.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let wanted = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, name)| *likeness > 0.82 && *name != written)
        .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(left.1)))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_and_what_was_meant() {
        let problem = Problem::error(
            "LatticePool",
            "us",
            &["spec", "nodeClasses"],
            "no node class `smal`".into(),
        )
        .at(1)
        .suggest(nearest("smal", ["large", "small"]));
        assert_eq!(
            problem.to_string(),
            "LatticePool us: spec.nodeClasses[1]: no node class `smal`; did you mean `small`?"
        );
        let warned = Problem::warning("LatticeService", "api", &["spec"], "odd".into());
        assert_eq!(
            warned.within("shop").to_string(),
            "LatticeService shop/api: spec: odd"
        );
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("smal", ["gpu"]), None);
        assert_eq!(nearest("a", ["a"]), None);
    }
}
