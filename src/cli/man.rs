//! `lattice man`: manual pages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use super::error::CliError;
use super::output::Output;
use super::{Cli, Outcome, generated};

/// Write manual pages, one a command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice man ~/.local/share/man/man1 && man lattice-plan")]
pub(crate) struct Args {
    /// Folder to write to.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Args {
    pub(crate) fn run(self, _: &Output) -> Result<Outcome, CliError> {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut pages = BTreeMap::new();
        page(&command, "lattice", &self.folder, &mut pages)?;
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let name = format!("lattice-{}", sub.get_name());
            page(sub, &name, &self.folder, &mut pages)?;
        }
        generated::write(&self.folder, &pages)
    }
}

fn page(
    command: &clap::Command,
    name: &str,
    folder: &std::path::Path,
    pages: &mut BTreeMap<String, String>,
) -> Result<(), CliError> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .title(name.to_uppercase())
        .render(&mut page)
        .map_err(CliError::write(folder))?;
    pages.insert(
        format!("{name}.1"),
        String::from_utf8_lossy(&page).into_owned(),
    );
    Ok(())
}
