//! Machines as processes of the host: found, started and ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::CloudError;

/// What a host must have. `unshare` makes a machine's namespaces, `ip` plugs it in.
const TOOLS: [&str; 2] = ["ip", "unshare"];
const NAMESPACES: [&str; 8] = [
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
const CHILD_WITHIN: Duration = Duration::from_secs(5);

/// Says what is missing before anything is begun.
pub(crate) async fn check() -> Result<(), CloudError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for tool in TOOLS {
        if !std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()) {
            return Err(CloudError::Missing(tool));
        }
    }
    let tried = Command::new("unshare")
        .args(NAMESPACES)
        .args(["--", "true"])
        .stdin(Stdio::null())
        .output()
        .await;
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(CloudError::NotAllowed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
        Err(error) => Err(CloudError::NotAllowed(error.to_string())),
    }
}

/// The running machines whose folders are below this one: by folder, the process that holds each.
///
/// They are found by their command lines, not by recorded numbers: a number may have been given to somebody
/// else, and may not have been written down when the daemon was killed.
pub(crate) fn running(machines: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in processes {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if let Some(folder) = folder_of(&line).filter(|folder| folder.parent() == Some(machines)) {
            found.insert(folder, pid);
        }
    }
    found
}

/// The folder in a command line, if it is one that holds a machine.
fn folder_of(line: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
    match words.as_slice() {
        [program, .., "machine", folder] if Path::new(program).ends_with("unshare") => {
            Some(PathBuf::from(folder))
        }
        _ => None,
    }
}

/// Starts the machine of this folder and says which process is the first in its namespaces.
pub(crate) async fn start(program: &Path, folder: &Path) -> Result<u32, CloudError> {
    let console = folder.join("console.log");
    let wrong = || CloudError::file("write", &console);
    let out = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&console)
        .map_err(wrong())?;
    let errors = out.try_clone().map_err(wrong())?;
    let mut holder = Command::new("unshare")
        .args(NAMESPACES)
        .arg("--")
        .arg(program)
        .arg("machine")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(CloudError::file("run", Path::new("unshare")))?;
    let pid = holder.id();
    // It outlives this process; as long as both live, its end has to be taken notice of.
    tokio::spawn(async move { holder.wait().await });
    let attempts = CHILD_WITHIN.as_millis() / 10;
    for _ in 0..attempts {
        if let Some(child) = pid.and_then(first_inside) {
            return Ok(child);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(CloudError::Command {
        command: format!("unshare … lattice machine {}", folder.display()),
        message: format!("it ended at once; see {}", console.display()),
    })
}

/// The first process in the namespaces that this one holds.
pub(crate) fn first_inside(holder: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{holder}/task/{holder}/children")).ok()?;
    let child: u32 = children.split_whitespace().next()?.parse().ok()?;
    // Before it is the machine, it is unshare itself, still on its way into the namespaces.
    let line = fs::read(format!("/proc/{child}/cmdline")).ok()?;
    (!line.is_empty() && folder_of(&line).is_none()).then_some(child)
}

/// Ends a machine as when its plug is pulled. All of its processes end with the first.
pub(crate) fn kill(holder: u32) -> Result<(), CloudError> {
    let failed = |message: String| CloudError::Command {
        command: format!("kill {holder}"),
        message,
    };
    let pid = i32::try_from(holder).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed("no process has this number".to_owned()))?;
    match kill_process(pid, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_a_machine_is_taken_for_one() {
        let line = b"unshare\0--mount\0--\0/bin/lattice\0machine\0/data/machines/a\0";
        assert_eq!(folder_of(line), Some(PathBuf::from("/data/machines/a")));
        for other in [
            &b"/bin/lattice\0machine\0/data/machines/a\0"[..],
            b"unshare\0--net\0--\0/run/lattice/bin/lattice\0machine\0--pod\0/x.json\0",
            b"",
            b"\xff\0",
        ] {
            assert_eq!(
                folder_of(other).filter(|f| f.parent() == Some(Path::new("/data/machines"))),
                None
            );
        }
    }
}
