//! Which files hold manifests.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::cli::error::CliError;

/// Stands for stdin.
pub(super) const STDIN: &str = "-";

/// Largest file that is read: some ten thousand objects fill a tenth of it.
const MAX_BYTES: u64 = 64 << 20;

/// A file's name as the user would write it, and what is in it.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The manifests at a path, in order: a file, stdin, or all below a folder but for what is hidden. A file
/// reached on two ways, by symbolic links, is there once.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if path == Path::new(STDIN) {
        return Ok(vec![path.to_owned()]);
    }
    let metadata = fs::metadata(path).map_err(CliError::read(path))?;
    if metadata.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let walk = WalkDir::new(path)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => return Err(unreadable(path, error)),
        };
        if entry.file_type().is_file() && is_manifest(entry.path()) {
            let real = fs::canonicalize(entry.path()).map_err(CliError::read(entry.path()))?;
            if seen.insert(real) {
                found.push(entry.into_path());
            }
        }
    }
    Ok(found)
}

/// Reads a file, or stdin.
pub(super) fn read(path: &Path) -> Result<Source, CliError> {
    if path == Path::new(STDIN) {
        return bounded(std::io::stdin().lock(), path, "<stdin>".to_owned());
    }
    let file = fs::File::open(path).map_err(CliError::read(path))?;
    let shown = path.strip_prefix("./").unwrap_or(path);
    bounded(file, path, shown.display().to_string())
}

fn bounded(reader: impl Read, path: &Path, name: String) -> Result<Source, CliError> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(CliError::read(path))?;
    if bytes.len() as u64 > MAX_BYTES {
        let source = std::io::Error::other(format!("it is larger than {} MiB", MAX_BYTES >> 20));
        return Err(CliError::read(path)(source));
    }
    Ok(Source { name, bytes })
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn unreadable(root: &Path, error: walkdir::Error) -> CliError {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| std::io::Error::other("it cannot be walked"));
    CliError::Read { path, source }
}
