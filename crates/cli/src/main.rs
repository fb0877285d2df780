//! The command `llm-auth`: sign in to AI providers, and hand the access token to scripts.
//!
//! Only results go to standard output; messages for the user go to standard error. Only the
//! command reads the environment, opens a browser and prints advice on errors: the libraries below
//! it do not.
//!
//! The modules, from the bottom: `text`, `time`, `shell_quote` and `error`; `system`; `ui`;
//! `session` and `logging`; `providers`; `args` and `report`; `commands`. No module imports one
//! above it.

mod args;
mod commands;
mod error;
mod logging;
mod providers;
mod report;
mod session;
mod shell_quote;
mod system;
mod text;
mod time;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::commands::Cli;

fn main() -> ExitCode {
    commands::shell::answer_shell(Cli::command);
    system::core_dumps::no_core_dumps();
    match Cli::try_parse_from(commands::arguments(Cli::command)) {
        Ok(cli) => ExitCode::from(cli.run()),
        Err(error) => ExitCode::from(report::usage::report(error, Cli::command())),
    }
}
