//! The file that a client reads its key from.

use llm_auth_core::Secret;

use crate::error::Failure;
use crate::session::claim::Claim;

/// A key in a file for its user only; removed in the end, when the key is good for nothing.
pub(super) struct KeyFile {
    claim: Claim,
    line: Secret,
}

impl KeyFile {
    /// Writes the key.
    pub(super) fn write(mut claim: Claim, key: &Secret) -> Result<Self, Failure> {
        let line = Secret::from(format!("{}\n", key.expose()));
        claim.replace(line.expose().as_bytes())?;
        Ok(Self { claim, line })
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // Another program may have written something else.
        let _stays = self.claim.remove(self.line.expose().as_bytes());
    }
}
