//! Files to checked objects.

use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::finding::{Finding, Place, SourceText};
use super::objects::{self, Class};
use super::origin::{Key, Origin, Origins, Places};
use super::parse::{Documents, Fault};
use super::tree::{Node, Part};
use super::{FileTally, Manifests, advice, files};
use crate::api::{self, API_VERSION, PathSegment, Violation};
use crate::placement::inputs::Inputs;

/// Reads files one after the other.
#[derive(Debug, Default)]
pub(super) struct Reader {
    inputs: Inputs,
    files: Vec<FileTally>,
    findings: Vec<Finding>,
    origins: Origins,
    sources: Vec<SourceText>,
    broken: Vec<(usize, Range<usize>)>,
}

impl Reader {
    pub(super) fn file(&mut self, file: files::Source) {
        let (text, fault) = match String::from_utf8(file.bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (at, bytes) = (error.utf8_error().valid_up_to(), error.into_bytes());
                let text = String::from_utf8_lossy(&bytes).into_owned();
                (text, Some(not_utf8(at, bytes[at])))
            }
        };
        self.files.push(FileTally {
            name: file.name.clone(),
            objects: 0,
            others: 0,
        });
        let text: Arc<str> = text.into();
        let name = file.name.into();
        self.sources.push(SourceText {
            name,
            text: Arc::clone(&text),
        });
        match fault {
            Some(fault) => self.fault(fault, 0..text.len()),
            None => self.documents(&text),
        }
    }

    pub(super) fn done(self) -> Manifests {
        Manifests {
            inputs: self.inputs,
            files: self.files,
            findings: self.findings,
            origins: self.origins,
            sources: self.sources,
            broken: self.broken,
        }
    }

    fn documents(&mut self, text: &str) {
        for (index, document) in Documents::of(text).enumerate() {
            for fault in document.faults {
                self.fault(fault, document.span.clone());
            }
            for (item, object) in document.root.iter().flat_map(objects::of).enumerate() {
                let origin = Origin {
                    source: self.source(),
                    document: index,
                    item,
                };
                self.object(object, origin, &document.span);
            }
        }
    }

    fn object(&mut self, object: &Node, origin: Origin, document: &Range<usize>) {
        let tally = self.files.last_mut();
        match objects::classify(object) {
            Class::Other => {
                if let Some(tally) = tally {
                    tally.others += 1;
                }
                return;
            }
            Class::Text => {
                let message = "this is text, not a manifest".to_owned();
                let help = format!("a manifest starts with `apiVersion: {API_VERSION}`");
                self.error(object.span.clone(), "", message, Some(help));
                return self.broken(document);
            }
            Class::Lacks(field) => {
                let message = format!("`{field}` is missing");
                let help =
                    (field == "apiVersion").then(|| format!("add `apiVersion: {API_VERSION}`"));
                self.error(object.locate(&[], Part::Key), "", message, help);
                return self.broken(document);
            }
            Class::Ours => {}
        }
        if let Some(tally) = tally {
            tally.objects += 1;
        }
        let mut value = object.value();
        let violations = api::validate_object(&value);
        if !violations.is_empty() {
            let shown = shown(object);
            for violation in &violations {
                self.violation(object, &value, violation, &shown);
            }
            return self.broken(document);
        }
        api::apply_defaults(&mut value);
        self.keep(object, value, origin);
    }

    /// Takes a valid object in.
    fn keep(&mut self, object: &Node, value: Value, origin: Origin) {
        let kind = object.text("kind").unwrap_or_default();
        let Some(kind) = api::kind(kind) else { return };
        let metadata = object.entry("metadata").map(|entry| &entry.value);
        let name = metadata.and_then(|m| m.text("name")).unwrap_or_default();
        let namespace = metadata.and_then(|m| m.text("namespace"));
        let key = Key::new(&kind.name, kind.namespaced, namespace, name);
        let shown = key.shown();
        if let Err(first) = self.origins.add(key, origin) {
            return self.twice(object, first, &shown);
        }
        let taken = match kind.name.as_str() {
            "LatticePool" => push(&mut self.inputs.pools, value),
            "LatticeNodeClass" => push(&mut self.inputs.node_classes, value),
            "LatticePlacementPolicy" => push(&mut self.inputs.policies, value),
            "LatticeService" => push(&mut self.inputs.services, value),
            "LatticeCluster" => push(&mut self.inputs.clusters, value),
            "LatticeServicePlacement" => push(&mut self.inputs.service_placements, value),
            "LatticeExternalService" => push(&mut self.inputs.external_services, value),
            _ => Ok(()),
        };
        if let Err(error) = taken {
            self.error(
                object.locate(&[], Part::Key),
                &shown,
                error.to_string(),
                None,
            );
        }
    }

    fn twice(&mut self, object: &Node, first: Origin, shown: &str) {
        let name = ["metadata", "name"].map(PathSegment::from);
        let mut also = Places::new(&self.sources).of(first, &name);
        if let Some(place) = &mut also {
            place.label = "first here".to_owned();
        }
        let message = format!("{shown} is there twice");
        let help = Some("rename one of them, or delete it".to_owned());
        let span = object.locate(&name, Part::Value);
        self.error(span, "", message, help);
        if let Some(finding) = self.findings.last_mut() {
            finding.at.label = "and again here".to_owned();
            finding.also = also;
        }
    }

    fn violation(&mut self, object: &Node, value: &Value, violation: &Violation, shown: &str) {
        let (message, meant) = advice::split(&violation.message);
        let part = if message.starts_with("there is no field") {
            Part::Key
        } else {
            Part::Value
        };
        let wrong = at(value, &violation.path);
        let help = meant
            .or_else(|| wrong.and_then(|wrong| advice::on_value(wrong, &violation.path, &message)));
        let location = violation.location();
        let path = [shown, &location]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ");
        self.error(object.locate(&violation.path, part), &path, message, help);
    }

    fn fault(&mut self, fault: Fault, document: Range<usize>) {
        self.error(fault.span, "", fault.message, fault.help);
        let also = fault.also.and_then(|(span, label)| self.place(span, label));
        if let Some(finding) = self.findings.last_mut() {
            finding.also = also;
        }
        self.broken(&document);
    }

    fn error(&mut self, span: Range<usize>, path: &str, message: String, help: Option<String>) {
        let place = self.place(span, String::new());
        self.findings.extend(place.map(|at| Finding {
            warning: false,
            path: path.to_owned(),
            message,
            help,
            at,
            also: None,
        }));
    }

    fn place(&self, span: Range<usize>, label: String) -> Option<Place> {
        let source = self.sources.last()?.clone();
        Some(Place {
            source,
            span,
            label,
        })
    }

    fn broken(&mut self, document: &Range<usize>) {
        let broken = (self.source(), document.clone());
        if self.broken.last() != Some(&broken) {
            self.broken.push(broken);
        }
    }

    fn source(&self) -> usize {
        self.sources.len().saturating_sub(1)
    }
}

fn push<T: DeserializeOwned>(list: &mut Vec<T>, value: Value) -> Result<(), serde_json::Error> {
    list.push(serde_json::from_value(value)?);
    Ok(())
}

/// How messages name an object that may not even have a name.
fn shown(object: &Node) -> String {
    let metadata = object.entry("metadata").map(|entry| &entry.value);
    let kind = object.text("kind").unwrap_or_default();
    match metadata.and_then(|metadata| metadata.text("name")) {
        Some(name) => format!("{kind} {name}"),
        None => kind.to_owned(),
    }
}

fn at<'a>(value: &'a Value, path: &[PathSegment]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        PathSegment::Key(key) => value.get(key),
        PathSegment::Index(index) => value.get(index),
    })
}

fn not_utf8(at: usize, byte: u8) -> Fault {
    Fault {
        span: at..at + '\u{fffd}'.len_utf8(),
        message: format!("this is not UTF-8: the byte 0x{byte:02x} does not belong here"),
        help: Some("save the file as UTF-8".to_owned()),
        also: None,
    }
}
