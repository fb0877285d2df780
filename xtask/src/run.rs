//! Running cargo, and printing the command and its duration.

use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs `$CARGO` with these arguments, and prints them. A lock file that would change is an error.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let arguments = locked(arguments);
    let line = format!("cargo {}", arguments.join(" "));
    println!("\n=== {line}");
    let begun = Instant::now();
    let status = command(&arguments)
        .envs(environment.iter().copied())
        .status()
        .map_err(|error| format!("cannot run {line}: {error}"))?;
    if !status.success() {
        return Err(format!("failed: {line}"));
    }
    println!("=== {:.0} s: {line}", begun.elapsed().as_secs_f32());
    Ok(())
}

/// [`cargo`] beside other checks: what it prints comes in one piece, when it has ended.
pub(crate) fn cargo_beside(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let arguments = locked(arguments);
    let line = format!("cargo {}", arguments.join(" "));
    let begun = Instant::now();
    let output = command(&arguments)
        .envs(environment.iter().copied())
        .output()
        .map_err(|error| format!("cannot run {line}: {error}"))?;
    let (time, printed) = (
        begun.elapsed().as_secs_f32(),
        String::from_utf8_lossy(&output.stderr),
    );
    let tests = String::from_utf8_lossy(&output.stdout);
    println!("\n=== {line}\n{printed}{tests}=== {time:.0} s: {line}");
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("failed: {line}")),
    }
}

/// Runs another program, and prints how it was called.
pub(crate) fn announced(command: &mut Command) -> Result<(), String> {
    let line = format!("{command:?}");
    println!("\n=== {line}");
    let status = command.status();
    let status = status.map_err(|error| format!("cannot run {line}: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("failed: {line}")),
    }
}

/// `cargo` in silence; returns what it prints on standard output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<String, String> {
    let arguments = locked(arguments);
    let line = format!("cargo {}", arguments.join(" "));
    let output = command(&arguments)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("cannot run {line}: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("failed: {line}\n{why}"));
    }
    String::from_utf8(output.stdout).map_err(|_not_utf8| format!("{line} prints no UTF-8"))
}

/// Whether a cargo subcommand (`cargo NAME`) is installed.
pub(crate) fn is_installed(subcommand: &str) -> bool {
    command(&[subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn command(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Adds `--locked` after the subcommand; only `fmt` reads no lock file.
fn locked<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    // Decision 0050.
    let mut arguments = arguments.to_vec();
    if arguments.first().is_some_and(|first| *first != "fmt") {
        arguments.insert(1, "--locked");
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_that_reads_the_lock_file_is_locked() {
        assert_eq!(locked(&["fmt", "--all"]), ["fmt", "--all"]);
        assert_eq!(
            locked(&["test", "-p", "x", "--", "y"]),
            ["test", "--locked", "-p", "x", "--", "y"]
        );
        assert_eq!(locked(&["deny", "check"]), ["deny", "--locked", "check"]);
    }
}
