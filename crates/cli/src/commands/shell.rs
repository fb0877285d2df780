//! `llm-auth completions` and `llm-auth man`: what a shell and `man` want to know.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _, ValueEnum as _};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate};
use clap_mangen::Man;

use super::{Cli, PlaceArgs};
use crate::exit::{Failure, quoted};
use crate::files;
use crate::output;
use crate::vendor::Vendor;
use crate::{accounts, store};

/// How a shell asks this program for completions.
pub(crate) const COMPLETE: &str = "LLM_AUTH_COMPLETE";

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

const INSTALLATION: &str = "\
Read it when the shell starts:
  bash        source <(llm-auth completions bash)                  in ~/.bashrc
  zsh         source <(llm-auth completions zsh)                   in ~/.zshrc, after compinit
  fish        llm-auth completions fish | source                   in ~/.config/fish/config.fish
  elvish      eval (llm-auth completions elvish | slurp)           in ~/.elvish/rc.elv
  powershell  llm-auth completions powershell | Out-String | Invoke-Expression   in $PROFILE";

#[derive(Args, Debug)]
#[command(after_help = INSTALLATION)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_parser = SHELLS)]
    shell: String,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder, instead of the first to standard output.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Answers the shell, if it is one that asks; then the process ends here.
pub(crate) fn answer_shell() {
    // Most often nobody asks, and then it costs nothing.
    if std::env::var_os(COMPLETE).is_none() {
        return;
    }
    CompleteEnv::with_factory(Cli::command)
        .var(COMPLETE)
        .bin("llm-auth")
        .complete();
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(&args.shell)
        .ok_or_else(|| Failure::Usage(format!("{} is no shell that is known", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration(COMPLETE, "llm_auth", "llm-auth", "llm-auth", &mut script)
        .map_err(Failure::Output)?;
    if args.shell == "bash" {
        script.extend_from_slice(WHOLE_ADDRESSES);
    }
    output::document(&script)
}

/// Bash would take the address of an account's owner apart.
const WHOLE_ADDRESSES: &[u8] = b"COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n";

/// The accounts that begin so, of all vendors.
pub(crate) fn accounts_like(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let Ok(store) = store::open(&PlaceArgs::default()) else {
        return Vec::new();
    };
    let of = |vendor: &Vendor| {
        let keys = accounts::of(*vendor, &store).unwrap_or_default();
        let names = keys.into_iter().map(|key| key.account().to_owned());
        names.map(|name| (name, vendor.title())).collect::<Vec<_>>()
    };
    Vendor::value_variants()
        .iter()
        .flat_map(of)
        // One that a shell would have to quote cannot be offered.
        .filter(|(name, _)| name.starts_with(begun.as_ref()) && quoted(name) == *name)
        .map(|(name, vendor)| CompletionCandidate::new(name).help(Some(vendor.into())))
        .collect()
}

pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    // The page of a command says all that `help` would.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.dir else {
        return output::document(&page(command).map_err(Failure::Output)?);
    };
    files::check_path("--dir", folder)?;
    let written = write(&command, folder);
    written.map_err(|error| Failure::Config {
        message: format!("cannot write the pages into {}: {error}", folder.display()),
        advice: "name a folder that can be written".into(),
    })
}

fn write(command: &clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("llm-auth.1"), page(command.clone())?)?;
    for part in command.get_subcommands() {
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
