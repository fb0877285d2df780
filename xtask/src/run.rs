//! Running cargo, and saying what and for how long.

use std::process::Command;
use std::time::Instant;

/// Runs `$CARGO` with these arguments, and says so.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    println!("\n=== {line}");
    let begun = Instant::now();
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .map_err(|error| format!("cannot run {line}: {error}"))?;
    if !status.success() {
        return Err(format!("failed: {line}"));
    }
    println!("=== {:.0} s: {line}", begun.elapsed().as_secs_f32());
    Ok(())
}
