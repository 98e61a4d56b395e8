//! Where each object was written, and the way back from an object to the text.

use std::collections::BTreeMap;
use std::ops::Range;

use super::finding::{Finding, Place, SourceText};
use super::objects;
use super::parse::Documents;
use super::tree::{Node, Part};
use crate::api::{PathSegment, Violation};
use crate::placement::problem::{Problem, Severity};

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// The identity of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: &'static str,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(
        kind: &'static str,
        namespaced: bool,
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE);
        Self {
            kind,
            namespace: namespaced.then(|| namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// How messages name the object.
    pub(super) fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) if namespace != DEFAULT_NAMESPACE => {
                format!("{} {namespace}/{}", self.kind, self.name)
            }
            _ => format!("{} {}", self.kind, self.name),
        }
    }
}

/// The place of an object: which file, which document in it, which object of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) source: usize,
    pub(super) document: usize,
    pub(super) item: usize,
}

/// The places of all objects.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<Key, Origin>);

impl Origins {
    /// Remembers an object. Says where it was before, if it was.
    pub(super) fn add(&mut self, key: Key, origin: Origin) -> Result<(), Origin> {
        match self.0.get(&key) {
            Some(first) => Err(*first),
            None => {
                self.0.insert(key, origin);
                Ok(())
            }
        }
    }

    /// A problem with its place. Nothing, if the object was not read from a file.
    pub(super) fn finding(&self, problem: &Problem, places: &mut Places<'_>) -> Option<Finding> {
        let key = Key {
            kind: problem.kind,
            namespace: problem.namespace.clone(),
            name: problem.name.clone(),
        };
        let place = places.of(*self.0.get(&key)?, &problem.path)?;
        let violation = Violation {
            path: problem.path.clone(),
            message: String::new(),
        };
        Some(Finding {
            warning: problem.severity == Severity::Warning,
            path: format!("{}: {}", key.shown(), violation.location()),
            message: problem.message.clone(),
            help: problem
                .suggestion
                .as_ref()
                .map(|name| format!("did you mean `{name}`?")),
            at: place,
            also: None,
        })
    }
}

/// Finds places by reading documents again; keeps the file that it read last.
pub(super) struct Places<'a> {
    sources: &'a [SourceText],
    read: Option<(usize, Vec<Option<Node>>)>,
}

impl<'a> Places<'a> {
    pub(super) const fn new(sources: &'a [SourceText]) -> Self {
        Self {
            sources,
            read: None,
        }
    }

    /// The place of a path in an object.
    pub(super) fn of(&mut self, origin: Origin, path: &[PathSegment]) -> Option<Place> {
        let source = self.sources.get(origin.source)?;
        let root = self
            .documents(origin.source)?
            .get(origin.document)?
            .as_ref()?;
        let object = objects::of(root).into_iter().nth(origin.item)?;
        let span: Range<usize> = object.locate(path, Part::Value);
        Some(Place {
            source: source.clone(),
            span,
            label: String::new(),
        })
    }

    fn documents(&mut self, source: usize) -> Option<&[Option<Node>]> {
        if self.read.as_ref().is_none_or(|(read, _)| *read != source) {
            let text = &self.sources.get(source)?.text;
            let documents = Documents::of(text).map(|document| document.root).collect();
            self.read = Some((source, documents));
        }
        self.read
            .as_ref()
            .map(|(_, documents)| documents.as_slice())
    }
}
