//! In place of the cipher in a build without one: no value of it exists.

use llm_auth_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

pub(crate) const TAG: usize = 16;

pub(crate) enum Cipher {}

pub(crate) fn derive(_secret: &[u8], _salt: &[u8], _info: &str) -> Result<Zeroizing<[u8; 32]>> {
    Err(Error::new(
        ErrorKind::Config,
        "there is no cipher to encrypt sessions with: enable the feature `ring` or `aws-lc-rs`",
    ))
}

impl Cipher {
    pub(crate) fn new(secret: &[u8], salt: &[u8], info: &str) -> Result<Self> {
        derive(secret, salt, info).and_then(|_none| Err(Error::new(ErrorKind::Config, "no cipher")))
    }

    pub(crate) fn seal(self, _associated: &[u8], _content: &mut [u8]) -> Result<[u8; TAG]> {
        match self {}
    }

    pub(crate) fn open(self, _associated: &[u8], _sealed: &mut [u8]) -> Option<usize> {
        match self {}
    }
}
