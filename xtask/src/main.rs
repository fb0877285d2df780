//! The project's own tasks: `cargo xtask <task>`. Few dependencies: it is built before everything else.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for the terminal"
)]

mod bench;
mod deny;
mod features;
mod measure;
mod model;
mod publish;
mod run;
mod screenshots;
mod test_all;
mod tidy;
mod torture;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "bench" => bench::run(),
        "deny" => deny::run(),
        "features" => features::run(),
        "measure" => measure::run(),
        "model" => model::run(),
        "publish" => publish::run(),
        "screenshots" => screenshots::run(),
        "test-all" => test_all::run(),
        "tidy" => tidy::run(),
        "torture" => torture::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => Err(format!(
            "no task {task:?}; there are: bench, deny, features, measure, model, publish, screenshots, test-all, tidy, torture"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
