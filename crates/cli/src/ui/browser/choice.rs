//! Which of the programs that `BROWSER` names can show a sign-in page.

use std::path::Path;

use super::words::{programs, words};

/// Those that fight for the terminal and run none of the scripts of a sign-in page, and what is
/// no browser at all.
const TEXT_BROWSERS: [&str; 13] = [
    "browsh",
    "carbonyl",
    "curl",
    "elinks",
    "eww",
    "links",
    "links2",
    "lynx",
    "netrik",
    "retawq",
    "w3m",
    "wget",
    "www-browser",
];

/// Whether `BROWSER` names nothing that could show such a page.
pub(super) fn are_text_browsers(wanted: &str) -> bool {
    let programs = programs(wanted, is_file);
    programs.iter().all(|program| is_text_browser(program))
}

pub(super) fn is_text_browser(program: &str) -> bool {
    let words = words(program, is_file);
    let first = words.first().map(String::as_str).unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default();
    TEXT_BROWSERS.contains(&name)
}

pub(super) fn is_file(path: &str) -> bool {
    Path::new(path).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_browser_is_known_wherever_it_stands() {
        for wanted in [
            "w3m",
            "/usr/bin/lynx -nopause",
            "netrik:w3m %s",
            "'/opt/a b/w3m'",
        ] {
            assert!(are_text_browsers(wanted), "{wanted}");
        }
        for wanted in ["firefox", "w3m:firefox", "/opt/links-of-mine/open"] {
            assert!(!are_text_browsers(wanted), "{wanted}");
        }
    }
}
