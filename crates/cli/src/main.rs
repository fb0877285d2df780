//! The command `llm-auth`: sign in to AI vendors, and hand the access token to scripts.
//!
//! Standard output carries the answer and nothing else; what a person is to read goes to
//! standard error. The command alone reads the environment, opens a browser and says what to
//! do about an error: the libraries below it do none of these.

mod accounts;
mod browser;
mod commands;
mod environment;
mod exit;
mod files;
mod limits;
mod logging;
mod output;
mod place;
mod screen;
mod settings;
mod signals;
mod store;
mod terminal;
mod text;
mod time;
mod trust;
mod tty;
mod usage;
mod vendor;

use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::Cli;

fn main() -> ExitCode {
    commands::shell::answer_shell();
    limits::no_core_dumps();
    match Cli::try_parse() {
        Ok(cli) => ExitCode::from(cli.run()),
        Err(error) => ExitCode::from(usage::report(&error)),
    }
}
