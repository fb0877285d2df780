//! One session as it is stored.

use std::fmt;

use llm_auth_core::{Error, ErrorKind, Result, printable};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::cipher::TAG;
use crate::keys::{Key, SealingKeys, name_of};
use crate::wrong_key::WrongKey;

/// The format of the bytes, their first one.
const FORMAT: u8 = 1;
const SALT: usize = 32;
/// The last bytes, in each format.
const SUM: usize = 8;

/// A session as a store keeps it: encrypted, or as it is if the store has no keys.
///
/// # Examples
///
/// ```
/// use llm_auth_sealing::Sealed;
///
/// let plain = Sealed::seal(None, &["my-store", "qwen", "ann"], b"made-up")?;
/// assert_eq!((&plain.key, plain.bytes.as_slice()), (&None, &b"made-up"[..]));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Sealed {
    /// The id of the key; `None` if the session is not encrypted.
    pub key: Option<String>,
    /// The encrypted session, or the session.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Sealed {
    /// Encrypts a session for one place with the first of the keys; keeps it as it is without keys.
    /// The parts of the place are bound to it, and not stored: the name of the store, and what tells
    /// the session from all others there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`] if the system provides no random numbers.
    ///
    /// # Examples
    ///
    /// See the [crate](crate).
    pub fn seal(keys: Option<&SealingKeys>, place: &[&str], content: &[u8]) -> Result<Self> {
        let Some(keys) = keys else {
            return Ok(Self {
                key: None,
                bytes: Zeroizing::new(content.to_vec()),
            });
        };
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|source| {
            Error::new(ErrorKind::System, "the system provides no random numbers")
                .with_source(source)
        })?;
        Self::with_salt(keys.current(), &salt, place, content)
    }

    /// The room is exact: a growing buffer would leave copies of the content.
    fn with_salt(key: &Key, salt: &[u8; SALT], place: &[&str], content: &[u8]) -> Result<Self> {
        let room = 1 + SALT + content.len() + TAG + SUM;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        bytes.push(FORMAT);
        bytes.extend(salt);
        bytes.extend(content);
        let cipher = key.cipher(salt)?;
        let tag = cipher.seal(&associated(place), &mut bytes[1 + SALT..])?;
        bytes.extend(tag);
        let sum = checksum(&key.id, &bytes);
        bytes.extend(sum);
        Ok(Self {
            key: Some(key.id.clone()),
            bytes,
        })
    }

    /// The session; `subject` is what errors are about, such as "the session in FILE".
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it was changed, or belongs to another place. [`ErrorKind::Store`] if its
    /// key is not there, with the source [`WrongKey`]; if it is not encrypted and the keys do not
    /// [accept](SealingKeys::accept_unencrypted) that; if a later version has encrypted it.
    ///
    /// # Examples
    ///
    /// See the [crate](crate).
    pub fn open(
        &self,
        keys: Option<&SealingKeys>,
        place: &[&str],
        subject: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let Some(id) = &self.key else {
            return match keys {
                Some(keys) if !keys.accepts_unencrypted() => Err(unencrypted(subject)),
                _ => Ok(self.bytes.clone()),
            };
        };
        let (salt, content) = parts(id, &self.bytes, subject)?;
        let key = keys.and_then(|keys| keys.all().find(|key| key.id == *id));
        let cipher = key.ok_or_else(|| no_key(keys, id, subject))?.cipher(salt)?;
        let mut content = Zeroizing::new(content.to_vec());
        let length = cipher
            .open(&associated(place), &mut content)
            .ok_or_else(|| changed(subject))?;
        content.truncate(length);
        Ok(content)
    }

    /// Looks for damage by accident, which needs no key. [`open`](Self::open) does so too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it was changed; [`ErrorKind::Store`] if a later version has encrypted
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_sealing::{Sealed, SealingKeys};
    ///
    /// let keys = SealingKeys::new("2026-11", &[1; 32])?;
    /// let mut sealed = Sealed::seal(Some(&keys), &["place"], b"made-up")?;
    /// sealed.check("the session")?;
    /// sealed.bytes.pop();
    /// assert!(sealed.check("the session").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn check(&self, subject: &str) -> Result<()> {
        match &self.key {
            Some(id) => parts(id, &self.bytes, subject).map(drop),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The salt, and the content with its tag, of a value that is as it was written.
fn parts<'a>(id: &str, bytes: &'a [u8], subject: &str) -> Result<(&'a [u8], &'a [u8])> {
    let (body, _sum) = bytes
        .split_last_chunk::<SUM>()
        .filter(|(body, sum)| checksum(id, body) == **sum)
        .ok_or_else(|| changed(subject))?;
    match body.split_first() {
        Some((&FORMAT, rest)) => rest.split_at_checked(SALT).ok_or_else(|| changed(subject)),
        // Not damage: the checksum is right.
        Some((format, _)) => Err(Error::new(
            ErrorKind::Store,
            format!("{subject} has the format {format} of a later version: update llm-auth"),
        )),
        None => Err(changed(subject)),
    }
}

fn checksum(id: &str, body: &[u8]) -> [u8; SUM] {
    let mut hash = Sha256::new();
    hash.update((id.len() as u64).to_be_bytes());
    hash.update(id);
    hash.update(body);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hash.finalize()[..SUM]);
    sum
}

/// The parts of two places never make the same bytes.
fn associated(place: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in place {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn changed(subject: &str) -> Error {
    let message = format!(
        "{subject} was changed, or belongs to another account: restore it from a backup, or sign in \
         again"
    );
    Error::new(ErrorKind::Corrupt, message)
}

fn unencrypted(subject: &str) -> Error {
    let message = format!(
        "{subject} is not encrypted, and with a key only encrypted ones are read: encrypt it, or let \
         the store accept it"
    );
    Error::new(ErrorKind::Store, message)
}

/// The session may be intact, so this is no [`ErrorKind::Corrupt`], which a sign-in overwrites.
fn no_key(keys: Option<&SealingKeys>, id: &str, subject: &str) -> Error {
    let name = name_of(id);
    let is_known = keys.is_some_and(|keys| keys.names().contains(&name));
    let name = printable(name);
    let message = match is_known {
        true => format!(
            "{subject} is encrypted with another key than the one given as `{name}`: give the right one"
        ),
        false => format!(
            "{subject} is encrypted with the key `{name}`, which is not given: give the store that key"
        ),
    };
    Error::new(ErrorKind::Store, message).with_source(WrongKey)
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use super::*;

    /// By Python's `cryptography`, as the README describes it:
    ///
    /// ```text
    /// from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    /// from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    /// from cryptography.hazmat.primitives.hashes import SHA256
    /// import hashlib
    /// key, salt, place = bytes(range(32)), b"s" * 32, [b"made-up-store", b"", b"ann"]
    /// hkdf = lambda salt, info: HKDF(SHA256(), 32, salt, b"llm-auth-sealing 1: " + info).derive(key)
    /// length = lambda part: len(part).to_bytes(8)
    /// id = b"2026.11." + hkdf(None, b"check of a key")[:8].hex().encode()
    /// place = b"".join(length(part) + part for part in place)
    /// sealed = AESGCM(hkdf(salt, b"a value")).encrypt(bytes(12), b"made-up session", place)
    /// body = b"\x01" + salt + sealed
    /// print(id, (body + hashlib.sha256(length(id) + id + body).digest()[:8]).hex())
    /// ```
    #[test]
    fn the_format_is_that_of_the_description() {
        let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let keys = SealingKeys::new("2026.11", &key).unwrap();
        let place = ["made-up-store", "", "ann"];
        let sealed =
            Sealed::with_salt(keys.current(), &[b's'; 32], &place, b"made-up session").unwrap();
        let hex = |bytes: &[u8]| {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            digits.collect::<String>()
        };
        assert_eq!(sealed.key.as_deref(), Some("2026.11.e8a0cbc1b96ca430"));
        let salt = "73".repeat(32);
        assert_eq!(
            hex(&sealed.bytes),
            format!(
                "01{salt}fccd8b189ad11e896cdb8da48205a96610c0b30e16a8c64df8c73feaad2170230873241ab5f6a8"
            )
        );
        let opened = sealed.open(Some(&keys), &place, "the session").unwrap();
        assert_eq!(*opened, b"made-up session");
        // No copy was left behind by a buffer that grew.
        assert_eq!(sealed.bytes.capacity(), sealed.bytes.len());
    }

    #[test]
    fn a_later_format_is_no_damage() {
        let keys = SealingKeys::new("k", &[1; 32]).unwrap();
        let mut later = Sealed::seal(Some(&keys), &["p"], b"made-up").unwrap();
        later.bytes[0] = FORMAT + 1;
        let length = later.bytes.len() - SUM;
        let sum = checksum(keys.current_id(), &later.bytes[..length]);
        later.bytes[length..].copy_from_slice(&sum);
        let error = later.open(Some(&keys), &["p"], "it").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("update llm-auth"), "{error}");
    }
}
