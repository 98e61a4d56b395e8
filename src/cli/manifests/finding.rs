//! What is wrong with manifests, with the place in the file.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode, SourceSpan,
};
use serde::Serialize;

/// Most findings that are shown; a wrong template would otherwise fill the terminal.
pub(crate) const SHOWN: usize = 100;

/// A text with its name.
#[derive(Clone, Debug)]
pub(crate) struct SourceText {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
}

impl SourceText {
    /// Line and column, in characters from 1, of a byte.
    fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let before = &self.text.as_bytes()[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |n| n + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        (line, column)
    }
}

/// A marked part of a file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) source: SourceText,
    pub(crate) span: Range<usize>,
    pub(crate) label: String,
}

/// Something that is wrong, or odd, in a file.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) warning: bool,
    /// The object or the field that it is about, if it is about one.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) at: Place,
    pub(crate) also: Option<Place>,
}

/// A finding as machines read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Machine<'a> {
    severity: &'static str,
    file: &'a str,
    line: usize,
    column: usize,
    path: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl Finding {
    fn machine(&self) -> Machine<'_> {
        let (line, column) = self.at.source.position(self.at.span.start);
        Machine {
            severity: if self.warning { "warning" } else { "error" },
            file: &self.at.source.name,
            line,
            column,
            path: &self.path,
            message: &self.message,
            help: self.help.as_deref(),
        }
    }

    /// The order in which findings are shown.
    fn order(&self) -> (&str, usize, &str) {
        (&self.at.source.name, self.at.span.start, &self.message)
    }
}

/// All findings of a run, in the order of files and lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|left, right| left.order().cmp(&right.order()));
        Self(findings)
    }

    pub(crate) fn errors(&self) -> usize {
        self.0.iter().filter(|finding| !finding.warning).count()
    }

    pub(crate) fn warnings(&self) -> usize {
        self.0.len() - self.errors()
    }

    /// Errors of a file.
    pub(crate) fn errors_of(&self, file: &str) -> usize {
        let errors = self.0.iter().filter(|finding| !finding.warning);
        errors
            .filter(|finding| &*finding.at.source.name == file)
            .count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings for a person, with the text they are about.
    pub(crate) fn render(&self, color: bool) -> String {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(100)
            .with_context_lines(1);
        let mut text = String::new();
        for finding in self.0.iter().take(SHOWN) {
            // Writing to a string does not fail.
            let _ = handler.render_report(&mut text, &Shown::new(finding));
            text.push('\n');
        }
        text + &self.tally()
    }

    fn tally(&self) -> String {
        let mut text = String::new();
        if self.0.len() > SHOWN {
            text.push_str(&format!("and {} more\n", self.0.len() - SHOWN));
        }
        let counts = [(self.errors(), "error"), (self.warnings(), "warning")];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
            .collect();
        text + &counts.join(", ") + if counts.is_empty() { "" } else { "\n" }
    }

    /// The findings for a machine.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        let all: Vec<_> = self.0.iter().map(Finding::machine).collect();
        serde_json::to_string_pretty(&all).map(|text| text + "\n")
    }
}

/// A finding, or the second place of one, as the renderer wants it.
#[derive(Debug)]
struct Shown {
    text: String,
    severity: Severity,
    help: Option<String>,
    source: NamedSource<Arc<str>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Shown>,
}

impl Shown {
    fn new(finding: &Finding) -> Self {
        let text = match finding.path.as_str() {
            "" => finding.message.clone(),
            path => format!("{path}: {}", finding.message),
        };
        let severity = if finding.warning {
            Severity::Warning
        } else {
            Severity::Error
        };
        let mut shown = Self::at(&finding.at, text, severity);
        shown.help = (finding.help.as_ref()).map(|help| printable(help).into_owned());
        if let Some(also) = &finding.also {
            if also.source.name == finding.at.source.name {
                shown.labels.push(label(also));
            } else {
                let mut other = Self::at(also, also.label.clone(), Severity::Advice);
                other.labels = vec![LabeledSpan::new_with_span(None, also.span.clone())];
                shown.elsewhere.push(other);
            }
        }
        shown
    }

    fn at(place: &Place, text: String, severity: Severity) -> Self {
        let source = match printable(&place.source.text) {
            Cow::Borrowed(_) => Arc::clone(&place.source.text),
            Cow::Owned(text) => text.into(),
        };
        Self {
            text: printable(&text).into_owned(),
            severity,
            help: None,
            source: NamedSource::new(printable(&place.source.name), source),
            labels: vec![label(place)],
            elsewhere: Vec::new(),
        }
    }
}

/// A text without what would steer the terminal, as long as it was so that places in it stay where they are.
fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) {
            true => plain.extend(std::iter::repeat_n('?', c.len_utf8())),
            false => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

fn label(place: &Place) -> LabeledSpan {
    let text = Some(printable(&place.label).into_owned()).filter(|label| !label.is_empty());
    LabeledSpan::new_with_span(text, SourceSpan::from(place.span.clone()))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let related = self.elsewhere.iter().map(|shown| shown as &dyn Diagnostic);
        Some(Box::new(related))
    }
}
