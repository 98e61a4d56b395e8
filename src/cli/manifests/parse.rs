//! YAML text to trees, a document at a time.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScanError, Span, StrInput, options};

use super::scalar;
use super::tree::{Content, Entry, Node};

/// Most values in one document, aliases written out: far beyond what an API server takes.
const MAX_VALUES: usize = 1_000_000;

/// Something that is wrong with the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Another place that has to do with it, and what.
    pub(super) also: Option<(Range<usize>, String)>,
}

/// A document of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// None if the document is not YAML, or empty.
    pub(super) root: Option<Node>,
    pub(super) span: Range<usize>,
    pub(super) faults: Vec<Fault>,
}

/// The documents of a text, those after one that cannot be read included.
pub(super) struct Documents<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    ended: bool,
}

impl<'a> Documents<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut options = options! { flow_nesting_limit: 100, block_nesting_limit: 100 };
        options.set_emit_comments(false);
        Self {
            text,
            parser: Parser::new_from_str_with_options(text, options),
            ended: false,
        }
    }
}

impl Iterator for Documents<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        let mut builder = Builder::default();
        let mut start = 0;
        while !self.ended {
            let (event, span) = match self.parser.next_event() {
                Some(Ok(found)) => found,
                None => break,
                Some(Err(error)) => {
                    self.ended = !self.parser.proceed_next_document().unwrap_or(false);
                    builder.faults.push(syntax(self.text, &error));
                    return Some(builder.finish(start..self.text.len(), true));
                }
            };
            let range = span.byte_range().unwrap_or(0..0);
            match event {
                Event::DocumentStart(..) => start = range.start,
                Event::DocumentEnd => return Some(builder.finish(start..range.end, false)),
                Event::StreamEnd => self.ended = true,
                event => builder.take(event, &span, range),
            }
        }
        None
    }
}

/// An unfinished list or map.
struct Frame {
    start: usize,
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Range<usize>)>,
    },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    faults: Vec<Fault>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span, range: Range<usize>) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar::read(&text, style, tag.as_deref());
                let plain_key = self.awaits_key().then(|| text.into_owned());
                match plain_key {
                    Some(key) => self.key(key, range),
                    None => self.add(anchor, range, Content::Scalar(value)),
                }
            }
            Event::Alias(target) => self.alias(target, range),
            Event::SequenceStart(_, anchor, _) => {
                self.open(anchor, span, FrameKind::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, key) = (Vec::new(), None);
                self.open(anchor, span, FrameKind::Map { entries, key });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            _ => {}
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.stack.last().map(|frame| &frame.kind),
            Some(FrameKind::Map { key: None, .. })
        )
    }

    fn key(&mut self, text: String, range: Range<usize>) {
        if let Some(Frame {
            kind: FrameKind::Map { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some((text, range));
        }
    }

    fn open(&mut self, anchor: usize, span: &Span, kind: FrameKind) {
        let start = span.byte_range().map_or(0, |range| range.start);
        self.stack.push(Frame {
            start,
            anchor,
            kind,
        });
    }

    fn close(&mut self, end: usize) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let content = match frame.kind {
            FrameKind::List(items) => Content::List(items),
            FrameKind::Map { entries, .. } => Content::Map(self.unite(entries)),
        };
        if self.awaits_key() {
            self.fault(frame.start..end, "a key has to be text".to_owned(), None);
            self.key(String::new(), frame.start..frame.start);
            return;
        }
        self.add(frame.anchor, frame.start..end, content);
    }

    fn alias(&mut self, target: usize, range: Range<usize>) {
        match self.anchors.get(&target) {
            Some(Node {
                content: Content::Scalar(value),
                ..
            }) if self.awaits_key() => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                self.key(text, range);
            }
            Some(node) => {
                self.values += node.size();
                let content = if self.values > MAX_VALUES {
                    Content::Scalar(serde_json::Value::Null)
                } else {
                    node.content.clone()
                };
                self.add(0, range, content);
            }
            None => {
                let message = "an alias may not stand inside what it stands for".to_owned();
                self.fault(range.clone(), message, None);
                self.add(0, range, Content::Scalar(serde_json::Value::Null));
            }
        }
    }

    fn add(&mut self, anchor: usize, span: Range<usize>, content: Content) {
        self.values += 1;
        let node = Node { span, content };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(node),
            Some(FrameKind::List(items)) => items.push(node),
            Some(FrameKind::Map { entries, key }) => {
                let (key, key_span) = key.take().unwrap_or_default();
                entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                });
            }
        }
    }

    /// Takes merge keys apart and reports keys that are there twice.
    fn unite(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let (merges, mut kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| {
            entry.key == "<<" && !matches!(entry.value.content, Content::Scalar(_))
        });
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|left, right| kept[*left].key.cmp(&kept[*right].key).then(left.cmp(right)));
        let mut repeated = Vec::new();
        for pair in order
            .windows(2)
            .filter(|p| kept[p[0]].key == kept[p[1]].key)
        {
            let (first, second) = (&kept[pair[0]], &kept[pair[1]]);
            self.faults.push(Fault {
                span: second.key_span.clone(),
                message: format!("the key `{}` is there twice in one mapping", second.key),
                help: Some("keep one of the two".to_owned()),
                also: Some((first.key_span.clone(), "first here".to_owned())),
            });
            repeated.push(pair[1]);
        }
        repeated.sort_unstable();
        for index in repeated.into_iter().rev() {
            kept.remove(index);
        }
        for merged in merges.into_iter().flat_map(merged) {
            if kept.iter().all(|entry| entry.key != merged.key) {
                kept.push(merged);
            }
        }
        kept
    }

    fn fault(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.faults.push(Fault {
            span,
            message,
            help,
            also: None,
        });
    }

    fn finish(mut self, span: Range<usize>, broken: bool) -> Document {
        if self.values > MAX_VALUES {
            let message = format!("the document holds more than {MAX_VALUES} values");
            let help = "write less by aliases, or split the document".to_owned();
            self.fault(span.start..span.start, message, Some(help));
            self.root = None;
        }
        Document {
            root: self.root.filter(|_| !broken),
            span,
            faults: self.faults,
        }
    }
}

fn merged(entry: Entry) -> Vec<Entry> {
    match entry.value.content {
        Content::Map(entries) => entries,
        Content::List(items) => items
            .into_iter()
            .flat_map(|item| match item.content {
                Content::Map(entries) => entries,
                _ => Vec::new(),
            })
            .collect(),
        Content::Scalar(_) => Vec::new(),
    }
}

/// The parser's words, with what to do about it.
fn syntax(text: &str, error: &ScanError) -> Fault {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if let Some(tab) = line[..indent].find('\t') {
        let tab = line_start + tab;
        return Fault {
            span: tab..tab + 1,
            message: "a tab may not indent YAML".to_owned(),
            help: Some("indent with spaces".to_owned()),
            also: None,
        };
    }
    Fault {
        span: visible(text, at),
        message: format!("this is not YAML: {}", error.kind()),
        help: help(error.kind()).map(str::to_owned),
        also: None,
    }
}

fn help(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "text with `: ` in it has to be in quotes; otherwise look at the indentation"
        }
        ErrorKind::SimpleKeyExpected
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation => {
            "keys of one mapping start in the same column and end with `:`"
        }
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::BlockSequenceEntryNotAllowed => {
            "entries of one list start with `- ` in the same column"
        }
        ErrorKind::UnclosedQuotedScalar => "close the quote",
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => "close the bracket, or add the missing comma",
        ErrorKind::UnknownAnchor => "write `&name` at the value before `*name` refers to it",
        ErrorKind::RecursionLimitExceeded => "nest less deeply",
        _ => return None,
    })
}

/// A place that shows: the character at an offset, or the last one before it that is not a blank.
fn visible(text: &str, at: usize) -> Range<usize> {
    let width = |from: usize| text[from..].chars().next().map_or(0, char::len_utf8);
    let at = (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    if text[at..].starts_with(|c: char| !c.is_whitespace()) {
        return at..at + width(at);
    }
    let before = text[..at].trim_end();
    before
        .char_indices()
        .next_back()
        .map_or(at..at, |(start, _)| start..start + width(start))
}
