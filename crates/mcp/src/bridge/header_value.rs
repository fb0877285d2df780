//! Values of a message in headers (revision 2026-07-28, Streamable HTTP, value encoding).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The value itself if it survives as a header, otherwise its UTF-8 in base64 between markers.
pub(super) fn encoded(value: &str) -> String {
    let is_marked = value.starts_with("=?base64?") && value.ends_with("?=");
    if is_plain(value) && !is_marked {
        return value.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(value))
}

/// Whether every server reads the same value in a header: a tab may become a blank on the way.
pub(super) fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_the_specification_shows() {
        for (value, header) in [
            ("us-west1", "us-west1"),
            ("", ""),
            ("a b", "a b"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("a\tb", "=?base64?YQli?="),
        ] {
            assert_eq!(encoded(value), header, "{value:?}");
        }
    }
}
