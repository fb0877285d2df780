//! `llm-auth completions` and `llm-auth man`: what a shell and `man` want to know.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use crate::exit::Failure;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder, instead of the first to standard output.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "llm-auth", &mut script);
    output::document(&script)
}

pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.dir else {
        return output::document(&page(command).map_err(Failure::Output)?);
    };
    let written = write(&command, folder);
    written.map_err(|error| Failure::Config {
        message: format!("cannot write the pages into {}: {error}", folder.display()),
        advice: "name a folder that can be written".into(),
    })
}

fn write(command: &clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("llm-auth.1"), page(command.clone())?)?;
    for part in command
        .get_subcommands()
        .filter(|part| part.get_name() != "help")
    {
        let name = format!("llm-auth-{}", part.get_name());
        let part = part.clone().display_name(&name);
        std::fs::write(folder.join(format!("{name}.1")), page(part)?)?;
    }
    Ok(())
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
