//! `lattice completions`: what the shell completes.

use clap::CommandFactory;
use clap_complete::Shell;

use super::error::CliError;
use super::output::Output;
use super::{Cli, Outcome};

/// Print the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice completions bash > ~/.local/share/bash-completion/completions/lattice
  lattice completions zsh > \"${fpath[1]}/_lattice\"
  lattice completions fish > ~/.config/fish/completions/lattice.fish")]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "lattice", &mut script);
        out.stream(|writer| writer.write_all(&script))?;
        Ok(Outcome::Done)
    }
}
