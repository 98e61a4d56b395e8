//! `lattice reference`: the kinds' fields as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::error::CliError;
use super::output::Output;
use super::{Outcome, generated};
use crate::api::{self, API_VERSION, Kind};

/// Write the reference of all kinds as Markdown, one page a kind.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice reference docs/reference
  lattice reference docs/reference --check    # exit 1 if a page has drifted")]
pub(crate) struct Args {
    /// Folder to write to.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write nothing; fail if the folder does not hold exactly these pages.
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let mut pages: BTreeMap<String, String> = api::kinds()
            .iter()
            .map(|kind| (format!("{}.md", kind.name.to_lowercase()), page(kind)))
            .collect();
        pages.insert("README.md".to_owned(), index());
        if self.check {
            generated::check(&self.folder, "md", &pages, out)
        } else {
            generated::write(&self.folder, &pages)
        }
    }
}

const NOTE: &str = "<!-- Written by `lattice reference`; `make generate` writes it anew. -->\n";

fn index() -> String {
    let mut text = format!("# Reference\n\n{NOTE}\nThe kinds of `{API_VERSION}`.\n\n");
    text.push_str("| Kind | Short name | Scope |\n| --- | --- | --- |\n");
    for kind in api::kinds() {
        let file = kind.name.to_lowercase();
        let (short, scope) = match (kind.plural.is_empty(), kind.namespaced) {
            (true, _) => (String::new(), "file"),
            (false, true) => (format!("`{}`", kind.short), "namespace"),
            (false, false) => (format!("`{}`", kind.short), "cluster"),
        };
        let _ = writeln!(text, "| [{}]({file}.md) | {short} | {scope} |", kind.name);
    }
    text
}

fn page(kind: &Kind) -> String {
    let mut text = format!("# {}\n\n{NOTE}\n", kind.name);
    let _ = writeln!(text, "`apiVersion: {API_VERSION}`, `kind: {}`\n", kind.name);
    let about = description(&kind.schema);
    if !about.is_empty() {
        let _ = writeln!(text, "{about}\n");
    }
    for part in ["spec", "status"] {
        if let Some(schema) = kind.schema["properties"].get(part) {
            let _ = writeln!(text, "## {part}\n\n{}\n", description(schema));
            text.push_str("| Field | Type | Default | Description |\n| --- | --- | --- | --- |\n");
            let mut rules = Vec::new();
            rows(part, schema, &mut text, &mut rules);
            if !rules.is_empty() {
                text.push_str("\nRules:\n\n");
                for (field, rule) in rules {
                    let _ = writeln!(text, "- `{field}`: {rule}");
                }
            }
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The rows of an object's fields and of theirs.
fn rows(path: &str, schema: &Value, text: &mut String, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let message = rule["message"].as_str().or_else(|| rule["rule"].as_str());
        let message = message.unwrap_or_default().replace('\n', " ");
        rules.push((path.to_owned(), message));
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let default = match field.get("default") {
            Some(default) => format!("`{default}`"),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let about = cell(&[description(field), bounds(field)].join(" "));
        let _ = writeln!(
            text,
            "| `{path}` | {} | {default} | {about} |",
            type_of(field)
        );
        rows(&path, field, text, rules);
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(child) = schema.get(key).filter(|child| child.is_object()) {
            rows(&format!("{path}{suffix}"), child, text, rules);
        }
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(special) = schema["x-lattice-type"].as_str() {
        return match special {
            "cores" | "cpu" => "cores (`2`, `500m`)".to_owned(),
            "memory" => "memory (`4` GiB, `512Mi`)".to_owned(),
            "bytes" => "bytes (`512Mi`)".to_owned(),
            "money" => "amount (`0.192`)".to_owned(),
            "price" => "amount, or amounts by region".to_owned(),
            "labelValues" => "string or list of strings".to_owned(),
            other => other.to_owned(),
        };
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", type_of(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&schema["additionalProperties"]))
        }
        Some(name) => name.to_owned(),
        None if schema["x-kubernetes-int-or-string"] == Value::Bool(true) => {
            "integer or string".to_owned()
        }
        None => "any".to_owned(),
    }
}

/// What a value may be.
fn bounds(schema: &Value) -> String {
    let mut said = Vec::new();
    if schema["x-lattice-type"].is_string() {
        // The keywords of these bind the ways to write them; the type's words say it better.
        return String::new();
    }
    if let Some(allowed) = schema["enum"].as_array() {
        let allowed: Vec<String> = allowed.iter().map(|value| format!("`{value}`")).collect();
        said.push(format!("One of {}.", allowed.join(", ").replace('"', "")));
    }
    for (key, words) in [
        ("minimum", "At least"),
        ("maximum", "At most"),
        ("minLength", "Least length"),
        ("maxLength", "Greatest length"),
        ("minItems", "Least entries"),
        ("maxItems", "Most entries"),
    ] {
        if let Some(bound) = schema.get(key).filter(|bound| bound.is_number()) {
            let bound = bound.to_string();
            said.push(format!(
                "{words} {}.",
                bound.strip_suffix(".0").unwrap_or(&bound)
            ));
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        said.push(format!("Matches `{pattern}`."));
    }
    said.join(" ")
}

fn description(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
}

fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}
