//! JSON without copies of secrets in freed memory.
//!
//! A growing buffer leaves its old content behind, and so does the parser's scratch buffer, which
//! it uses for every string with an escape.
//!
//! See decision 0051.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

/// A buffer that wipes its old memory when it grows, and the rest on drop.
#[derive(Default)]
pub(crate) struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Reads a source to its end, or to one byte beyond `limit`; bytes before an error stay.
    pub(crate) fn fill_from(&mut self, source: impl Read, limit: u64) -> io::Result<()> {
        let mut source = source.take(limit.saturating_add(1));
        let mut part = Zeroizing::new([0; 4096]);
        loop {
            match source.read(&mut *part) {
                Ok(0) => return Ok(()),
                Ok(length) => self.push(&part[..length]),
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(source),
            }
        }
    }

    pub(crate) fn push(&mut self, part: &[u8]) {
        append(&mut self.0, part);
    }

    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Write for WipedBuffer {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.push(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends bytes; a buffer that is replaced by a larger one is wiped.
pub(crate) fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    let needed = bytes.len() + part.len();
    if needed > bytes.capacity() {
        let mut larger = Vec::with_capacity(needed.max(bytes.capacity() * 2));
        larger.extend_from_slice(bytes);
        bytes.zeroize();
        *bytes = larger;
    }
    bytes.extend_from_slice(part);
}

/// Counts written bytes.
#[derive(Default)]
struct Count(usize);

impl Write for Count {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0 += part.len();
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value as indented JSON, in a buffer of its exact size.
pub(crate) fn to_vec(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut count = Count::default();
    serde_json::to_writer_pretty(&mut count, value)?;
    let mut json = WipedBuffer::with_capacity(count.0);
    serde_json::to_writer_pretty(&mut json, value)?;
    Ok(json.0)
}

/// A value as JSON without white space, in a buffer of its exact size.
pub(crate) fn to_compact_vec(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut count = Count::default();
    serde_json::to_writer(&mut count, value)?;
    let mut json = WipedBuffer::with_capacity(count.0);
    serde_json::to_writer(&mut json, value)?;
    Ok(json.0)
}

/// Whether the text is a JSON object and nothing else.
pub(crate) fn is_whole_object(json: &[u8]) -> bool {
    json.first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(json).is_ok()
}

/// The object at the beginning of a text, even if other text or invalid UTF-8 follows.
pub(crate) fn parse_leniently(json: &[u8]) -> Option<Map<String, Value>> {
    let text = Zeroizing::new(String::from_utf8_lossy(json).into_owned());
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    match values.next()?.ok()? {
        Value::Object(members) => Some(members),
        mut other => {
            wipe(&mut other);
            None
        }
    }
}

/// A value from JSON.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    // Cut-off input is found before anything is taken from it.
    serde_json::from_slice::<IgnoredAny>(json)?;
    if !json.contains(&b'\\') {
        return serde_json::from_slice(json);
    }
    let plain = without_needless_escapes(json);
    // The position of an error is that in the original.
    serde_json::from_slice(plain.as_slice()).or_else(|_moved| serde_json::from_slice(json))
}

/// Replaces each escape that is not needed in a JSON string (`\/`, `\u0026`) by its character.
/// Quotes, backslashes and control characters stay escaped; no known token contains them.
fn without_needless_escapes(json: &[u8]) -> WipedBuffer {
    // A character is never longer than its escape.
    let mut plain = WipedBuffer::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        plain.push(&rest[..at]);
        rest = &rest[at..];
        if let Some(character) = escaped(rest) {
            plain.push(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[if rest[1] == b'u' { 6 } else { 2 }..];
        } else {
            let length = rest.len().min(2);
            plain.push(&rest[..length]);
            rest = &rest[length..];
        }
    }
    plain.push(rest);
    plain
}

/// The character of an escape at the beginning, if it needs no escape.
fn escaped(json: &[u8]) -> Option<char> {
    match json.get(1)? {
        b'/' => Some('/'),
        b'u' => {
            let digits = json.get(2..6)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let digits = std::str::from_utf8(digits).ok()?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some(character).filter(|c| *c >= ' ' && !matches!(c, '"' | '\\'))
        }
        _ => None,
    }
}

/// Wipes every string in a value.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_what_they_meant() {
        for json in [
            r#""made\/up\u002ftoken\u0026x""#,
            r#""\u00fc\u9519\u8bef\uffff""#,
            r#""\ud83d\ude00 and \" and \\ and \\u0041 and \n and \u0000""#,
            r#"{"a\/b":["\\\/","\\\\u0041","\u0022","\u005c\u005c"]}"#,
            r#""no escape""#,
        ] {
            let plain: Value = parse(json.as_bytes()).unwrap();
            assert_eq!(
                plain,
                serde_json::from_str::<Value>(json).unwrap(),
                "{json}"
            );
        }
    }

    #[test]
    fn nothing_that_makes_no_sense_is_made_sense_of() {
        for json in [
            r#""\u00""#,
            r#""\u+041""#,
            r#""\ud83d""#,
            r#""\"#,
            r#""\x""#,
            r#"\u0022a""#,
            r#""\u12"#,
        ] {
            let error = parse::<Value>(json.as_bytes()).unwrap_err();
            let expected = serde_json::from_str::<Value>(json).unwrap_err();
            assert_eq!(error.to_string(), expected.to_string(), "{json}");
        }
    }

    #[test]
    fn a_token_with_escapes_needs_no_scratch_buffer() {
        let plain = without_needless_escapes(br#""made\/up\u0026\u003d""#);
        assert_eq!(plain.as_slice(), br#""made/up&=""#);
    }

    #[test]
    fn a_buffer_holds_all_that_was_pushed_and_no_more_than_the_limit_is_read() {
        let mut buffer = WipedBuffer::default();
        for at in 0..1000_u32 {
            buffer.push(&at.to_le_bytes());
        }
        assert_eq!(buffer.as_slice().len(), 4000);
        assert_eq!(buffer.as_slice()[3996..], 999_u32.to_le_bytes());
        let read = |length| {
            let mut buffer = WipedBuffer::default();
            let source = io::repeat(7).take(length);
            buffer.fill_from(source, 9000).unwrap();
            buffer
        };
        assert_eq!(read(9000).as_slice().len(), 9000);
        assert_eq!(read(20_000).as_slice().len(), 9001);
    }
}
