//! Places in a document.

use std::fmt;

/// One step from a value to a value in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSegment {
    /// To the value of a key.
    Key(String),
    /// To an entry of a list, counted from 0.
    Index(usize),
}

impl From<&str> for PathSegment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

/// Something in a document that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The place, from the document's root. Of a missing field it is the value that lacks it.
    pub path: Vec<PathSegment>,
    /// What is wrong, without the place.
    pub message: String,
}

impl Violation {
    /// The place in writing: `spec.preferences[0].weight`.
    pub fn location(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                PathSegment::Index(index) => text.push_str(&format!("[{index}]")),
                PathSegment::Key(key) if key.contains(['.', '/', '[']) => {
                    text.push_str(&format!("[{key:?}]"))
                }
                PathSegment::Key(key) if text.is_empty() => text.push_str(key),
                PathSegment::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
            }
        }
        text
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.location(), self.message)
        }
    }
}

/// The way from the root to the value being looked at; written out only when something is wrong there.
#[derive(Clone, Copy)]
pub(super) enum Trail<'a> {
    Root,
    Key(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    pub(super) fn segments(&self) -> Vec<PathSegment> {
        let (mut segments, last) = match self {
            Self::Root => return Vec::new(),
            Self::Key(parent, key) => (parent.segments(), PathSegment::from(*key)),
            Self::Index(parent, index) => (parent.segments(), PathSegment::Index(*index)),
        };
        segments.push(last);
        segments
    }

    pub(super) fn violation(&self, message: impl Into<String>) -> Violation {
        Violation {
            path: self.segments(),
            message: message.into(),
        }
    }
}
