//! Whether a server's text repeats a secret of a request, in any form: percent-encoded, escaped for
//! JSON or HTML, in base64 or hexadecimal, in another letter case, in part.
//!
//! See decision 0035.

mod decode;
mod encode;

use std::collections::HashSet;

use zeroize::Zeroizing;

use self::decode::{from_numbers, percent_decoded, unescaped, without_entities};
use self::encode::{needles, parts};
use crate::sanitize::visible;
use crate::secret::Secret;

/// The shortest piece of a secret that must not be shown: too long to match by chance, too short to
/// be of use.
const RUN: usize = 8;

/// The longest secret that is looked for. A longer one takes seconds, and no text is shown beside it.
const LONGEST: usize = 32 * 1024;

/// How many readings of a text are tried; each takes some escapes out.
const VIEWS: usize = 32;

/// Whether a text has a run of 8 characters in common with a secret, or the whole of a shorter
/// secret. Call it with the text that is about to be shown, already cut.
pub(crate) fn repeats(text: &str, secrets: &[Secret]) -> bool {
    if text.is_empty() || secrets.is_empty() {
        return false;
    }
    if secrets.iter().any(|secret| secret.expose().len() > LONGEST) {
        return true;
    }
    let seen: Vec<[String; FORMS]> = views(text).iter().map(|view| forms(view)).collect();
    let runs: Vec<[HashSet<&[u8]>; FORMS]> = seen
        .iter()
        .map(|forms| std::array::from_fn(|at| forms[at].as_bytes().windows(RUN).collect()))
        .collect();
    secrets.iter().any(|secret| {
        let secret = secret.expose();
        let is_short = secret.chars().count() < RUN;
        let parts = parts(secret);
        let has_words = |wanted: &str| seen.iter().any(|forms| has_word(&forms[0], wanted));
        if parts.iter().any(|part| has_words(part)) {
            return true;
        }
        match secret.len() {
            0 | 1 => return false,
            2 | 3 => return has_words(&secret.to_ascii_lowercase()),
            _ => {}
        }
        needles(secret).iter().any(|needle| {
            let needle = forms(needle).map(Zeroizing::new);
            seen.iter().zip(&runs).any(|(seen, runs)| {
                (0..FORMS).any(|at| {
                    let needle = needle[at].as_bytes();
                    if at == BARE {
                        // Run-together words match by chance: "refresh token".
                        let is_odd = |run: &&[u8]| run.iter().any(u8::is_ascii_digit);
                        let mut odd = needle.windows(RUN).filter(is_odd);
                        odd.any(|run| runs[at].contains(run))
                    } else if is_short || needle.len() < RUN {
                        needle.len() >= 4 && holds(seen[at].as_bytes(), needle)
                    } else {
                        needle.windows(RUN).any(|run| runs[at].contains(run))
                    }
                })
            })
        })
    })
}

/// The text as it is and with escapes taken out, repeatedly: a server may escape twice.
fn views(text: &str) -> Vec<String> {
    let mut views = vec![text.to_owned()];
    let mut at = 0;
    while at < views.len() && views.len() < VIEWS {
        for read in [percent_decoded, unescaped, without_entities, from_numbers] {
            let view: String = visible(&read(&views[at])).collect();
            if !views.contains(&view) {
                views.push(view);
            }
        }
        at += 1;
    }
    views
}

/// The number of forms.
const FORMS: usize = 4;

/// The form that has no separators.
const BARE: usize = 3;

/// The forms that are compared: with a plus for the space of a form, with base64url as base64,
/// without white space, and with letters and digits alone. All are in lower case.
fn forms(text: &str) -> [String; FORMS] {
    let lower = text.to_ascii_lowercase();
    [
        lower.replace(' ', "+"),
        lower.replace('-', "+").replace('_', "/"),
        lower.split_whitespace().collect(),
        lower.chars().filter(char::is_ascii_alphanumeric).collect(),
    ]
}

/// Whether a word stands in a text, with nothing of a word before or behind it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        [before, behind]
            .iter()
            .flatten()
            .all(|c| !c.is_alphanumeric())
    })
}

fn holds(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::encode::{hexadecimal, inner_base32, percent_encoded};
    use super::*;

    const SECRET: &str = "mAdE+uP/t0k=n&x \"Zq7~w-_9";

    fn seen(text: &str) -> bool {
        repeats(text, &[Secret::from(SECRET)])
    }

    fn all_percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        let form = format!("grant_type=x&refresh_token={}", percent_encoded(SECRET));
        let json = SECRET.replace('"', "\\\"").replace('/', "\\/");
        let unicode: String = SECRET
            .chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect();
        let entities: String = SECRET
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect();
        for echo in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            SECRET.to_lowercase(),
            percent_encoded(SECRET),
            percent_encoded(SECRET).replace("%20", "+"),
            all_percent(SECRET),
            all_percent(&all_percent(SECRET)),
            form.clone(),
            json.clone(),
            percent_encoded(&json),
            unicode,
            entities,
            SECRET.replace('&', "&amp;").replace('"', "&quot;"),
            STANDARD_NO_PAD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            STANDARD_NO_PAD.encode(&form),
            STANDARD_NO_PAD.encode(format!("a{form}")),
            URL_SAFE_NO_PAD.encode(format!("ab{form}")),
            percent_encoded(&STANDARD_NO_PAD.encode(&form)),
            hexadecimal(SECRET).to_uppercase(),
            SECRET[5..13].to_owned(),
            STANDARD_NO_PAD.encode(&SECRET[4..]),
            "mA dE+ uP/t 0k=".to_owned(),
            "mAdE%0A+uP/t0k%0D%0A=n".to_owned(),
        ] {
            assert!(seen(&format!("no {echo} here")), "{echo}");
        }
    }

    #[test]
    fn a_secret_is_found_between_separators_in_lists_and_in_rarer_encodings() {
        let secret = [Secret::from("qw9Z8y7X6w-5v4U3t2S")];
        let bytes = b"qw9Z8y7X6w-5v4U3t2S";
        let joined = |separator: &str, each: fn(&u8) -> String| {
            bytes.iter().map(each).collect::<Vec<_>>().join(separator)
        };
        let hex = hexadecimal("qw9Z8y7X6w-5v4U3t2S");
        for echo in [
            "9z8y-7x6w-5v4u".to_owned(),
            "q.w.9.Z.8.y.7.X.6.w".to_owned(),
            "qw9Z/8y7X/6w5v".to_owned(),
            joined(":", |byte| format!("{byte:02x}")),
            joined("-", |byte| format!("{byte:02X}")),
            joined(", ", |byte| format!("0x{byte:02x}")),
            format!("[{}]", joined(", ", |byte| byte.to_string())),
            joined(" ", |byte| byte.to_string()),
            joined("", |byte| format!("\\{byte:03o}")),
            joined("", |byte| format!("\\u{{{byte:x}}}")),
            joined("", |byte| format!("\\U{byte:08x}")),
            joined("", |byte| format!("&#{byte}")),
            joined("", |byte| format!("&#x{byte:x}")),
            inner_base32("qw9Z8y7X6w-5v4U3t2S", 0),
            inner_base32("abqw9Z8y7X6w-5v4U3t2S", 0).to_uppercase(),
            STANDARD_NO_PAD.encode(&hex),
            STANDARD_NO_PAD.encode(format!("a{hex}")),
            hexadecimal(&hex),
        ] {
            assert!(repeats(&format!("no {echo} here"), &secret), "{echo}");
        }
        assert_eq!(inner_base32("foobar", 0), "mzxw6ytbo");
        assert!(!repeats("on 2026-11-26 at 10:42:07, 3 of 12", &secret));
    }

    #[test]
    fn a_part_that_is_split_off_at_a_special_character_is_found() {
        let secret = [Secret::from("ab12+cd34&Ef56gh=zz")];
        for echo in ["unknown parameter ef56GH", "(cd34)", "ab12"] {
            assert!(repeats(echo, &secret), "{echo}");
        }
        assert!(!repeats("xcd345 zz", &secret));
    }

    #[test]
    fn short_secrets_are_matched_whole() {
        let secret = [Secret::from("Ab1+x")];
        assert!(repeats("no ab1+X here", &secret));
        assert!(repeats("no ab1%2bx here", &secret));
        assert!(!repeats("no ab1 here", &secret));
        let tiny = [Secret::from("r1")];
        assert!(repeats("no r1.", &tiny));
        assert!(!repeats("no r12, error1", &tiny));
    }

    proptest! {
        #[test]
        fn any_run_of_any_secret_is_found_in_any_text(
            before in ".{0,40}",
            secret in "[ -~]{8,60}",
            from in 0_usize..60,
            behind in "[%&\\\\u0-9a-f;#x]{0,20}",
        ) {
            let from = from % (secret.len() - 7);
            let run = &secret[from..from + 8];
            let secrets = [Secret::from(secret.as_str())];
            for echo in [run.to_owned(), percent_encoded(run), all_percent(run)] {
                // A space, because the end of an escape could swallow the first character.
                prop_assert!(repeats(&format!("{before} {echo}{behind}"), &secrets), "{}", echo);
            }
            let _: bool = repeats(&behind, &secrets);
        }
    }

    #[test]
    fn harmless_words_are_shown() {
        for (text, secret) in [
            (
                "Invalid refresh token or client_id",
                "made-up-refresh-token",
            ),
            ("Token has been expired or revoked.", "1//0made-up-token"),
            ("invalid_grant", "mmort_made-up_grant"),
            ("Bad Request", "r"),
            ("anything", ""),
        ] {
            assert!(!repeats(text, &[Secret::from(secret)]), "{text}");
        }
        assert!(!repeats("anything at all", &[]));
        for odd in [
            "%", "%4", "%zz", "\\", "\\u00", "\\u00zz", "&", "&#;", "&#x;", "ü%C3",
        ] {
            assert!(!seen(odd), "{odd}");
        }
    }
}
