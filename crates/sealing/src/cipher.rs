//! HKDF-SHA-256 (RFC 5869) and AES-256-GCM, by the library that the features choose. See decision 0065.

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::{aead, hkdf};
use llm_auth_core::{Error, ErrorKind, Result};
#[cfg(not(feature = "aws-lc-rs"))]
use ring::{aead, hkdf};
use zeroize::Zeroizing;

/// The length of a tag.
pub(crate) const TAG: usize = 16;

/// The key of one value.
pub(crate) struct Cipher(aead::LessSafeKey);

struct Bits256;

impl hkdf::KeyType for Bits256 {
    fn len(&self) -> usize {
        32
    }
}

/// A key that depends on all three.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &str) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info.as_bytes()], Bits256)
        .and_then(|expanded| expanded.fill(&mut *key))
        .map_err(|_unspecified| failed("derive a key"))?;
    Ok(key)
}

impl Cipher {
    pub(crate) fn new(secret: &[u8], salt: &[u8], info: &str) -> Result<Self> {
        let key = derive(secret, salt, info)?;
        aead::UnboundKey::new(&aead::AES_256_GCM, &*key)
            .map(|key| Self(aead::LessSafeKey::new(key)))
            .map_err(|_unspecified| failed("use a key"))
    }

    /// Encrypts in place. This is the only value of the key: a second one would break both.
    pub(crate) fn seal(self, associated: &[u8], content: &mut [u8]) -> Result<[u8; TAG]> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(), aead::Aad::from(associated), content)
            .map_err(|_unspecified| failed("encrypt the session"))?;
        tag.as_ref()
            .try_into()
            .map_err(|_length| failed("encrypt the session"))
    }

    /// Decrypts in place what the tag follows; `None` if it is not authentic.
    pub(crate) fn open(self, associated: &[u8], sealed: &mut [u8]) -> Option<usize> {
        let opened = self
            .0
            .open_in_place(nonce(), aead::Aad::from(associated), sealed);
        opened.ok().map(|content| content.len())
    }
}

/// Each key encrypts one value.
fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::System, format!("cannot {what}"))
}
