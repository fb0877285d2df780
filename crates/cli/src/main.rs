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
mod logging;
mod output;
mod place;
mod screen;
mod settings;
mod signals;
mod store;
mod terminal;
mod time;
mod tty;
mod vendor;

use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let said = usage.print();
            return match u8::try_from(usage.exit_code()) {
                Ok(code) if said.is_ok() => ExitCode::from(code),
                _ => ExitCode::FAILURE,
            };
        }
    };
    ExitCode::from(cli.run())
}
