//! What the person sees in the browser.

use crate::error::{Error, ErrorKind};

/// The pages; none of them repeats anything that came with the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Page {
    Denied,
    Done,
    Failed,
    Nothing,
}

/// The style and the script are the only ones that run; nothing is loaded from anywhere.
pub(super) const SECURITY_POLICY: &str = "default-src 'none'; style-src 'nonce-llm-auth'; script-src 'nonce-llm-auth'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Page {
    pub(super) fn for_error(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Denied => Self::Denied,
            _ => Self::Failed,
        }
    }

    pub(super) fn html(self) -> String {
        let (title, text) = match self {
            Self::Denied => ("Not signed in", "You refused. You can close this window."),
            Self::Done => (
                "Approved",
                "You can close this window and go back to your program: it says when all is stored.",
            ),
            Self::Failed => (
                "Something went wrong",
                "Go back to your program: it says what happened.",
            ),
            Self::Nothing => ("Nothing here", "This address waits for a sign-in only."),
        };
        // The script takes the code out of the address bar and the history (RFC 9700 section 4.2).
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\
             <style nonce=\"llm-auth\">:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style>\
             <script nonce=\"llm-auth\">history.replaceState(null,'',location.pathname)</script></head>\
             <body><main><h1>{title}</h1><p>{text}</p></main></body></html>"
        )
    }
}
