//! Provider and account names as file names.

/// Small letters, digits, `-`, `_`, `@` and inner dots stay; everything else becomes `%XX`, so
/// that no name leaves the folder, hides, is a device of Windows, or clashes with another
/// where the case of letters does not count.
pub(super) fn encode(name: &str) -> String {
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

/// The name that [`encode`] made this file name of; `None` if it made none such.
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
    fn a_name_stays_inside_its_folder_and_comes_back() {
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
