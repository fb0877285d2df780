//! Checks of text from files and variables: tokens, words, names.

use llm_auth_core::{OAuthToken, printable};

/// More than any provider's token, and less than a system allows one variable.
const LONGEST_TOKEN: usize = 64 * 1024;

/// More than any id, project or name.
const LONGEST_NAME: usize = 256;

/// What speaks against a token that goes into a header; RFC 6750 section 2.1 allows less still.
pub(crate) fn not_a_token(text: &str) -> Option<&'static str> {
    if text.len() > LONGEST_TOKEN {
        Some("is too long for a token")
    } else if !text.chars().all(|c| c.is_ascii_graphic()) {
        Some("contains characters that are not valid in a token")
    } else {
        None
    }
}

/// What speaks against an id, a secret or a project, which go into headers and forms.
pub(crate) fn not_a_word(text: &str) -> Option<&'static str> {
    if text.len() > LONGEST_NAME {
        Some("is too long")
    } else if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        Some("must consist of ASCII letters, digits and symbols")
    } else {
        None
    }
}

/// Reads a flag's port.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse();
    port.map_err(|_not_one| "a port is a number from 0 to 65535".to_owned())
}

/// Reads a flag's text that goes into a request.
pub(crate) fn printable_only(text: &str) -> Result<String, String> {
    match printable(text) == text {
        true => Ok(text.to_owned()),
        false => Err("it contains line breaks, control characters or invisible characters".into()),
    }
}

/// What speaks against the name of an account.
pub(crate) fn not_a_name(text: &str) -> Option<&'static str> {
    if text.chars().count() > LONGEST_NAME {
        Some("is too long")
    } else if printable(text) != text {
        Some("contains line breaks, control characters or invisible characters")
    } else {
        None
    }
}

/// What speaks against a session that stands in a file of another program.
pub(crate) fn not_a_session(session: &OAuthToken) -> Option<String> {
    let refresh = session.refresh.as_ref();
    let secret = session.metadata.client_secret.as_ref();
    let tokens = [
        ("access token", Some(&session.access)),
        ("refresh token", refresh),
        ("client secret", secret),
    ];
    let mut tokens = tokens.iter().filter_map(|(name, token)| {
        let why = not_a_token(token.as_ref()?.expose())?;
        Some(format!("its {name} {why}"))
    });
    let mut metadata = session
        .metadata
        .provider_data
        .iter()
        .filter_map(|(name, value)| {
            let why = not_a_word(name).or_else(|| not_a_word(value))?;
            Some(format!("a value in its client metadata {why}"))
        });
    tokens.next().or_else(|| metadata.next())
}

/// The most that is shown of a text that a file or a server holds.
const MOST_SHOWN: usize = 500;

/// Text of a file or a server as a user and a program see it: printable, and not endless.
pub(crate) fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
