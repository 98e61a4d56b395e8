//! Manifests in files: every document of our group, checked, with the place of everything that is wrong.
//!
//! Trees with places are built a document at a time and thrown away; where a message is about an object
//! that was read before, its document is read again.

mod advice;
mod files;
mod finding;
#[cfg(test)]
mod fuzz;
mod objects;
mod origin;
mod parse;
mod reader;
mod scalar;
mod tree;

use std::path::{Path, PathBuf};

pub(crate) use self::finding::Findings;
use self::finding::{Finding, SourceText};
use self::origin::Origins;
use super::error::CliError;
use super::output::Output;
use crate::placement::inputs::Inputs;
use crate::placement::problem::{Problem, Severity};
use crate::placement::snapshot;

/// What one file held.
#[derive(Clone, Debug)]
pub(crate) struct FileTally {
    /// As the user would name it.
    pub(crate) name: String,
    /// Objects of our group.
    pub(crate) objects: usize,
    /// Documents of others.
    pub(crate) others: usize,
}

/// All manifests at a path.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// The good objects.
    pub(crate) inputs: Inputs,
    /// What each file held.
    pub(crate) files: Vec<FileTally>,
    findings: Vec<Finding>,
    origins: Origins,
    sources: Vec<SourceText>,
    /// Texts of documents that were not understood: whatever they define is not really missing.
    broken: Vec<(usize, std::ops::Range<usize>)>,
}

impl Manifests {
    /// Reads and checks everything at a path. What is wrong with the manifests is in the result.
    ///
    /// # Errors
    /// If the path cannot be read, or there is nothing of ours.
    pub(crate) fn load(path: &Path) -> Result<Self, CliError> {
        let mut reader = reader::Reader::default();
        for file in files::list(path)? {
            reader.file(files::read(&file)?);
        }
        let manifests = reader.done();
        if manifests.findings.is_empty() && manifests.objects() == 0 {
            return Err(CliError::NoManifests {
                path: PathBuf::from(path),
                others: manifests.files.iter().map(|file| file.others).sum(),
            });
        }
        Ok(manifests)
    }

    /// The objects of everything at a path, for what begins only where nothing is wrong with them.
    ///
    /// # Errors
    /// If something is, with its place.
    pub(crate) fn sound(path: &Path, out: &Output) -> Result<Inputs, CliError> {
        let manifests = Self::load(path)?;
        let built = snapshot::build(&manifests.inputs);
        let findings = manifests.examine(&built.problems);
        if findings.errors() > 0 {
            return Err(CliError::BadInput(findings.render(out.color_errors)));
        }
        Ok(manifests.inputs)
    }

    /// Objects of our group.
    pub(crate) fn objects(&self) -> usize {
        self.files.iter().map(|file| file.objects).sum()
    }

    /// What is wrong with the manifests, and what is wrong between their objects.
    pub(crate) fn examine(&self, problems: &[Problem]) -> Findings {
        let mut findings = self.findings.clone();
        let mut places = origin::Places::new(&self.sources);
        for problem in problems
            .iter()
            .filter(|problem| !self.is_consequence(problem))
        {
            findings.extend(self.origins.finding(problem, &mut places));
        }
        Findings::new(findings)
    }

    /// Whether a problem may be there only because another document was not understood.
    fn is_consequence(&self, problem: &Problem) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        problem.severity == Severity::Warning
            || problem.message.split('`').skip(1).step_by(2).any(|name| {
                self.broken
                    .iter()
                    .any(|(source, span)| self.sources[*source].text[span.clone()].contains(name))
            })
    }
}
