//! YAML values that know where they were written.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::api::PathSegment;

/// A value and its place, in bytes of the source.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node,
}

/// Which part of an entry a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

impl Node {
    /// The value alone.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(entries) => {
                let entries = entries.iter().map(|e| (e.key.clone(), e.value.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text at a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.value.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// How many values there are in this one, itself included.
    pub(super) fn size(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(entries) => entries.iter().map(|e| e.value.size()).sum(),
        }
    }

    /// What to mark for a message about the value at a path. Where the path leads to nothing that is
    /// written, as with a default, the nearest that is.
    pub(super) fn locate(&self, path: &[PathSegment], part: Part) -> Range<usize> {
        let (mut node, mut marked) = (self, self.mark());
        for (step, segment) in path.iter().enumerate() {
            match segment {
                PathSegment::Key(key) => {
                    let Some(entry) = node.entry(key) else { break };
                    let last = step + 1 == path.len();
                    marked = match &entry.value.content {
                        Content::Scalar(_) if !(last && part == Part::Key) => {
                            or(&entry.value.span, &entry.key_span)
                        }
                        _ => entry.key_span.clone(),
                    };
                    node = &entry.value;
                }
                PathSegment::Index(index) => {
                    let Some(item) = node.items().get(*index) else {
                        break;
                    };
                    marked = or(&item.mark(), &marked);
                    node = item;
                }
            }
        }
        marked
    }

    /// The part of a value that is short enough to be marked.
    fn mark(&self) -> Range<usize> {
        match &self.content {
            Content::Scalar(_) => self.span.clone(),
            Content::List(items) => items.first().map_or(self.span.clone(), Self::mark),
            Content::Map(entries) => entries
                .first()
                .map_or(self.span.clone(), |entry| entry.key_span.clone()),
        }
    }
}

fn or(span: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    if span.is_empty() { other } else { span }.clone()
}
