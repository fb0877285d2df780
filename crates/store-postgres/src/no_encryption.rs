//! In place of the encryption in a build without a cipher: no value of it exists.

use llm_auth_core::{Result, SessionKey};
use zeroize::Zeroizing;

#[derive(Debug)]
pub(crate) enum Encryption {}

impl Encryption {
    pub(crate) fn accepts_unencrypted(&self) -> bool {
        match *self {}
    }

    pub(crate) fn current(&self) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn seal(&self, _tenant: &str, _of: &SessionKey, _plain: Vec<u8>) -> Result<Vec<u8>> {
        match *self {}
    }

    pub(crate) fn open(
        &self,
        _id: &str,
        _tenant: &str,
        _of: &SessionKey,
        _sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        match *self {}
    }
}
