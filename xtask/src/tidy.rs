//! `cargo xtask tidy`: the project's rules that no compiler checks.

mod circles;
mod imports;
mod size;
mod sources;
mod words;

use std::path::Path;

/// The findings of a rule; one line each, beginning with the path.
type Findings = Vec<String>;

/// Checks the repository in this directory.
type Rule = fn(&Path) -> Result<Findings, String>;

/// Checks every rule, and prints all that is found.
pub(crate) fn run() -> Result<(), String> {
    let root = Path::new(".");
    let rules: [(&str, Rule); 3] = [
        ("imports", circles::check),
        ("file sizes", size::check),
        ("words", words::check),
    ];
    let mut count = 0;
    for (name, rule) in rules {
        let findings = rule(root)?;
        println!("tidy: {name}: {} found", findings.len());
        for finding in &findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    if count == 0 {
        Ok(())
    } else {
        Err(format!("tidy: {count} found; fix each of the lines above"))
    }
}
