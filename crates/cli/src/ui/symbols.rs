//! Symbols that the locale can show.

use console::Term;

use crate::system::env;

/// What stands before advice.
pub(crate) fn arrow() -> &'static str {
    let is_plain = Term::stderr().is_term() && !speaks_utf8();
    if is_plain { "->" } else { "→" }
}

/// By the variables that POSIX names, the strongest first.
pub(super) fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env::text(name).ok().flatten());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8")
}
