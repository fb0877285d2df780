//! The encryption key: for the sessions in the store, and for sign-ins that have begun.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use llm_auth_core::Secret;
use llm_auth_store_postgres::SealingKeys;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Failure;

const NONCE: usize = 24;
const TAG: usize = 16;

type Key = Zeroizing<[u8; 32]>;

/// The newest key, and the one before it while the store is re-encrypted.
pub(crate) struct Keys {
    newest: Key,
    previous: Option<Key>,
}

impl Keys {
    /// From files that `openssl rand -base64 32` made.
    pub(crate) fn new(
        newest: &[u8],
        previous: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            newest: key(newest)?,
            previous: previous.map(|previous| key(&previous)).transpose()?,
        })
    }

    pub(crate) fn encryption(&self) -> Result<SealingKeys, Failure> {
        let encryption = SealingKeys::new(&name(&self.newest), &self.newest)?;
        Ok(match &self.previous {
            Some(previous) => encryption.with_older(&name(previous), previous)?,
            None => encryption,
        })
    }

    /// A value that only this service can read, bound to its row.
    pub(crate) fn seal(&self, row: &[u8], plain: &Secret) -> Result<Vec<u8>, Failure> {
        let plain = plain.expose().as_bytes();
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_source| "the system has no random numbers")?;
        let mut sealed = Vec::with_capacity(NONCE + plain.len() + TAG);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = cipher(&self.newest)
            .encrypt_inout_detached(&XNonce::from(nonce), row, (&mut sealed[NONCE..]).into())
            .map_err(|_opaque| "a sign-in is too large to be encrypted")?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// `None` if it is of another key or row, or was changed.
    pub(crate) fn open(&self, row: &[u8], sealed: &[u8]) -> Option<Secret> {
        let keys = [Some(&self.newest), self.previous.as_ref()];
        keys.into_iter().flatten().find_map(|key| {
            let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
            let (text, tag) = rest.split_last_chunk::<TAG>()?;
            let mut plain = Zeroizing::new(text.to_vec());
            cipher(key)
                .decrypt_inout_detached(
                    &XNonce::from(*nonce),
                    row,
                    (&mut plain[..]).into(),
                    &(*tag).into(),
                )
                .ok()?;
            Some(Secret::from(std::str::from_utf8(&plain).ok()?))
        })
    }
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

/// Of a key for sign-ins alone.
fn cipher(key: &Key) -> XChaCha20Poly1305 {
    let derived = Sha256::new_with_prefix(b"sign-ins that have begun ")
        .chain_update(&key[..])
        .finalize();
    XChaCha20Poly1305::new(&derived)
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
        assert_eq!(keys(1, None).open(b"row", &sealed[..39]), None);
        let mut changed = sealed;
        changed[NONCE] ^= 1;
        assert_eq!(keys(1, None).open(b"row", &changed), None);
    }

    #[test]
    fn a_file_that_holds_no_key_is_an_error_that_says_how_to_make_one() {
        let error = Keys::new(b"made-up-short", None).err().unwrap().to_string();
        assert!(error.contains("openssl rand -base64 32") && !error.contains("made-up"));
    }
}
