//! The possible readings of a copied text, which may be broken over lines, quoted, or surrounded by
//! other words.
//!
//! See decision 0044.

use crate::secret::Secret;

/// The marks that a terminal puts around a pasted text.
const BRACKETS: [&str; 2] = ["\x1b[200~", "\x1b[201~"];
const MOST_READINGS: usize = 4;
pub(in crate::callback) const LOOPBACK: [&str; 3] = ["127.0.0.1:", "[::1]:", "localhost:"];
const PARAMETERS: [&str; 3] = ["code=", "state=", "error="];

/// The possible meanings of the text, the likeliest first: a line end may be in the middle of the
/// address or before a word that does not belong to it.
pub(in crate::callback) fn readings(text: &str) -> Vec<Secret> {
    let text = cleaned(text);
    let mut readings: Vec<Secret> = Vec::new();
    let mut add = |reading: &str| {
        let reading = Secret::from(with_scheme(reading));
        if !readings.contains(&reading) && readings.len() < MOST_READINGS {
            readings.push(reading);
        }
    };
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let has_start = |line: &str| start(line).is_some();
    let Some(first) = lines.iter().position(|line| has_start(line)) else {
        // A bare code may be broken too, but words are no code.
        let is_one = lines.iter().all(|line| !line.contains(char::is_whitespace));
        add(&if is_one {
            lines.concat()
        } else {
            lines.join(" ")
        });
        return readings;
    };
    for text in [joined(&lines[first..]), lines[first].to_owned()] {
        let text = start(&text).map_or(text.as_str(), |start| inside(&text, start));
        let Some((before, after)) = text.split_once(char::is_whitespace) else {
            add(text);
            continue;
        };
        let squeezed: String = text.split_whitespace().collect();
        // More parameters after a blank: the blank is in the middle.
        if after.contains('&') {
            add(&squeezed);
            add(before);
        } else {
            add(before);
            add(&squeezed);
        }
    }
    readings
}

/// Whether it begins with an address, and so does not continue another text.
pub(in crate::callback) fn begins_with_an_address(text: &str) -> bool {
    let text = cleaned(text);
    start(&text).is_some_and(|start| {
        let text = &text[start..];
        let address = text.split(['?', '&', '=']).next().unwrap_or_default();
        with_scheme(address).contains("://")
    })
}

/// Whether it looks like a part of an authorization response.
pub(in crate::callback) fn is_of_an_answer(text: &str) -> bool {
    start(&cleaned(text)).is_some()
}

/// Without the marks of terminals, browsers and mail programs.
fn cleaned(text: &str) -> String {
    let mut text = text.replace("&amp;", "&");
    text = text.replace("\r\n", "\n").replace('\r', "\n");
    for bracket in BRACKETS {
        text = text.replace(bracket, "");
    }
    let is_unseen = |c: char| {
        matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
    };
    text.retain(|c| !is_unseen(c) && (c == '\n' || c == '\t' || !c.is_control()));
    text.trim()
        .trim_matches(['"', '\'', '<', '>', '`'])
        .trim()
        .to_owned()
}

/// The first line and its continuation: lines of one word, and the first word of a longer line.
fn joined(lines: &[&str]) -> String {
    let mut whole = lines.first().copied().unwrap_or_default().to_owned();
    for line in lines.iter().skip(1) {
        let mut words = line.split_whitespace();
        whole.push_str(words.next().unwrap_or_default());
        if words.next().is_some() {
            break;
        }
    }
    whole
}

/// An address of this computer is the redirect URI, even if browsers omit parts of it.
fn with_scheme(text: &str) -> String {
    let is_of_scheme = |c: char| c.is_ascii_alphabetic() || ":/".contains(c);
    let hosts = LOOPBACK.iter().filter_map(|name| text.find(name));
    match hosts.min() {
        Some(at) if text[..at].chars().all(is_of_scheme) => format!("http://{}", &text[at..]),
        _ => text.to_owned(),
    }
}

/// Where the address or the parameters begin, after any other text.
fn start(text: &str) -> Option<usize> {
    address(text).or_else(|| parameter(text))
}

/// The last loopback address that is not a part of another address, otherwise the first address.
fn address(text: &str) -> Option<usize> {
    let at_host = LOOPBACK.iter().flat_map(|host| text.match_indices(host));
    let is_letter = |c: char| c.is_ascii_alphanumeric();
    // The beginning of its scheme may be missing, or on the previous line.
    let at_host = at_host.filter_map(|(at, _)| {
        let before = &text[..at];
        let scheme = before.trim_end_matches(['/', ':']);
        let start = match scheme.len() < at {
            true => scheme.trim_end_matches(is_letter),
            false => before,
        };
        let is_a_value = start.ends_with(['=', '@']) || start.ends_with("%2F");
        (!is_a_value).then_some(start.len())
    });
    let loopback = at_host.max();
    let end = text.find(['?', '&', '=']).unwrap_or(text.len());
    let scheme = text[..end].find("://");
    let scheme = scheme.map(|at| text[..at].trim_end_matches(is_letter).len());
    loopback.or(scheme)
}

/// The word that holds the first parameter.
fn parameter(text: &str) -> Option<usize> {
    let found = PARAMETERS.iter().flat_map(|name| text.match_indices(name));
    let found = found.filter(|(at, _)| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|c| "?&\"'<(`[:".contains(c) || c.is_whitespace())
    });
    let at = found.map(|(at, _)| at).min()?;
    let is_between = |c: char| c.is_whitespace() || "\"'<(`".contains(c);
    Some(text[..at].rfind(is_between).map_or(0, |before| {
        before + text[before..].chars().next().map_or(0, char::len_utf8)
    }))
}

/// From there to the end, or to the closing quote or bracket.
fn inside(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let closes = match text[..start].chars().next_back() {
        Some('\'') => '\'',
        Some('(') => ')',
        Some('[') => ']',
        _ => '"',
    };
    let end = rest.find(|c: char| c == closes || "\"<>`".contains(c));
    let rest = &rest[..end.unwrap_or(rest.len())];
    rest.trim_end_matches('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:4711/cb?state=s&code=4/abcdef&scope=x";

    fn all(text: &str) -> Vec<String> {
        let readings = readings(text);
        readings
            .iter()
            .map(|text| text.expose().to_owned())
            .collect()
    }

    #[test]
    fn an_address_is_found_between_any_other_text() {
        for text in [
            URL.to_owned(),
            format!("'{URL}'"),
            format!("<{URL}>"),
            format!("$ open \"{URL}\" now"),
            format!("Paste or wait: 4:59 left. Ctrl-C stops.{URL}"),
            format!("the page ({URL}) did not load"),
            format!("[page]({URL})"),
            format!("URL:{URL}"),
            format!("{URL} cannot be reached"),
            format!("http://127.0.0.1:4711/cb?state=s&co{URL}"),
            format!("\u{1b}[200~{URL}\u{1b}[201~"),
            format!("\u{feff}{URL}\u{200b}"),
            URL.replace('&', "&amp;"),
            format!("Unable to connect\n{URL}\n"),
        ] {
            assert_eq!(all(&text)[0], URL, "{text:?}");
        }
    }

    #[test]
    fn an_address_that_is_broken_anywhere_is_put_together() {
        for at in 1..URL.len() {
            for with in ["\n", "\r\n", "  \r\n   ", "\r", "\n\n"] {
                let broken = format!("{}{with}{}", &URL[..at], &URL[at..]);
                assert!(all(&broken).contains(&URL.to_owned()), "{broken:?}");
            }
        }
        let thrice = format!("{}\n{}\n{}\n", &URL[..20], &URL[20..45], &URL[45..]);
        assert_eq!(all(&thrice)[0], URL);
    }

    #[test]
    fn an_address_whose_scheme_is_cut_is_one_at_each_name_of_this_computer() {
        for host in LOOPBACK {
            let url = format!("http://{host}4711/cb?state=s&code=4/abcdef");
            for at in 0.."http://".len() {
                assert_eq!(all(&url[at..])[0], url, "{at}");
                assert!(begins_with_an_address(&url[at..]), "{at} {host}");
            }
        }
    }

    #[test]
    fn a_line_that_does_not_belong_to_it_leaves_a_reading_without_it() {
        let short = "http://127.0.0.1:4711/cb?state=s&code=4/abcdef";
        for tail in ["thanks", "user@host:~$", "two words"] {
            assert!(
                all(&format!("{short}\n{tail}")).contains(&short.to_owned()),
                "{tail}"
            );
        }
        assert_eq!(all(&format!("{short} thanks"))[0], short);
    }

    #[test]
    fn words_are_not_run_together_to_a_code() {
        assert_eq!(
            all("these are some words of text"),
            ["these are some words of text"]
        );
        assert_eq!(all("these are\nsome words"), ["these are some words"]);
        assert_eq!(all("4/made-up\n-code"), ["4/made-up-code"]);
    }
}
