//! The encryption key: for the sessions in the store, and for sign-ins that have begun.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use llm_auth_core::Secret;
use llm_auth_sealing::{Sealed, SealingKeys};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Failure;

type Key = Zeroizing<[u8; 32]>;

/// The newest key, and the one before it while the store is re-encrypted.
pub(crate) struct Keys(SealingKeys);

impl Keys {
    /// From files that `openssl rand -base64 32` made.
    pub(crate) fn new(
        newest: &[u8],
        previous: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Self, Failure> {
        let newest = key(newest)?;
        let keys = SealingKeys::new(&name(&newest), &newest)?;
        let Some(previous) = previous else {
            return Ok(Self(keys));
        };
        let previous = key(&previous)?;
        Ok(Self(keys.with_older(&name(&previous), &previous)?))
    }

    pub(crate) fn of_sessions(&self) -> SealingKeys {
        self.0.clone()
    }

    /// A value that only this service can read, bound to its row: the id of its key, a zero, and what
    /// is sealed.
    pub(crate) fn seal(&self, row: &[u8], plain: &Secret) -> Result<Vec<u8>, Failure> {
        let plain = plain.expose().as_bytes();
        let sealed = Sealed::seal(Some(&self.0), &place(&STANDARD.encode(row)), plain)?;
        let id = sealed.key.unwrap_or_default();
        Ok([id.as_bytes(), &[0], &sealed.bytes].concat())
    }

    /// `None` if it is of another key or row, or was changed.
    pub(crate) fn open(&self, row: &[u8], sealed: &[u8]) -> Option<Secret> {
        let end = sealed.iter().position(|byte| *byte == 0)?;
        let sealed = Sealed {
            key: Some(std::str::from_utf8(&sealed[..end]).ok()?.to_owned()),
            bytes: sealed[end + 1..].to_vec().into(),
        };
        let row = STANDARD.encode(row);
        let plain = sealed.open(Some(&self.0), &place(&row), "the sign-in");
        let plain = plain.ok()?;
        Some(Secret::from(std::str::from_utf8(&plain).ok()?))
    }
}

fn place(row: &str) -> [&str; 2] {
    ["llm-auth-service-example: sign-in", row]
}

fn key(file: &[u8]) -> Result<Key, Failure> {
    let decoded = Zeroizing::new(STANDARD.decode(file.trim_ascii()).unwrap_or_default());
    let key = <[u8; 32]>::try_from(&decoded[..]).map(Zeroizing::new);
    let wrong = "the file of ENCRYPTION_KEY_FILE holds no key: make one with \
                 `openssl rand -base64 32`";
    key.map_err(|_length| wrong.into())
}

/// The name of a key, which the store writes beside each session.
fn name(key: &Key) -> String {
    let digest = Sha256::new_with_prefix(b"name of the key ")
        .chain_update(&key[..])
        .finalize();
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(newest: u8, previous: Option<u8>) -> Keys {
        let file = |byte| STANDARD.encode([byte; 32]).into_bytes();
        Keys::new(&file(newest), previous.map(file).map(Zeroizing::new)).unwrap()
    }

    #[test]
    fn a_value_opens_in_its_own_row_and_with_the_previous_key() {
        let sealed = keys(1, None).seal(b"row", &"made-up".into()).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"made-up"));
        assert_eq!(keys(1, None).open(b"row", &sealed), Some("made-up".into()));
        assert_eq!(
            keys(2, Some(1)).open(b"row", &sealed),
            Some("made-up".into())
        );
        assert_eq!(keys(1, None).open(b"other", &sealed), None);
        assert_eq!(keys(2, None).open(b"row", &sealed), None);
        assert_eq!(keys(1, None).open(b"row", &sealed[..20]), None);
        let mut changed = sealed;
        changed[40] ^= 1;
        assert_eq!(keys(1, None).open(b"row", &changed), None);
    }

    #[test]
    fn a_file_that_holds_no_key_is_an_error_that_says_how_to_make_one() {
        let error = Keys::new(b"made-up-short", None).err().unwrap().to_string();
        assert!(error.contains("openssl rand -base64 32") && !error.contains("made-up"));
    }
}
