//! What a machine does at its first start, and only then.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use super::cloud_init::{self, Command, File};
use super::spec::{self, MachineSpec, REPORT_FILE, Report, USER_DATA_FILE};
use super::{MachineError, SEARCH_PATH};

/// What bootstrap commands leave behind when they are through, by Cluster API's contract.
const SENTINEL: &str = "/run/cluster-api/bootstrap-success.complete";
const OUTPUT: &str = "cloud-init-output.log";
const TAIL_BYTES: usize = 2000;

/// Does what the user data says, unless that was done before, and reports how it went.
pub(super) async fn once(spec: &MachineSpec, folder: &Path) -> Result<(), MachineError> {
    let report = folder.join(REPORT_FILE);
    if report.exists() && spec::read::<Report>(&report)? != Report::Booting {
        return Ok(());
    }
    let outcome = first_start(spec, folder).await;
    let said = match &outcome {
        Ok(said) => said.clone(),
        Err(error) => Report::Failed {
            message: error.to_string(),
        },
    };
    spec::write(&report, &said)?;
    outcome.map(drop)
}

async fn first_start(spec: &MachineSpec, folder: &Path) -> Result<Report, MachineError> {
    let path = folder.join(USER_DATA_FILE);
    let user_data = fs::read_to_string(&path).map_err(MachineError::file("read", &path))?;
    let config = cloud_init::parse(&user_data, &spec.metadata())?;
    if !config.passed_over.is_empty() {
        tracing::warn!(
            keys = config.passed_over.join(", "),
            "passed over in the user data"
        );
    }
    execute("bootcmd", &config.boot_commands, folder).await?;
    for file in &config.files {
        write(file)?;
    }
    execute("runcmd", &config.commands, folder).await?;
    if Path::new(SENTINEL).exists() {
        return Ok(Report::Succeeded);
    }
    Ok(Report::Failed {
        message: format!(
            "the commands of the user data ended without {SENTINEL}; the last they said: {}",
            tail(&folder.join(OUTPUT))
        ),
    })
}

fn write(file: &File) -> Result<(), MachineError> {
    let wrong = || MachineError::file("write", &file.path);
    if let Some(parent) = file.path.parent() {
        fs::create_dir_all(parent).map_err(wrong())?;
    }
    let mut open = OpenOptions::new()
        .write(true)
        .create(true)
        .append(file.append)
        .truncate(!file.append)
        .mode(file.mode)
        .open(&file.path)
        .map_err(wrong())?;
    open.write_all(&file.content).map_err(wrong())?;
    open.set_permissions(fs::Permissions::from_mode(file.mode))
        .map_err(wrong())
}

/// Runs the commands as one script. How it ends says little, as each goes on whatever the one before did.
async fn execute(name: &str, commands: &[Command], folder: &Path) -> Result<(), MachineError> {
    if commands.is_empty() {
        return Ok(());
    }
    let script = folder.join(name);
    fs::write(&script, cloud_init::script(commands))
        .map_err(MachineError::file("write", &script))?;
    let log = folder.join(OUTPUT);
    let wrong = || MachineError::file("write", &log);
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(wrong())?;
    let errors = output.try_clone().map_err(wrong())?;
    let status = tokio::process::Command::new("/bin/sh")
        .arg(&script)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("HOME", "/root")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .await
        .map_err(MachineError::file("run", &script))?;
    tracing::info!(%status, name, "the commands of the user data have ended");
    Ok(())
}

fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}
