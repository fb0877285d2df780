//! Sessions that the server cannot read: XChaCha20-Poly1305 with keys of the caller.
//!
//! This module knows no store. A nonce of 24 random bytes never comes twice.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use llm_auth_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const NONCE: usize = 24;
const TAG: usize = 16;
const LONGEST_ID: usize = 64;

/// The keys that sessions are sealed with (XChaCha20-Poly1305), one to write and any number to read.
///
/// To rotate, give the new key here and the old one to [`with_older`](Self::with_older) in all
/// processes, call [`RedisStore::reseal`](crate::RedisStore::reseal), and then drop the old one. While
/// some processes do not have the new key yet, they cannot read what the others write: give it to all
/// of them with `with_older` first.
///
/// # Examples
///
/// ```
/// use llm_auth_store_redis::SealingKeys;
///
/// # let (new_key, old_key) = ([1; 32], [2; 32]);
/// let keys = SealingKeys::new("2026-11", new_key)?.with_older("2026-05", old_key)?;
/// assert_eq!(keys.current(), "2026-11");
/// # Ok::<(), llm_auth_store_redis::Error>(())
/// ```
#[derive(Clone)]
pub struct SealingKeys {
    current: Key,
    older: Vec<Key>,
    clear_text: bool,
}

#[derive(Clone)]
struct Key {
    id: String,
    /// Tells a wrong key from a changed value.
    fingerprint: String,
    bytes: Zeroizing<[u8; 32]>,
}

/// Why a value was not opened.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Unopened {
    NoKey(String),
    WrongKey(String),
    ClearText,
    Changed,
}

impl SealingKeys {
    /// Seals with this key: 32 random bytes, and a name for it of letters, digits, `-` and `_`, which
    /// is stored in clear text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the name is empty, longer than 64 characters or has other ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::SealingKeys;
    ///
    /// assert!(SealingKeys::new("2026-11", [7; 32]).is_ok());
    /// assert!(SealingKeys::new("a name", [7; 32]).is_err());
    /// ```
    pub fn new(id: impl Into<String>, key: [u8; 32]) -> Result<Self> {
        Ok(Self {
            current: Key::new(id.into(), key)?,
            older: Vec::new(),
            clear_text: false,
        })
    }

    /// Opens what was sealed with this key too.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if another key has the same name.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::SealingKeys;
    ///
    /// let keys = SealingKeys::new("2026-11", [7; 32])?;
    /// assert!(keys.clone().with_older("2026-05", [8; 32]).is_ok());
    /// assert!(keys.with_older("2026-11", [8; 32]).is_err());
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    pub fn with_older(mut self, id: impl Into<String>, key: [u8; 32]) -> Result<Self> {
        let key = Key::new(id.into(), key)?;
        if self.all().any(|other| other.id == key.id) {
            let message = format!("two sealing keys have the name {}; rename one", key.id);
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.older.push(key);
        Ok(self)
    }

    /// Reads sessions that are stored in clear text too, until all are sealed. Without it they are an
    /// error, because any client of the server could have put them there.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::SealingKeys;
    ///
    /// let keys = SealingKeys::new("2026-11", [7; 32])?.accept_clear_text();
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    #[must_use]
    pub fn accept_clear_text(mut self) -> Self {
        self.clear_text = true;
        self
    }

    /// The name of the key that seals.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::SealingKeys;
    ///
    /// assert_eq!(SealingKeys::new("2026-11", [7; 32])?.current(), "2026-11");
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current.id
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl fmt::Debug for SealingKeys {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.all().map(|key| &*key.id).collect();
        f.debug_tuple("SealingKeys").field(&ids).finish()
    }
}

impl Key {
    fn new(id: String, key: [u8; 32]) -> Result<Self> {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_usual) {
            let message = "a sealing key has no usable name; \
                name it with up to 64 letters, digits, hyphens and underscores";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let bytes = Zeroizing::new(key);
        let mut hash = Sha256::new();
        hash.update(b"llm-auth sealing key");
        hash.update(&bytes[..]);
        let fingerprint = hash.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            id,
            fingerprint,
            bytes,
        })
    }

    /// As it is stored.
    fn label(&self) -> String {
        format!("{}.{}", self.id, self.fingerprint)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

impl Unopened {
    /// A new sign-in replaces only what no key can open, [`ErrorKind::Corrupt`]; the rest may be a
    /// wrong setting of this process.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NoKey(_) | Self::WrongKey(_) | Self::ClearText => ErrorKind::Store,
            Self::Changed => ErrorKind::Corrupt,
        }
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey(id) => write!(f, "is sealed with the key {id}; give that key to the store"),
            Self::WrongKey(id) => write!(
                f,
                "is sealed with another key of the name {id}; give that one to the store"
            ),
            Self::ClearText => f.write_str(
                "is not sealed, and the store reads only sealed values; seal it, or let the store accept \
                 clear text",
            ),
            Self::Changed => f.write_str(
                "is not as it was sealed, because it was changed or moved; sign in again, or \
                 restore it",
            ),
        }
    }
}

/// The sealed value and the label of its key; the value itself and no label without keys.
pub(crate) fn seal(
    keys: Option<&SealingKeys>,
    context: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, String)> {
    let Some(keys) = keys else {
        return Ok((plain.to_vec(), String::new()));
    };
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|source| {
        Error::new(ErrorKind::System, "the system has no random numbers").with_source(source)
    })?;
    let failed = |_: chacha20poly1305::Error| {
        Error::new(ErrorKind::Store, "the session is too large to be sealed")
    };
    // No growing buffer, which would leave a copy of what is in it.
    let mut sealed = Vec::with_capacity(NONCE + plain.len() + TAG);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let tag = keys
        .current
        .cipher()
        .encrypt_inout_detached(&XNonce::from(nonce), context, (&mut sealed[NONCE..]).into())
        .map_err(failed)?;
    sealed.extend_from_slice(&tag);
    Ok((sealed, keys.current.label()))
}

pub(crate) fn open(
    keys: Option<&SealingKeys>,
    label: &str,
    context: &[u8],
    sealed: &[u8],
) -> std::result::Result<Zeroizing<Vec<u8>>, Unopened> {
    let Some((id, fingerprint)) = label.split_once('.') else {
        return match keys {
            _ if !label.is_empty() => Err(Unopened::Changed),
            Some(keys) if !keys.clear_text => Err(Unopened::ClearText),
            _ => Ok(Zeroizing::new(sealed.to_vec())),
        };
    };
    let shown = llm_auth_core::printable(id);
    let found = keys.and_then(|keys| keys.all().find(|key| key.id == id));
    let key = match found {
        None => return Err(Unopened::NoKey(shown)),
        Some(key) if key.fingerprint != fingerprint => return Err(Unopened::WrongKey(shown)),
        Some(key) => key,
    };
    let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(Unopened::Changed)?;
    let nonce = XNonce::try_from(nonce).map_err(|_short| Unopened::Changed)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    key.cipher()
        .decrypt_in_place(&nonce, context, &mut *plain)
        .map_err(|_changed| Unopened::Changed)?;
    Ok(plain)
}

/// Whether a value is sealed with the current key, or in clear text without keys.
pub(crate) fn is_current(keys: Option<&SealingKeys>, label: &str) -> bool {
    match keys {
        Some(keys) => keys.current.label() == label,
        None => label.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str, byte: u8) -> SealingKeys {
        SealingKeys::new(id, [byte; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_with_its_key_and_context_alone() {
        let (one, plain) = (keys("one", 1), b"made-up-secret");
        let (sealed, label) = seal(Some(&one), b"here", plain).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"made-up"));
        let opened = open(Some(&one), &label, b"here", &sealed);
        assert_eq!(&opened.unwrap()[..], plain);
        let elsewhere = open(Some(&one), &label, b"there", &sealed);
        assert_eq!(elsewhere.unwrap_err(), Unopened::Changed);
        let other = keys("two", 1);
        let unknown = open(Some(&other), &label, b"here", &sealed);
        assert_eq!(unknown.unwrap_err(), Unopened::NoKey("one".into()));
        let wrong = open(Some(&keys("one", 2)), &label, b"here", &sealed);
        assert_eq!(wrong.unwrap_err(), Unopened::WrongKey("one".into()));
        let none = open(None, &label, b"here", &sealed);
        assert_eq!(none.unwrap_err(), Unopened::NoKey("one".into()));
    }

    #[test]
    fn each_changed_or_missing_byte_is_noticed() {
        let keys = keys("one", 1);
        let (sealed, label) = seal(Some(&keys), b"", b"made-up-secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            for value in [&changed[..], &sealed[..at]] {
                let opened = open(Some(&keys), &label, b"", value);
                assert_eq!(opened.unwrap_err(), Unopened::Changed, "{at}");
            }
        }
    }

    #[test]
    fn an_older_key_opens_and_the_current_one_seals() {
        let (old, label) = seal(Some(&keys("old", 1)), b"", b"made-up").unwrap();
        let both = keys("new", 2).with_older("old", [1; 32]).unwrap();
        assert_eq!(
            &open(Some(&both), &label, b"", &old).unwrap()[..],
            b"made-up"
        );
        assert!(!is_current(Some(&both), &label));
        let (_, label) = seal(Some(&both), b"", b"made-up").unwrap();
        assert!(is_current(Some(&both), &label) && label.starts_with("new."));
    }

    #[test]
    fn clear_text_is_opened_without_keys_or_if_it_is_accepted() {
        let keys = keys("one", 1);
        assert!(open(None, "", b"", b"made-up").is_ok());
        let refused = open(Some(&keys), "", b"", b"made-up");
        assert_eq!(refused.unwrap_err(), Unopened::ClearText);
        let keys = keys.accept_clear_text();
        assert!(open(Some(&keys), "", b"", b"made-up").is_ok());
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", keys("one", 77)), r#"SealingKeys(["one"])"#);
    }
}
