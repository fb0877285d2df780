//! The pages that the user sees in the browser.

mod words;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

pub(super) use self::words::Language;
use crate::error::{Error, ErrorKind};

/// The pages. None of them repeats any part of the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Page {
    Denied,
    Done,
    Failed,
    Nothing,
}

const STYLE: &str = include_str!("page/page.css");

/// Removes the code from the address bar and the history (RFC 9700 section 4.2).
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

/// Only this style and this script run, and nothing is loaded.
pub(super) static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

impl Page {
    pub(super) fn for_error(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Denied => Self::Denied,
            _ => Self::Failed,
        }
    }

    pub(super) fn html(self, language: Language) -> String {
        let words = language.words(self);
        let (class, drawing, role) = match self {
            Self::Denied => ("denied", "M9 16h14", "status"),
            Self::Done => ("done", "M9.5 16.5l4.5 4.5 8.5-9", "status"),
            Self::Failed => ("failed", "M11 11l10 10M21 11L11 21", "alert"),
            Self::Nothing => ("nothing", "M16 9v9M16 22.5v.1", "status"),
        };
        format!(
            "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <title>{title} - llm-auth</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n\
             <script>{SCRIPT}</script>\n</head>\n<body class=\"{class}\">\n<main>\n\
             <svg viewBox=\"0 0 32 32\" aria-hidden=\"true\"><circle cx=\"16\" cy=\"16\" r=\"15\"/>\
             <path d=\"{drawing}\"/></svg>\n\
             <div role=\"{role}\">\n<h1>{title}</h1>\n<p>{text}</p>\n</div>\n\
             <footer>{footer}</footer>\n</main>\n</body>\n</html>\n",
            tag = language.tag(),
            title = words.title,
            text = words.text,
            footer = words.footer,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [Page; 4] = [Page::Denied, Page::Done, Page::Failed, Page::Nothing];
    const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

    #[test]
    fn a_page_requests_nothing_from_any_server() {
        for (page, language) in PAGES.iter().flat_map(|page| LANGUAGES.map(|l| (page, l))) {
            let html = page.html(language);
            for foreign in ["http:", "https:", "//", "url(", "@import", "src="] {
                assert!(!html.contains(foreign), "{foreign} in {html}");
            }
            assert_eq!(html.matches("<h1>").count(), 1);
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        }
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_of_the_page_and_no_others() {
        let html = Page::Done.html(Language::English);
        for (before, after) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let inside = html
                .split(before)
                .nth(1)
                .unwrap()
                .split(after)
                .next()
                .unwrap();
            let hash = STANDARD.encode(Sha256::digest(inside.as_bytes()));
            assert!(SECURITY_POLICY.contains(&format!("'sha256-{hash}'")));
        }
        assert!(!SECURITY_POLICY.contains("unsafe"));
    }
}
