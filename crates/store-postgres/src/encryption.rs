//! Sessions encrypted with a key of the program, which the database never sees.

use std::fmt;

use llm_auth_core::{Error, ErrorKind, Result, SessionKey};

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::{aead, hmac};
#[cfg(not(feature = "aws-lc-rs"))]
use ring::{aead, hmac};

/// The form of an encrypted session: this byte, the nonce, the session with the tag.
const FORM: u8 = 1;

/// The keys that sessions are encrypted with: AES-256-GCM ([RFC 5116]) with a random nonce for each
/// save. The tenant, the provider and the account are authenticated with the session, so that no row
/// can be moved to another account.
///
/// Sessions are encrypted with the newest key, and read with the one that they name. To change the
/// key, give all programs the new key [as a previous one](Self::with_previous) first, then make it
/// the newest everywhere, run [`PostgresStore::reencrypt`](crate::PostgresStore::reencrypt), and
/// remove the old key when it returns zero.
///
/// [RFC 5116]: https://www.rfc-editor.org/rfc/rfc5116
///
/// # Examples
///
/// ```
/// use llm_auth_store_postgres::Encryption;
///
/// # fn main() -> llm_auth_core::Result<()> {
/// let (new, old) = ([1; 32], [0; 32]); // of a key management system
/// let encryption = Encryption::new("2026-11", &new)?.with_previous("2026-05", &old)?;
/// assert_eq!(encryption.key_names(), ["2026-11", "2026-05"]);
/// # Ok(())
/// # }
/// ```
pub struct Encryption {
    /// The newest first.
    keys: Vec<Key>,
    accepts_unencrypted: bool,
}

struct Key {
    name: String,
    /// The name with a fingerprint of the key, as rows have it.
    id: String,
    key: aead::LessSafeKey,
}

impl Encryption {
    /// With one key of 256 bits, which must be random. The name is stored in clear with each session:
    /// up to 64 letters, digits, `.`, `-` and `_`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for another name.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            keys: vec![Key::new(name, key)?],
            accepts_unencrypted: false,
        })
    }

    /// Adds a key that sessions may be encrypted with, and none will be.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); [`ErrorKind::Config`] too if a key with that name is there.
    pub fn with_previous(mut self, name: &str, key: &[u8; 32]) -> Result<Self> {
        if self.keys.iter().any(|other| other.name == name) {
            let message = format!("two keys are named `{name}`: give each its own name");
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.keys.push(Key::new(name, key)?);
        Ok(self)
    }

    /// Reads sessions that were stored without encryption too, until
    /// [`reencrypt`](crate::PostgresStore::reencrypt) has encrypted them. By default they are an error:
    /// otherwise a program that can write to the database could put a session of its own there.
    #[must_use]
    pub fn accept_unencrypted(mut self) -> Self {
        self.accepts_unencrypted = true;
        self
    }

    /// The names of the keys, the newest first.
    #[must_use]
    pub fn key_names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.name.as_str()).collect()
    }

    pub(crate) fn accepts_unencrypted(&self) -> bool {
        self.accepts_unencrypted
    }

    /// The id of the key that sessions are encrypted with.
    pub(crate) fn current(&self) -> Option<&str> {
        self.keys.first().map(|key| key.id.as_str())
    }

    /// Encrypts in place.
    pub(crate) fn seal(
        &self,
        tenant: &str,
        of: &SessionKey,
        mut plain: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let failed = || Error::new(ErrorKind::System, "cannot encrypt the session");
        let key = self.keys.first().ok_or_else(failed)?;
        let mut nonce = [0; aead::NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_source| {
            Error::new(ErrorKind::System, "the system provides no random numbers")
        })?;
        let aad = aead::Aad::from(place(tenant, of));
        let unique = aead::Nonce::assume_unique_for_key(nonce);
        let tag = key
            .key
            .seal_in_place_separate_tag(unique, aad, &mut plain)
            .map_err(|_source| failed())?;
        let mut sealed = Vec::with_capacity(1 + nonce.len() + plain.len() + tag.as_ref().len());
        sealed.push(FORM);
        sealed.extend(nonce);
        sealed.extend(plain);
        sealed.extend(tag.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) has made under the key with that id.
    pub(crate) fn open(
        &self,
        id: &str,
        tenant: &str,
        of: &SessionKey,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| self.no_key(id))?;
        let changed = || {
            Error::new(
                ErrorKind::Corrupt,
                "the stored session cannot be decrypted: it was changed, or belongs to another \
                 account; restore it from a backup, or sign in again",
            )
        };
        let (&form, sealed) = sealed.split_first().ok_or_else(changed)?;
        if form != FORM || sealed.len() < aead::NONCE_LEN {
            return Err(changed());
        }
        let (nonce, sealed) = sealed.split_at(aead::NONCE_LEN);
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_source| changed())?;
        let mut plain = zeroize::Zeroizing::new(sealed.to_vec());
        let length = key
            .key
            .open_in_place(nonce, aead::Aad::from(place(tenant, of)), &mut plain)
            .map_err(|_source| changed())?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// The session may be intact, so this is no [`ErrorKind::Corrupt`], which a sign-in overwrites.
    fn no_key(&self, id: &str) -> Error {
        let name = crate::errors::shown(id.rsplit_once(':').map_or(id, |(name, _)| name));
        let message = if self.keys.iter().any(|key| key.name == name) {
            format!(
                "the session is encrypted with another key than the one given as `{name}`: give \
                 the right one"
            )
        } else {
            format!("the session is encrypted with the key `{name}`, which is not given: add it")
        };
        Error::new(ErrorKind::Store, message)
    }
}

impl Key {
    fn new(name: &str, key: &[u8; 32]) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            let message = "a key's name has up to 64 letters, digits, `.`, `-` and `_`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let unusable = |_source| Error::new(ErrorKind::System, "cannot use the key");
        let unbound = aead::UnboundKey::new(&aead::AES_256_GCM, key).map_err(unusable)?;
        // By it another key of the same name differs from a session that was changed.
        // See decision 0062.
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, key),
            b"llm-auth-store-postgres: fingerprint of a key",
        );
        let fingerprint: String = tag.as_ref()[..8]
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Ok(Self {
            name: name.to_owned(),
            id: format!("{name}:{fingerprint}"),
            key: aead::LessSafeKey::new(unbound),
        })
    }
}

/// Where a session belongs, so that the parts of two places never make the same bytes.
fn place(tenant: &str, of: &SessionKey) -> Vec<u8> {
    let mut place = b"llm-auth session 1".to_vec();
    for part in [tenant, of.provider(), of.account()] {
        place.extend((part.len() as u64).to_be_bytes());
        place.extend(part.as_bytes());
    }
    place
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("keys", &self.key_names())
            .field("accepts_unencrypted", &self.accepts_unencrypted)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str) -> SessionKey {
        SessionKey::new("qwen", account)
    }

    #[test]
    fn a_session_opens_at_its_own_place_only() {
        let encryption = Encryption::new("k", &[7; 32]).unwrap();
        let id = encryption.current().unwrap().to_owned();
        let sealed = encryption
            .seal("t", &key("a"), b"made-up".to_vec())
            .unwrap();
        let open = |tenant: &str, account: &str, sealed: &[u8]| {
            let opened = encryption.open(&id, tenant, &key(account), sealed);
            opened
                .map(|plain| plain.to_vec())
                .map_err(|error| error.kind())
        };
        assert_eq!(open("t", "a", &sealed).unwrap(), b"made-up");
        assert_eq!(open("u", "a", &sealed), Err(ErrorKind::Corrupt));
        assert_eq!(open("t", "b", &sealed), Err(ErrorKind::Corrupt));
        assert_eq!(open("", "ta", &sealed), Err(ErrorKind::Corrupt));
        for length in 0..sealed.len() {
            assert_eq!(open("t", "a", &sealed[..length]), Err(ErrorKind::Corrupt));
            let mut changed = sealed.clone();
            changed[length] ^= 1;
            assert_eq!(open("t", "a", &changed), Err(ErrorKind::Corrupt));
        }
        let again = encryption
            .seal("t", &key("a"), b"made-up".to_vec())
            .unwrap();
        assert_ne!(sealed, again, "the nonce is used twice");
        assert!(!sealed.windows(7).any(|part| part == b"made-up"));
    }

    #[test]
    fn another_key_of_the_same_name_is_not_taken_for_a_changed_session() {
        let (right, wrong) = ([1; 32], [2; 32]);
        let encryption = Encryption::new("k", &right).unwrap();
        let sealed = encryption.seal("", &key("a"), b"made-up".to_vec()).unwrap();
        let id = encryption.current().unwrap();
        let other = Encryption::new("k", &wrong).unwrap();
        let error = other.open(id, "", &key("a"), &sealed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("another key"), "{error}");
        let newer = Encryption::new("n", &wrong).unwrap();
        let error = newer.open(id, "", &key("a"), &sealed).unwrap_err();
        assert!(
            error.to_string().contains("`k`, which is not given"),
            "{error}"
        );
        let newer = newer.with_previous("k", &right).unwrap();
        assert_eq!(*newer.open(id, "", &key("a"), &sealed).unwrap(), b"made-up");
        assert!(newer.with_previous("k", &right).is_err());
        assert!(Encryption::new("a:b", &right).is_err());
    }
}
