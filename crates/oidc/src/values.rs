//! The values that a preset leaves to its user.

use std::collections::BTreeMap;

use crate::{Error, ErrorKind, Result, SecureUrl};

/// What a text that is nothing but a placeholder stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whole {
    Url,
    /// Any text; the caller checks it.
    Text,
}

/// Replaces each `{name}` of a text by its value.
///
/// A value is a piece of a URL, such as a host, a tenant or a realm; a text that is nothing but a
/// placeholder takes a whole one. So no value moves the rest of its URL to another server.
///
/// # Errors
///
/// [`ErrorKind::Config`] if a value is missing or is neither.
pub(crate) fn filled(
    text: &str,
    values: &BTreeMap<String, String>,
    takes: Whole,
) -> Result<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = placeholder(rest) {
        let value = values.get(name).filter(|value| !value.is_empty());
        let Some(value) = value else {
            return Err(config(format!("the preset requires a value for `{name}`")));
        };
        if before.is_empty() && after.is_empty() && whole.is_empty() {
            if takes == Whole::Text {
                return Ok(value.clone());
            }
            SecureUrl::new(value).map_err(|error| {
                config(format!("the value of `{name}` cannot be used")).with_source(error)
            })?;
        } else if !is_piece(value) {
            return Err(config(format!(
                "the value of `{name}` is not a host, a port or a word: use letters, digits and any \
                 of .-_:"
            )));
        }
        whole.push_str(before);
        whole.push_str(value);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

/// The first placeholder of a text, with what stands before and after it.
pub(crate) fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn is_piece(value: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    value.chars().all(is_plain) && !value.contains("..")
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, value: &str) -> Result<String> {
        filled(
            text,
            &BTreeMap::from([("host".to_owned(), value.to_owned())]),
            Whole::Url,
        )
    }

    #[test]
    fn a_value_fills_its_place_and_moves_nothing() {
        let text = "https://{host}/oauth";
        assert_eq!(
            fill(text, "a.example:8443").unwrap(),
            "https://a.example:8443/oauth"
        );
        for value in [
            "",
            "a.example/x",
            "a@b.example",
            "a.example?",
            "a.example#",
            "a b",
            "a\\b",
            "a..b",
        ] {
            assert!(fill(text, value).is_err(), "{value}");
        }
        assert_eq!(
            fill("{host}", "https://a.example/x").unwrap(),
            "https://a.example/x"
        );
        assert!(fill("{host}", "http://a.example").is_err());
        assert!(fill("https://{tenant}.example", "a").is_err());
        assert_eq!(
            fill("https://a.example", "unused").unwrap(),
            "https://a.example"
        );
    }
}
