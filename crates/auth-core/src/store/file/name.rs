//! Provider and account names as file names.

/// Letters, digits, `-`, `_`, `@` and inner dots stay; everything else becomes `%XX`, so that
/// no name leaves the folder, hides or clashes.
pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'@')
            || (byte == b'.' && at > 0);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
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
        ] {
            let file_name = encode(name);
            assert!(
                !file_name.contains('/') && !file_name.starts_with('.'),
                "{file_name}"
            );
            assert_eq!(decode(&file_name).as_deref(), Some(name));
        }
        assert_eq!(decode(".work"), None);
        assert_eq!(decode("work.json.lock%"), None);
    }
}
