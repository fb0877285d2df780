//! A text with the escapes of one syntax taken out.

/// Lists of bytes as programs print them, decimal or with `0x`: `[113, 119]`. Characters replace
/// all numbers, with nothing between those of one list.
pub(super) fn from_numbers(text: &str) -> String {
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

pub(super) fn percent_decoded(text: &str) -> String {
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
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        match escape(behind) {
            Some((c, length)) => {
                out.push(c);
                rest = &behind[length..];
            }
            // The next character stands for itself, or is white space that is dropped anyway.
            None => rest = behind,
        }
    }
    out.push_str(rest);
    out
}

/// The character of an escape without its backslash, and the length of the escape.
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
pub(super) fn without_entities(text: &str) -> String {
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

/// A numeric reference without the semicolon, as browsers accept it.
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
