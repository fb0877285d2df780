//! A string that must not be shown.
//!
//! See decision 0051.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// An access token, a refresh token, a code verifier, a client secret.
///
/// `Debug` prints `[redacted]`, there is no `Display`, the memory is zeroed on drop and
/// comparison does not stop at the first difference. In JSON it is the plain string, since
/// that is what a token file holds.
///
/// # Examples
///
/// ```
/// use llm_auth_core::Secret;
///
/// let token = Secret::from("made-up-token");
/// assert_eq!(format!("{token:?}"), "[redacted]");
/// assert_eq!(token.expose(), "made-up-token");
/// ```
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret itself. The caller decides where it goes from here.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Secret;
    ///
    /// let access = Secret::from("made-up-token");
    /// let header = format!("Bearer {}", access.expose());
    /// assert_eq!(header, "Bearer made-up-token");
    /// ```
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Secret;
    ///
    /// assert!(Secret::default().is_empty());
    /// assert!(!Secret::from("made-up-token").is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first 12 hexadecimal digits of its SHA-256: enough to distinguish two secrets, useless
    /// to a reader.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Secret;
    ///
    /// assert_eq!(Secret::from("abc").fingerprint(), "ba7816bf8f01");
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Self::fingerprint_of(self.0.as_bytes())
    }

    /// The fingerprint of any bytes.
    pub(crate) fn fingerprint_of(bytes: &[u8]) -> String {
        first_digits(bytes, 6)
    }

    /// A hash that is long enough for chosen names not to clash.
    pub(crate) fn long_fingerprint_of(bytes: &[u8]) -> String {
        first_digits(bytes, 16)
    }
}

/// The first bytes of a SHA-256 in hexadecimal.
fn first_digits(bytes: &[u8], count: usize) -> String {
    // Not `Sha256::digest`: it moves its block, the text of a short secret, and leaves a copy on the
    // stack.
    let mut hash = Sha256::new();
    hash.update(bytes);
    let digest = hash.finalize_reset();
    digest
        .iter()
        .take(count)
        .fold(String::with_capacity(2 * count), |mut out, byte| {
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('?'));
            }
            out
        })
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.into())
    }
}

impl From<String> for Secret {
    /// Takes over the string. A string with spare capacity is copied and wiped, since shrinking it
    /// may move it.
    fn from(mut secret: String) -> Self {
        if secret.len() == secret.capacity() {
            return Self(secret.into_boxed_str());
        }
        let taken = Self::from(secret.as_str());
        secret.zeroize();
        taken
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        ours.len() == theirs.len()
            && ours
                .iter()
                .zip(theirs)
                .fold(0, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)))
                == 0
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", Secret::from("made-up")), "[redacted]");
        assert_eq!(
            format!("{:#?}", Some(Secret::from("made-up"))),
            "Some(\n    [redacted],\n)"
        );
    }

    #[test]
    fn equality_looks_at_every_byte() {
        assert_eq!(Secret::from("abc"), Secret::from("abc"));
        assert_ne!(Secret::from("abc"), Secret::from("abd"));
        assert_ne!(Secret::from("abc"), Secret::from("abcd"));
    }

    #[test]
    fn a_fingerprint_is_short_and_stable() {
        assert_eq!(Secret::from("abc").fingerprint(), "ba7816bf8f01");
    }

    #[test]
    fn json_holds_the_plain_string() {
        let secret: Secret = serde_json::from_str("\"a\\u0026b\"").unwrap();
        assert_eq!(secret.expose(), "a&b");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"a&b\"");
    }
}
