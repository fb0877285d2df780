//! The keys of the caller.

use std::fmt;

use llm_auth_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::cipher::{self, Cipher};

const LONGEST_NAME: usize = 64;

/// The keys that sessions are encrypted with: one that encrypts, and any number that were used before.
///
/// To change the key, give all programs the new key [as an older one](Self::with_older) first, then
/// make it the first one everywhere, let the store encrypt all sessions again, and remove the old key.
///
/// # Examples
///
/// ```
/// use llm_auth_sealing::SealingKeys;
///
/// let (new, old) = ([1; 32], [2; 32]); // of a key management system
/// let keys = SealingKeys::new("2026-11", &new)?.with_older("2026-05", &old)?;
/// assert_eq!(keys.names(), ["2026-11", "2026-05"]);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SealingKeys {
    current: Key,
    older: Vec<Key>,
    accepts_unencrypted: bool,
}

#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl SealingKeys {
    /// Encrypts with this key, whose 256 bits must be random. Its name is stored in clear with each
    /// session: up to 64 letters, digits, `.`, `-` and `_`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for another name, and in a build without the features `ring` and
    /// `aws-lc-rs`.
    ///
    /// # Examples
    ///
    /// See [`SealingKeys`].
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            current: Key::new(name, key)?,
            older: Vec::new(),
            accepts_unencrypted: false,
        })
    }

    /// Opens what was encrypted with this key too.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); [`ErrorKind::Config`] too if another key has that name.
    ///
    /// # Examples
    ///
    /// See [`SealingKeys`].
    pub fn with_older(mut self, name: &str, key: &[u8; 32]) -> Result<Self> {
        if self.names().contains(&name) {
            let message = format!("two keys are named `{name}`: give each its own name");
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.older.push(Key::new(name, key)?);
        Ok(self)
    }

    /// Reads sessions that were stored without encryption too, until all are encrypted. By default they
    /// are an error: otherwise a program that can write to the store could put a session of its own
    /// there.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_sealing::{Sealed, SealingKeys};
    ///
    /// let plain = Sealed::seal(None, &["place"], b"made-up")?;
    /// let keys = SealingKeys::new("2026-11", &[1; 32])?;
    /// assert!(plain.open(Some(&keys), &["place"], "the session").is_err());
    /// let keys = keys.accept_unencrypted();
    /// assert!(plain.open(Some(&keys), &["place"], "the session").is_ok());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn accept_unencrypted(mut self) -> Self {
        self.accepts_unencrypted = true;
        self
    }

    /// The names of the keys, first that of the one that encrypts.
    ///
    /// # Examples
    ///
    /// See [`SealingKeys`].
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.all().map(Key::name).collect()
    }

    /// The id of the key that encrypts, as sessions are stored with it: its name, a dot, and a check
    /// value of 16 hexadecimal digits.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_sealing::SealingKeys;
    ///
    /// let keys = SealingKeys::new("2026-11", &[1; 32])?;
    /// assert!(keys.current_id().starts_with("2026-11."));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    pub(crate) fn current(&self) -> &Key {
        &self.current
    }

    pub(crate) fn accepts_unencrypted(&self) -> bool {
        self.accepts_unencrypted
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeys")
            .field("names", &self.names())
            .field("accepts_unencrypted", &self.accepts_unencrypted)
            .finish_non_exhaustive()
    }
}

impl Key {
    fn new(name: &str, key: &[u8; 32]) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            let message =
                "the name of a key is not valid: use up to 64 letters, digits, `.`, `-` and `_`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let check = cipher::derive(key, &[], "llm-auth-sealing 1: check of a key")?;
        let check = check[..8]
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Ok(Self {
            id: format!("{name}.{check}"),
            bytes: Zeroizing::new(*key),
        })
    }

    fn name(&self) -> &str {
        name_of(&self.id)
    }

    /// The cipher of the value with that salt.
    pub(crate) fn cipher(&self, salt: &[u8]) -> Result<Cipher> {
        Cipher::new(&*self.bytes, salt, "llm-auth-sealing 1: a value")
    }
}

/// The name in the id of a key.
pub(crate) fn name_of(id: &str) -> &str {
    id.rsplit_once('.').map_or(id, |(name, _check)| name)
}

/// A key of 256 bits for [`SealingKeys`] from a secret of at least as many, of any length: HKDF-SHA-256
/// ([RFC 5869]). It makes a secret that can be guessed no stronger: a passphrase needs a function such
/// as Argon2id first. The `info` names the purpose, so that the same secret yields another key for each.
///
/// # Errors
///
/// [`ErrorKind::Config`] in a build without the features `ring` and `aws-lc-rs`.
///
/// # Examples
///
/// ```
/// use llm_auth_sealing::{SealingKeys, derive};
///
/// let secret = b"made-up and random, with 32 bytes or more";
/// let key = derive(secret, b"salt", "my-store: key of sessions")?;
/// let keys = SealingKeys::new("2026-11", &key)?;
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
///
/// [RFC 5869]: https://www.rfc-editor.org/rfc/rfc5869
pub fn derive(secret: &[u8], salt: &[u8], info: &str) -> Result<Zeroizing<[u8; 32]>> {
    cipher::derive(secret, salt, info)
}
