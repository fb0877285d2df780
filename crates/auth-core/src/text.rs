//! What a server says, made fit for a terminal, a log and an error.

use crate::secret::Secret;

/// Text of a server or a file on one line, without what steers a terminal: control characters,
/// marks that turn the direction of text, spaces without width.
///
/// RFC 6749 section 5.2 allows only printable ASCII in `error_description`; servers send
/// more, so letters of other scripts stay.
#[must_use]
pub fn printable(text: &str) -> String {
    visible(text).collect()
}

/// The same, cut to `limit` characters and with the given secrets hidden.
pub(crate) fn clean(text: &str, limit: usize, secrets: &[Secret]) -> String {
    let mut text = printable(text);
    for secret in secrets.iter().filter(|secret| secret.expose().len() >= 4) {
        text = redacted(&text, secret.expose());
    }
    let mut out = String::with_capacity(text.len().min(limit * 4));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out
}

/// Takes a secret out, in whatever case of letters it is repeated.
fn redacted(text: &str, secret: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    while let Some(at) = lower[rest..].find(&wanted) {
        out.push_str(&text[rest..rest + at]);
        out.push_str("[redacted]");
        rest += at + wanted.len();
    }
    out.push_str(&text[rest..]);
    out
}

fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter_map(|c| match c {
        '\t' | '\n' | '\r' => Some(' '),
        c if c.is_control() || is_invisible(c) => None,
        c => Some(c),
    })
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_goes_and_letters_stay() {
        assert_eq!(
            clean("\u{1b}[31mred\u{7}\r\nüber 错误\u{202e}x", 80, &[]),
            "[31mred  über 错误x"
        );
    }

    #[test]
    fn long_text_is_cut_and_secrets_are_hidden() {
        assert_eq!(clean("abcdef", 3, &[]), "abc…");
        let secret = Secret::from("made-up-token");
        assert_eq!(
            clean("token made-up-token and MADE-\u{7}UP-token", 80, &[secret]),
            "token [redacted] and [redacted]"
        );
    }
}
