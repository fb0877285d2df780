//! From what the user has to the key of a directory.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use llm_auth_core::{Error, ErrorKind, Result};
use llm_auth_sealing::{SealingKeys, derive};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How long a key must be that no function makes harder to guess.
const SHORTEST_KEY: usize = 32;

/// A file may not ask for more, in KiB: it might be another program's.
const MOST_MEMORY: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

const LENGTH: usize = 32;

/// What the user has.
pub(crate) enum Source {
    Passphrase(Zeroizing<Vec<u8>>),
    Key(Zeroizing<Vec<u8>>),
}

/// How a key is derived: the public part.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Header {
    pub(crate) kdf: Kdf,
    pub(crate) salt: String,
    /// What the right key yields.
    pub(crate) check: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub(crate) enum Kdf {
    /// Argon2id, version 0x13.
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    /// The secret is random.
    None,
}

/// The key of a directory, with what identifies it.
pub(crate) struct Key {
    pub(crate) header: Header,
    pub(crate) keys: SealingKeys,
}

/// The parameters for new directories: the second recommended option of RFC 9106, section 4.
pub(crate) const PASSPHRASE: Kdf = Kdf::Argon2id {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 4,
};

impl Source {
    pub(crate) fn passphrase(passphrase: Zeroizing<Vec<u8>>) -> Result<Self> {
        match passphrase.is_empty() {
            true => Err(unfit("the passphrase is empty: enter one")),
            false => Ok(Self::Passphrase(passphrase)),
        }
    }

    /// Line ends after it do not count, for a file may have one.
    pub(crate) fn key(mut key: Zeroizing<Vec<u8>>) -> Result<Self> {
        while matches!(key.last(), Some(b'\n' | b'\r')) {
            key.pop();
        }
        match key.len() {
            0 => Err(unfit("the key is empty: use 32 random bytes or more")),
            length if length < SHORTEST_KEY => Err(unfit(&format!(
                "the key has {length} bytes: use 32 random bytes or more, or a passphrase"
            ))),
            _ => Ok(Self::Key(key)),
        }
    }

    /// A key with a salt of its own.
    pub(crate) fn new_key(&self, passphrase: Kdf) -> Result<Key> {
        let kdf = match self {
            Self::Passphrase(_) => passphrase,
            Self::Key(_) => Kdf::None,
        };
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|source| {
            Error::new(ErrorKind::System, "the system provides no random numbers")
                .with_source(source)
        })?;
        self.derive(kdf, &salt)
    }

    /// The key of this header; `None` if the header belongs to another one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if no key has such a header.
    pub(crate) fn key_of(&self, header: &Header) -> Result<Option<Key>> {
        let salt = BASE64.decode(&header.salt).unwrap_or_default();
        if salt.len() < 16 {
            return Err(Error::new(ErrorKind::Corrupt, "its salt is not valid"));
        }
        let key = self.derive(header.kdf, &salt)?;
        Ok((key.header == *header).then_some(key))
    }

    fn derive(&self, kdf: Kdf, salt: &[u8]) -> Result<Key> {
        let (Self::Passphrase(secret) | Self::Key(secret)) = self;
        let secret = match kdf {
            Kdf::None => secret.clone(),
            Kdf::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => stretched(secret, salt, memory_kib, passes, lanes)?,
        };
        let key = derive(
            &secret,
            salt,
            "llm-auth-store-encrypted 1: key of a directory",
        )?;
        let mut header = Header {
            kdf,
            salt: BASE64.encode(salt),
            check: String::new(),
        };
        let keys = SealingKeys::new(&header.name(), &key)?;
        if let Some((_name, check)) = keys.current_id().rsplit_once('.') {
            check.clone_into(&mut header.check);
        }
        Ok(Key { header, keys })
    }
}

impl Header {
    /// The id of its key for the seal.
    pub(crate) fn key_id(&self) -> String {
        format!("{}.{}", self.name(), self.check)
    }

    /// The name of its key: a digest of how it is derived.
    fn name(&self) -> String {
        let kdf = serde_json::to_string(&self.kdf).unwrap_or_default();
        let digest = Sha256::digest(format!("{kdf} {}", self.salt));
        digest[..16]
            .iter()
            .fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
    }
}

fn stretched(
    secret: &[u8],
    salt: &[u8],
    memory: u32,
    passes: u32,
    lanes: u32,
) -> Result<Zeroizing<Vec<u8>>> {
    let senseless = || Error::new(ErrorKind::Corrupt, "its key derivation is not valid");
    if memory > MOST_MEMORY || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(senseless());
    }
    let params =
        Params::new(memory, passes, lanes, Some(LENGTH)).map_err(|_out_of_range| senseless())?;
    let mut stretched = Zeroizing::new(vec![0; LENGTH]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret, salt, &mut stretched)
        .map_err(|_too_long| unfit("the passphrase is too long: use a shorter one"))?;
    Ok(stretched)
}

fn unfit(why: &str) -> Error {
    Error::new(ErrorKind::Config, why)
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's `cryptography`, as the README describes it:
    ///
    /// ```text
    /// from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    /// from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    /// from cryptography.hazmat.primitives.hashes import SHA256
    /// salt = bytes([7]) * 16
    /// hkdf = lambda secret, salt, info: HKDF(SHA256(), 32, salt, info).derive(secret)
    /// stretched = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=64).derive(b"made-up")
    /// for secret in stretched, b"k" * 32:
    ///     key = hkdf(secret, salt, b"llm-auth-store-encrypted 1: key of a directory")
    ///     print(hkdf(key, None, b"llm-auth-sealing 1: check of a key")[:8].hex())
    /// ```
    #[test]
    fn the_key_derivation_is_that_of_the_description() {
        let fast = Kdf::Argon2id {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let source = Source::passphrase(b"made-up".to_vec().into()).unwrap();
        let key = source.derive(fast, &[7; 16]).unwrap();
        assert_eq!(key.header.check, "83302a054619e775");
        let source = Source::key(vec![b'k'; 32].into()).unwrap();
        let key = source.derive(Kdf::None, &[7; 16]).unwrap();
        assert_eq!(key.header.check, "a0e7ae97ba5790bd");
    }
}
