//! `cargo xtask tidy`: the project's rules that no compiler checks.

mod circles;
mod decisions;
mod examples;
mod forbidden;
mod imports;
mod providers;
mod size;
mod sources;
mod surface;
mod words;

use std::cmp::Ordering;
use std::path::Path;

/// The findings of a rule; one line each, beginning with the path.
type Findings = Vec<String>;

/// Checks the repository in this directory.
type Rule = fn(&Path) -> Result<Findings, String>;

/// How many findings a rule still has, on the way to none: more are an error, and after fewer the
/// number here is lowered.
const CEILINGS: [(&str, Rule, usize); 7] = [
    ("decisions", decisions::check, 0),
    ("forbidden clients", forbidden::check, 0),
    ("imports", circles::check, 0),
    ("file sizes", size::check, 0),
    ("provider crates", providers::check, 0),
    ("public names", surface::check, 0),
    ("words", words::check, 3),
];

/// The share of the core's public functions that have an example, in percent: less is an error, and
/// after more the number here is raised.
const EXAMPLES: usize = 100;

/// Checks every rule, and prints all that is found.
pub(crate) fn run() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, rule, ceiling) in CEILINGS {
        let findings = rule(Path::new("."))?;
        for finding in &findings {
            println!("  {finding}");
        }
        let count = findings.len();
        println!("tidy: {name}: {count} found, {ceiling} at most");
        match count.cmp(&ceiling) {
            Ordering::Equal => {}
            Ordering::Greater => wrong.push(format!(
                "{name}: {count} found, not {ceiling}; correct the new ones"
            )),
            Ordering::Less => wrong.push(format!(
                "{name}: {count} found; lower the ceiling of {ceiling}"
            )),
        }
    }
    wrong.extend(check_examples()?);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("tidy: {}", wrong.join("; ")))
    }
}

/// The error if the share of examples is not the recorded one.
fn check_examples() -> Result<Option<String>, String> {
    let examples = examples::count(Path::new("."))?;
    let percent = examples.percent();
    println!("tidy: examples: {percent} % of the public functions, {EXAMPLES} % at least");
    Ok(match percent.cmp(&EXAMPLES) {
        Ordering::Equal => None,
        Ordering::Greater => Some(format!(
            "examples: {percent} %; raise the floor of {EXAMPLES} %"
        )),
        Ordering::Less => {
            for missing in &examples.missing {
                println!("  {missing} has no example");
            }
            Some(format!(
                "examples: {percent} %, not {EXAMPLES} %; write one for the new functions"
            ))
        }
    })
}
