//! Karpenter's side: the program that `benches/peers` builds, given the instance on stdin.

use crate::instance::{Instance, Plan};
use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// Has `program` solve the instance in `file` so many times; the fastest counts.
pub fn plan(program: &Path, file: &Path, runs: usize) -> Result<Plan, Box<dyn Error>> {
    let output = Command::new(program)
        .args(["--runs", &runs.to_string()])
        .stdin(File::open(file)?)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| {
            let program = program.display();
            format!("cannot run {program}: {e}; `make bench-peers` builds it")
        })?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", program.display(), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Writes the instance as both this program and people read it.
pub fn write(instance: &Instance, file: &Path) -> Result<(), Box<dyn Error>> {
    Ok(std::fs::write(file, serde_json::to_vec(instance)?)?)
}
