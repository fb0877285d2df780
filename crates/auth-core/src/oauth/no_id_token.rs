//! In a build that checks no ID tokens, a sign-in that demands one ends before it begins.

use super::config::IdTokenRules;
use super::protocol::Protocol;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::TokenResponse;
use crate::secret::Secret;

/// There is none.
pub(super) enum IdTokenCheck {}

/// There are none.
pub(super) enum IssuerKeys {}

impl IdTokenCheck {
    pub(super) fn begin(
        _protocol: &Protocol,
        rules: Option<&IdTokenRules>,
    ) -> Result<Option<Self>> {
        match rules {
            None => Ok(None),
            Some(_) => Err(Error::new(
                ErrorKind::Config,
                "this program was built without the check of ID tokens: enable the feature \
                 `id-token`",
            )),
        }
    }

    pub(super) fn nonce(&self) -> &Secret {
        match *self {}
    }

    pub(super) async fn keys(&self) -> Result<IssuerKeys> {
        match *self {}
    }

    pub(super) async fn identity(
        &self,
        _granted: &TokenResponse,
        _client_id: &str,
        _issuer: IssuerKeys,
    ) -> Result<Option<String>> {
        match *self {}
    }
}
