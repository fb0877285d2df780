//! Provider and account names as file names.
//!
//! See decision 0041.

use crate::secret::Secret;

/// The longest file name that is not shortened: 255 bytes less `.json.lock`.
const LONGEST: usize = 245;

/// How much of a too long name is kept.
const KEPT: usize = 180;

/// Occurs only in shortened names.
const SHORTENED: char = '~';

/// Lower-case letters, digits, `-`, `_`, `@` and inner dots stay; every other character becomes
/// `%XX`, so that no name leaves the directory, is hidden, is a device of Windows, or clashes with
/// another if letter case does not count. A name that gets too long for a file system ends in `~`
/// and a hash of the whole; [`decode`] cannot read it.
pub(super) fn encode(name: &str) -> String {
    let whole = encode_whole(name);
    if whole.len() <= LONGEST {
        return whole;
    }
    format!(
        "{}{SHORTENED}{}",
        &whole[..KEPT],
        Secret::long_fingerprint_of(name.as_bytes())
    )
}

/// Whether a file name is shortened.
pub(super) fn is_shortened(file_name: &str) -> bool {
    file_name.contains(SHORTENED)
}

fn encode_whole(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let device = is_device(name.split('.').next().unwrap_or_default());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'-' | b'_' | b'@')
            || (byte == b'.' && at > 0);
        if plain && !(device && at == 0) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn is_device(stem: &str) -> bool {
    let numbered = |prefix| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem, "aux" | "con" | "nul" | "prn") || numbered("com") || numbered("lpt")
}

/// The name that [`encode`] turned into this file name; `None` if there is none.
pub(super) fn decode(file_name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(file_name.len());
    let mut rest = file_name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|name| encode(name) == file_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_for_a_file_is_shortened_and_stays_its_own() {
        let capitals = |count| "A".repeat(count);
        assert_eq!(decode(&encode(&capitals(81))), Some(capitals(81)));
        for (name, other) in [
            (capitals(82), capitals(83)),
            (capitals(500), format!("{}B", capitals(499))),
            ("a".repeat(246), "a".repeat(247)),
            ("\u{1f600}".repeat(100), "\u{1f600}".repeat(101)),
        ] {
            let file_name = encode(&name);
            assert!(is_shortened(&file_name) && file_name.len() <= LONGEST);
            assert_eq!(file_name, encode(&name));
            assert_ne!(file_name, encode(&other));
            assert_eq!(decode(&file_name), None);
        }
        assert!(!is_shortened(&encode("~a")));
        assert_eq!(encode(&"a".repeat(245)), "a".repeat(245));
    }

    #[test]
    fn a_name_stays_inside_its_directory_and_comes_back() {
        for name in [
            "work",
            "a.b@example.com",
            "../../etc/passwd",
            ".",
            "über",
            "a/b",
            "100%",
            "Work",
            "con",
            "com1.x",
        ] {
            let file_name = encode(name);
            assert!(
                !file_name.contains('/') && !file_name.starts_with('.'),
                "{file_name}"
            );
            assert_eq!(decode(&file_name).as_deref(), Some(name));
        }
        assert_ne!(encode("Work").to_lowercase(), encode("work"));
        assert_eq!(encode("nul"), "%6Eul");
        assert_eq!(decode(".work"), None);
        assert_eq!(decode("work.json.lock%"), None);
    }
}
