//! `lattice validate`: are the manifests right?

use std::path::PathBuf;

use super::Outcome;
use super::error::CliError;
use super::manifests::{FileTally, Findings, Manifests};
use super::output::{Output, Paint};
use crate::placement::snapshot;

/// Check manifests without a cluster: YAML, fields, values, and references between objects.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice validate fleet/
  kustomize build fleet | lattice validate -
  lattice validate fleet/ -o json    # [{severity, file, line, column, path, message, help}]

Exit codes: 0 all is right (there may be warnings), 1 something is wrong.")]
pub(crate) struct Args {
    /// Folder, file, or `-` for stdin.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// How to print what is wrong.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let manifests = Manifests::load(&self.path)?;
        let built = snapshot::build(&manifests.inputs);
        let findings = manifests.examine(&built.problems);
        match self.output {
            Format::Json => out.print(&findings.json()?)?,
            Format::Text => {
                out.print(&tally(&manifests.files, &findings, out.paint))?;
                if !findings.is_empty() {
                    out.complain(&format!("\n{}", findings.render(out.color_errors)));
                }
            }
        }
        Ok(if findings.errors() > 0 {
            Outcome::Refused
        } else {
            Outcome::Done
        })
    }
}

fn tally(files: &[FileTally], findings: &Findings, paint: Paint) -> String {
    let mut text = String::new();
    for file in files {
        let errors = findings.errors_of(&file.name);
        let line = match (errors, file.objects) {
            (0, 0) => paint.dim(format!("- {} (nothing of Lattice)", file.name)),
            (0, objects) => format!(
                "{} {} ({})",
                paint.green("✓"),
                file.name,
                count(objects, "object")
            ),
            (errors, _) => format!(
                "{} {} ({})",
                paint.red("✗"),
                file.name,
                count(errors, "error")
            ),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
