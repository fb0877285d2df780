//! In a build that checks no ID tokens, a sign-in that demands one ends before it begins.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::config::IdTokenRules;
use super::protocol::Protocol;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::TokenResponse;
use crate::secret::Secret;

/// There is none.
pub(super) struct IdTokenCheck<'a> {
    never: Infallible,
    protocol: PhantomData<&'a Protocol>,
}

/// There are none.
pub(super) struct IssuerKeys(Infallible);

impl<'a> IdTokenCheck<'a> {
    pub(super) fn begin(
        _protocol: &'a Protocol,
        rules: Option<&'a IdTokenRules>,
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
        let _: PhantomData<&Protocol> = self.protocol;
        match self.never {}
    }

    #[expect(clippy::unused_async, reason = "the form of the real one")]
    pub(super) async fn keys(&self) -> Result<IssuerKeys> {
        match self.never {}
    }

    #[expect(clippy::unused_async, reason = "the form of the real one")]
    pub(super) async fn identity(
        &self,
        _granted: &TokenResponse,
        _client_id: &str,
        issuer: IssuerKeys,
    ) -> Result<Option<String>> {
        match issuer.0 {}
    }
}
