//! No file of code is too long to be read at once.

use std::path::Path;

use super::{Findings, sources};

/// Lines of code in one file: neither blank nor a comment.
const MOST: usize = 400;

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut findings = Findings::new();
    for file in sources::with_extension(root, &["rs"])? {
        let lines = code_lines(&sources::read(&file)?);
        if lines > MOST {
            findings.push(format!(
                "{}: {lines} lines of code; split it, {MOST} are the most",
                file.display()
            ));
        }
    }
    Ok(findings)
}

fn code_lines(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_and_comments_do_not_count() {
        assert_eq!(code_lines("//! Docs.\n\nfn a() {}\n    // Why.\n"), 1);
    }
}
