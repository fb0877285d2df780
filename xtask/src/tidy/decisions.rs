//! Decisions: each that code names has a page of its own number, code names each page, and the index
//! lists it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Findings, sources};

const DIRECTORY: &str = "docs/decisions";

const INDEX: &str = "docs/decisions/README.md";

/// How code names a decision; its number follows.
const NAME: &str = "ecision ";

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let pages = pages(root)?;
    let mut findings = same_number(&pages);
    findings.extend(unlisted(&sources::read(&root.join(INDEX))?, &pages));
    let mut in_code = BTreeSet::new();
    for file in sources::with_extension(root, &["rs", "toml"])? {
        if file.ends_with("tidy/decisions.rs") {
            continue;
        }
        let text = sources::read(&file)?;
        for (at, line) in text.lines().enumerate() {
            for number in named(line) {
                in_code.insert(number.to_owned());
                if !pages.iter().any(|page| number_of(page) == number) {
                    findings.push(format!(
                        "{}:{}: decision {number} has no page; name one of {DIRECTORY} by four digits",
                        file.display(),
                        at + 1
                    ));
                }
            }
        }
    }
    for page in &pages {
        let number = number_of(page);
        if !in_code.contains(number) {
            findings.push(format!(
                "{DIRECTORY}/{page}: no code names it; write `see decision {number}` at the code that \
                 obeys it"
            ));
        }
    }
    Ok(findings)
}

/// The file names of the pages, which begin with their numbers.
fn pages(root: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("cannot read {DIRECTORY}: {error}");
    let mut pages = Vec::new();
    for entry in fs::read_dir(root.join(DIRECTORY)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.contains('-') {
            pages.push(name.into_owned());
        }
    }
    pages.sort();
    Ok(pages)
}

/// The number of a page, as code names it.
fn number_of(page: &str) -> &str {
    page.split_once('-').map_or(page, |(number, _)| number)
}

/// The pages that have the number of another one; the pages are sorted.
fn same_number(pages: &[String]) -> Findings {
    let pairs = pages.iter().zip(pages.iter().skip(1));
    let same = pairs.filter(|(page, next)| number_of(page) == number_of(next));
    same.map(|(page, next)| {
        format!("{DIRECTORY}/{next}: {page} has this number; take the next one that is free")
    })
    .collect()
}

/// The pages that a topic of the index, or the table of that topic, lacks.
fn unlisted(index: &str, pages: &[String]) -> Findings {
    let lacks = |page: &&String| {
        let short = number_of(page).trim_start_matches('0');
        let topic = format!("[{short}]({page})");
        let (row, link) = (format!("| {short} | ["), format!("]({page})"));
        let has_row = |line: &str| line.starts_with(&row) && line.contains(&link);
        !index.contains(&topic) || !index.lines().any(has_row)
    };
    let lacking = pages.iter().filter(lacks);
    lacking
        .map(|page| {
            format!(
                "{DIRECTORY}/{page}: {INDEX} does not list it; add it to a topic and to the table of \
                 that topic"
            )
        })
        .collect()
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

    #[test]
    fn of_two_pages_with_one_number_the_second_is_found() {
        let pages = ["0001-a.md", "0002-b.md", "0002-c.md", "0003-d.md"].map(str::to_owned);
        let found = same_number(&pages);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("docs/decisions/0002-c.md: 0002-b.md has this number"));
    }

    #[test]
    fn the_index_lists_a_page_under_its_topic_and_in_the_table_of_that_topic() {
        let pages = ["0008-retries.md".to_owned()];
        let topic = "| [Refreshing](#refreshing) | [8](0008-retries.md) |\n";
        let row = "| 8 | [Retries are bounded](0008-retries.md) |  |\n";
        let other = "| 9 | [A margin](0009-margin.md) | extends [8](0008-retries.md): waits |\n";
        assert!(unlisted(&[topic, row].concat(), &pages).is_empty());
        for index in [topic, row, &[topic, other].concat()] {
            assert_eq!(unlisted(index, &pages).len(), 1, "{index}");
        }
    }
}
