//! The ID token of a sign-in: its nonce, the keys of its issuer, and what becomes of it.

use super::config::IdTokenRules;
use super::protocol::Protocol;
use super::spec::LONGEST_IDENTITY;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::TokenResponse;
use crate::http::{JsonObject, Response};
use crate::id_token::{Expected, KeySet, Refusal, check};
use crate::random::random_state;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// What one sign-in demands of its ID token.
pub(super) struct IdTokenCheck<'a> {
    protocol: &'a Protocol,
    rules: &'a IdTokenRules,
    nonce: Secret,
}

/// The keys of the issuer, and where there may be newer ones.
pub(super) struct IssuerKeys {
    place: SecureUrl,
    keys: KeySet,
}

impl<'a> IdTokenCheck<'a> {
    /// A check with a nonce of its own; `None` if the sign-in demands none.
    pub(super) fn begin(
        protocol: &'a Protocol,
        rules: Option<&'a IdTokenRules>,
    ) -> Result<Option<Self>> {
        let Some(rules) = rules else {
            return Ok(None);
        };
        Ok(Some(Self {
            protocol,
            rules,
            nonce: random_state()?,
        }))
    }

    pub(super) fn nonce(&self) -> &Secret {
        &self.nonce
    }

    /// Fetches the keys. It is done before the exchange, so that a failure spends no code.
    pub(super) async fn keys(&self) -> Result<IssuerKeys> {
        let endpoints = &self.protocol.config.endpoints;
        let Some(discovery) = &endpoints.discovery else {
            let title = self.protocol.config.title();
            return Err(Error::new(
                ErrorKind::Config,
                format!("{title} has no discovery document: set its URL"),
            ));
        };
        let document = self.get(discovery).await?;
        // OpenID Connect Discovery section 4.3.
        if document.text("issuer") != Some(&self.rules.issuer) {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "the document at {discovery} is not from {}: correct its URL",
                    self.rules.issuer
                ),
            ));
        }
        let place = document.endpoint("jwks_uri")?.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("the document at {discovery} names no `jwks_uri`"),
            )
        })?;
        let keys = self.fetch(&place).await?;
        Ok(IssuerKeys { place, keys })
    }

    /// The verified e-mail address in the ID token of the response, if it has one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if the token is missing or invalid.
    pub(super) async fn identity(
        &self,
        granted: &TokenResponse,
        client_id: &str,
        mut issuer: IssuerKeys,
    ) -> Result<Option<String>> {
        let Some(token) = &granted.id_token else {
            return Err(self.invalid("the token response has none"));
        };
        // See decision 0017: the issuer's clock decides, if its response shows it.
        let now = granted
            .server_time
            .unwrap_or_else(|| self.protocol.clock.now());
        let expected = Expected {
            issuer: &self.rules.issuer,
            client_id,
            nonce: &self.nonce,
            now,
        };
        let mut checked = check(token, &issuer.keys, &expected)?;
        if matches!(checked, Err(Refusal::UnknownKey)) {
            // The issuer may have changed its keys a moment ago.
            issuer.keys = self.fetch(&issuer.place).await?;
            checked = check(token, &issuer.keys, &expected)?;
        }
        match checked {
            Ok(claims) => Ok(claims
                .shown("email", LONGEST_IDENTITY)
                .filter(|_| claims.is_true("email_verified"))),
            Err(Refusal::UnknownKey) => Err(self.invalid("its issuer has no such key")),
            Err(Refusal::Invalid(why)) => Err(self.invalid(&why)),
        }
    }

    async fn fetch(&self, place: &SecureUrl) -> Result<KeySet> {
        KeySet::read(&self.get(place).await?).ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("the document at {place} holds no keys"),
            )
        })
    }

    async fn get(&self, document: &SecureUrl) -> Result<JsonObject> {
        let response = self.protocol.http.get(document).await?;
        match response.json() {
            Ok(fields) if response.is_success() => Ok(fields),
            Ok(_) => Err(unavailable(&response)),
            Err(error) => Err(error),
        }
    }

    fn invalid(&self, why: &str) -> Error {
        let title = self.protocol.config.title();
        Error::new(
            ErrorKind::Protocol,
            format!(
                "the ID token of {title} is not acceptable: {why}; nothing was stored: sign in \
                 again"
            ),
        )
    }
}

fn unavailable(response: &Response) -> Error {
    let (host, status) = (response.host(), response.status());
    let kind = response.kind_of_status().unwrap_or(ErrorKind::Protocol);
    response.error(
        kind,
        format!("{host} does not return the keys of its ID tokens (status {status})"),
    )
}
