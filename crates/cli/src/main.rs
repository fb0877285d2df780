//! The command `llm-auth`: sign in to AI vendors, and hand the access token to scripts.
//!
//! Standard output carries the answer and nothing else; what a person is to read goes to
//! standard error. The command alone reads the environment, opens a browser and says what to
//! do about an error: the libraries below it do none of these.

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
    match Cli::try_parse() {
        Ok(cli) => ExitCode::from(cli.run()),
        Err(error) => ExitCode::from(report::usage::report(&error, Cli::command())),
    }
}
