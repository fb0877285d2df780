//! Whether a server's text repeats a secret of ours, in whatever form it was taken out of the
//! request: percent-encoded, escaped for JSON or HTML, in base64 or hexadecimal, in another case
//! of letters, in part.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::sanitize::visible;
use crate::secret::Secret;

/// The length of a piece of a secret that is not to be seen: more than chance, less than use.
const RUN: usize = 8;

/// How many ways to read a text are tried; each takes some escapes out.
const VIEWS: usize = 32;

/// Whether a text has a run of 8 characters in common with a secret, or the whole of a shorter
/// one. To be asked of what is about to be shown, already cut.
pub(crate) fn repeats(text: &str, secrets: &[Secret]) -> bool {
    if text.is_empty() || secrets.is_empty() {
        return false;
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
                        // Words that run together meet by chance: "refresh token".
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

/// The text as it is and with escapes taken out, again and again: a server may escape twice.
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

/// How many ways to compare there are.
const FORMS: usize = 4;

/// The one of them that has no separators.
const BARE: usize = 3;

/// The ways to compare: with a plus for the space of a form, with base64url as base64, without
/// white space, and with letters and digits alone. In lower case all.
fn forms(text: &str) -> [String; FORMS] {
    let lower = text.to_ascii_lowercase();
    [
        lower.replace(' ', "+"),
        lower.replace('-', "+").replace('_', "/"),
        lower.split_whitespace().collect(),
        lower.chars().filter(char::is_ascii_alphanumeric).collect(),
    ]
}

/// What a secret looks like in a text without escapes.
fn needles(secret: &str) -> Vec<Zeroizing<String>> {
    let encoded = Zeroizing::new(percent_encoded(secret));
    let mut needles = vec![Zeroizing::new(secret.to_owned())];
    for base in [secret, encoded.as_str()] {
        let hex = Zeroizing::new(hexadecimal(base));
        needles.push(Zeroizing::new(hexadecimal(&hex)));
        for before in 0..3 {
            needles.push(Zeroizing::new(inner_base64(&hex, before)));
        }
        needles.push(hex);
        for before in 0..5 {
            needles.push(Zeroizing::new(inner_base32(base, before)));
        }
        for before in 0..3 {
            needles.push(Zeroizing::new(inner_base64(base, before)));
        }
        if *encoded == secret {
            break;
        }
    }
    needles
}

/// The pieces that a server sees which splits an unescaped form at the secret's own special
/// characters, where they are too short for a run.
fn parts(secret: &str) -> Vec<String> {
    let special = |c: char| !(c.is_ascii_alphanumeric() || "-._~".contains(c));
    if !secret.contains(special) {
        return Vec::new();
    }
    secret
        .split(special)
        .filter(|part| (4..RUN).contains(&part.len()))
        .map(str::to_ascii_lowercase)
        .collect()
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

/// What is the same in the base64 of every text that has `base` behind so many bytes, modulo 3.
fn inner_base64(base: &str, before: usize) -> String {
    let bytes = Zeroizing::new([&[0; 3][..before], base.as_bytes()].concat());
    let whole = Zeroizing::new(STANDARD_NO_PAD.encode(bytes.as_slice()));
    let from = [0, 2, 3][before].min(whole.len());
    let to = whole.len() - usize::from(bytes.len() % 3 != 0);
    whole[from..to.max(from)].to_owned()
}

/// The same for base32 (RFC 4648 section 6), whose groups have 5 bytes.
fn inner_base32(base: &str, before: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = Zeroizing::new(
        std::iter::repeat_n(0, before)
            .chain(base.bytes())
            .flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1)))
            .collect::<Vec<_>>(),
    );
    let (groups, _cut) = bits.as_chunks::<5>();
    let letters = groups.iter().skip((before * 8).div_ceil(5));
    letters
        .map(|group| group.iter().fold(0, |number, bit| number * 2 + bit))
        .map(|number| char::from(LETTERS[number]))
        .collect()
}

/// Lists of bytes as programs print them, decimal or with `0x`: `[113, 119]`. Characters stand in
/// the place of all numbers, and nothing is left between those of one list.
fn from_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_behind_number = false;
    let is_between = |c: char| !c.is_alphanumeric();
    for word in text.split(is_between).filter(|word| !word.is_empty()) {
        let number = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        let is_number = number.is_some_and(|number| (0x20..0x7f).contains(&number));
        if !(out.is_empty() || is_number && is_behind_number) {
            out.push(' ');
        }
        match number.filter(|_| is_number) {
            Some(number) => out.push(char::from(number)),
            None => out.push_str(word),
        }
        is_behind_number = is_number;
    }
    out
}

fn hexadecimal(base: &str) -> String {
    base.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02x}")
            }
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let coded = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(coded.unwrap_or(bytes[at]));
        at += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Without the escapes of JSON, JavaScript, Rust and C: `\/`, `\u002b`, `\u{2b}`, `\x2b`, `\053`.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        match escape(behind) {
            Some((c, length)) => {
                out.push(c);
                rest = &behind[length..];
            }
            // The character behind it stands for itself, or is white space that goes anyway.
            None => rest = behind,
        }
    }
    out.push_str(rest);
    out
}

/// The character of an escape without its backslash, and how long that is.
fn escape(text: &str) -> Option<(char, usize)> {
    let number = |digits: &str, radix| {
        let number = u32::from_str_radix(digits, radix).ok()?;
        char::from_u32(number)
    };
    if let Some(braced) = text.strip_prefix("u{").or_else(|| text.strip_prefix("x{")) {
        let end = braced.find('}').filter(|end| *end <= 8)?;
        return Some((number(&braced[..end], 16)?, end + 3));
    }
    match text.chars().next()? {
        'u' => Some((number(text.get(1..5)?, 16)?, 5)),
        'U' => Some((number(text.get(1..9)?, 16)?, 9)),
        'x' => Some((number(text.get(1..3)?, 16)?, 3)),
        '0'..='7' => {
            let length = text
                .bytes()
                .take(3)
                .take_while(|digit| (b'0'..=b'7').contains(digit))
                .count();
            Some((number(&text[..length], 8)?, length))
        }
        _ => None,
    }
}

/// Without the character references of HTML.
fn without_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        let found = behind
            .split_once(';')
            .and_then(|(name, tail)| Some((entity(name)?, tail)))
            .or_else(|| unended(behind));
        rest = match found {
            Some((c, tail)) => {
                out.push(c);
                tail
            }
            None => {
                out.push('&');
                behind
            }
        };
    }
    out.push_str(rest);
    out
}

/// A number without the semicolon, as browsers take it.
fn unended(text: &str) -> Option<(char, &str)> {
    let number = text.strip_prefix('#')?;
    let start = usize::from(number.starts_with(['x', 'X']));
    let is_digit = |c: char| c.is_digit(if start == 1 { 16 } else { 10 });
    let digits = &number[start..];
    let end = digits.find(|c| !is_digit(c)).unwrap_or(digits.len());
    let name = &text[..1 + start + end];
    Some((entity(name)?, &text[name.len()..]))
}

fn entity(name: &str) -> Option<char> {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        "plus" => return Some('+'),
        "sol" => return Some('/'),
        "equals" => return Some('='),
        _ => {}
    }
    let number = lower.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

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
                // A space, for the end of an escape could take the first character with it.
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
