//! The project's own tasks: `cargo xtask <task>`. As few dependencies as possible: none.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for the terminal"
)]

mod measure;
mod run;
mod test_all;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "measure" => measure::run(),
        "test-all" => test_all::run(),
        _ => Err(format!("no task {task:?}; there are: measure, test-all")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
