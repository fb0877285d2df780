//! Decisions: each that code names has a page, and code names each page.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Findings, sources};

const DIRECTORY: &str = "docs/decisions";

/// How code names a decision; its number follows.
const NAME: &str = "ecision ";

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let pages = pages(root)?;
    let mut findings = Findings::new();
    let mut in_code = BTreeSet::new();
    for file in sources::with_extension(root, &["rs", "toml"])? {
        if file.ends_with("tidy/decisions.rs") {
            continue;
        }
        let text = sources::read(&file)?;
        for (at, line) in text.lines().enumerate() {
            for number in named(line) {
                in_code.insert(number.to_owned());
                if !pages.iter().any(|page| page == number) {
                    findings.push(format!(
                        "{}:{}: decision {number} has no page; name one of {DIRECTORY} by four digits",
                        file.display(),
                        at + 1
                    ));
                }
            }
        }
    }
    for page in pages.iter().filter(|page| !in_code.contains(*page)) {
        findings.push(format!(
            "{DIRECTORY}/{page}: no code names it; write `see decision {page}` at the code that obeys it"
        ));
    }
    Ok(findings)
}

/// The numbers of the pages, as their names begin.
fn pages(root: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("cannot read {DIRECTORY}: {error}");
    let mut numbers = Vec::new();
    for entry in fs::read_dir(root.join(DIRECTORY)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some((number, _)) = name.to_string_lossy().split_once('-') {
            numbers.push(number.to_owned());
        }
    }
    numbers.sort();
    Ok(numbers)
}

/// The numbers of the decisions that a line names.
fn named(line: &str) -> Vec<&str> {
    let after = line.split(NAME).skip(1).map(|rest| {
        let end = rest.find(|character: char| !character.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    });
    after.filter(|number| !number.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_on_a_line_is_found_and_other_decisions_are_none() {
        assert_eq!(named("// Decision 0003 and decision 37."), ["0003", "37"]);
        assert!(named("/// Takes the decision of the page's form.").is_empty());
    }
}
