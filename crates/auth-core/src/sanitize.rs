//! Server text, made fit for a terminal, a log and an error.

use crate::echo::repeats;
use crate::secret::Secret;

/// The longest foreign text that is shown.
const LONGEST: usize = 4_000;

/// The placeholder for text that is not shown.
const WITHHELD: &str = "[not shown: it repeats a secret]";

/// Text of a server or a file on one line, without characters that control a terminal (control
/// characters, direction marks) or are invisible (soft hyphens, fillers, zero-width spaces), and at
/// most 4,000 characters of it.
///
/// RFC 6749 section 5.2 allows only printable ASCII in `error_description`; servers send
/// more, so letters of other scripts stay.
///
/// # Examples
///
/// ```
/// use llm_auth_core::printable;
///
/// assert_eq!(printable("expired\u{1b}[2J"), "expired[2J");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    cut(visible(text), LONGEST)
}

/// The same, cut to `limit` characters. Text that repeats one of the secrets, in any encoding or
/// part, is not shown at all.
pub(crate) fn clean(text: &str, limit: usize, secrets: &[Secret]) -> String {
    shown(text, limit, secrets).unwrap_or_else(|| WITHHELD.to_owned())
}

/// As [`clean`]; `None` for text that repeats a secret.
pub(crate) fn shown(text: &str, limit: usize, secrets: &[Secret]) -> Option<String> {
    let mut out = cut(visible(text), limit);
    out.truncate(out.trim_end().len());
    Some(out).filter(|out| !repeats(out, secrets))
}

/// `*VSCHAR` of RFC 6749 appendix A: nothing that could end a header or steer a terminal.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Whether a text may be the value of an HTTP header as it is (RFC 9110 section 5.5), in ASCII:
/// no line break, no other control character, no space at an end.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::is_header_value;
///
/// assert!(is_header_value("my-project"));
/// assert!(!is_header_value("my-project\r\nhost: other.example"));
/// ```
#[must_use]
pub fn is_header_value(text: &str) -> bool {
    text.trim() == text && is_printable_ascii(text)
}

/// Whether a text may be the token of an `Authorization: Bearer` header: visible ASCII, in one word.
///
/// RFC 6749 appendix A.12 allows spaces in an access token (`1*VSCHAR`), and RFC 6750 section 2.1
/// allows none in the header (`b64token`), where one would end the token. The symbols that only the
/// second forbids are in the tokens of some servers, and end nothing.
pub(crate) fn is_bearer_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn cut(text: impl Iterator<Item = char>, limit: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// Without characters that control a terminal or are invisible.
pub(crate) fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter_map(|c| match c {
        '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() || is_invisible(c) => None,
        c => Some(c),
    })
}

/// Format characters and fillers of Unicode that are invisible: two texts that differ only in them
/// look the same.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
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
        for echo in [
            "token made-up-token",
            "MADE-\u{7}UP-\u{ad}token",
            "made-up-%74oken",
        ] {
            let secrets = std::slice::from_ref(&secret);
            assert_eq!(clean(echo, 80, secrets), WITHHELD);
            assert_eq!(shown(echo, 80, secrets), None);
        }
        let cut = clean("no made-up-token", 9, &[secret]);
        assert_eq!(cut, "no made-u…", "less than a run of it");
    }

    #[test]
    fn what_cannot_be_seen_goes() {
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200f}',
            '\u{202a}',
            '\u{2060}',
            '\u{2066}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e01ef}',
            '\u{0}',
            '\u{7f}',
            '\u{9b}',
        ] {
            assert_eq!(printable(&format!("a{c}b")), "ab", "{:x}", u32::from(c));
        }
        for c in ['\n', '\r', '\t', '\u{85}', '\u{2028}', '\u{2029}'] {
            assert_eq!(printable(&format!("a{c}b")), "a b");
        }
        let long = printable(&"ü".repeat(900_000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_bearer_token_is_one_word_of_visible_ascii() {
        for good in ["a", "made-up.token_~+/=", "1|a:b,c%$"] {
            assert!(is_bearer_token(good), "{good}");
        }
        for bad in ["a b", " a", "a ", "a\n", "a\tb", "\0", "\u{7f}", "\u{fc}"] {
            assert!(!is_bearer_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_header_value_is_printable_ascii_without_space_at_its_ends() {
        for good in ["", "a", "made-up token~", "{}"] {
            assert!(is_header_value(good), "{good}");
        }
        for bad in [
            "a\n",
            "a\r\nX: y",
            "\0",
            "a\tb",
            " a",
            "a ",
            "ü",
            "a\u{ad}b",
            "\u{7f}",
        ] {
            assert!(!is_header_value(bad), "{bad:?}");
        }
    }
}
