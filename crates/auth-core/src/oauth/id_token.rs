//! The ID token of a sign-in: its nonce, the keys of its issuer, and what becomes of it.

use super::config::{ClientCredentials, IdTokenRules};
use super::protocol::Protocol;
use super::spec::LONGEST_IDENTITY;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::TokenResponse;
use crate::http::{JsonObject, Response};
use crate::id_token::{Expected, KeySet, Refusal, check, check_unsigned};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// What one sign-in demands of its ID token.
pub(super) struct IdTokenCheck<'a> {
    protocol: &'a Protocol,
    rules: &'a IdTokenRules,
    nonce: Option<Secret>,
}

/// The keys of the issuer, and where there may be newer ones.
pub(super) struct IssuerKeys {
    place: SecureUrl,
    keys: KeySet,
}

/// The user as an ID token names them.
#[derive(Default)]
pub(super) struct Claimed {
    /// The identifier at the issuer.
    pub(super) subject: Option<String>,
    /// The e-mail address, if it is verified.
    pub(super) email: Option<String>,
}

impl<'a> IdTokenCheck<'a> {
    /// The check of a code flow, with a nonce of its own; `None` if no ID token is read.
    #[cfg(feature = "loopback")]
    pub(super) fn with_nonce(protocol: &'a Protocol) -> Result<Option<Self>> {
        let Some(check) = Self::without_nonce(protocol) else {
            return Ok(None);
        };
        let nonce = Some(crate::random::random_state()?);
        Ok(Some(Self { nonce, ..check }))
    }

    /// The check of a sign-in whose request had this nonce.
    #[cfg(feature = "loopback")]
    pub(super) fn of_nonce(protocol: &'a Protocol, nonce: Option<Secret>) -> Option<Self> {
        Self::without_nonce(protocol).map(|check| Self { nonce, ..check })
    }

    /// The check of a device flow, which sends no nonce; `None` if no ID token is read.
    pub(super) fn without_nonce(protocol: &'a Protocol) -> Option<Self> {
        let rules = protocol.config.id_token.as_ref()?;
        Some(Self {
            protocol,
            rules,
            nonce: None,
        })
    }

    #[cfg(feature = "loopback")]
    pub(super) fn nonce(&self) -> Option<&Secret> {
        self.nonce.as_ref()
    }

    /// Fetches the keys, if a signature is checked. It is done before the exchange, so that a
    /// failure spends no code.
    pub(super) async fn keys(&self) -> Result<Option<IssuerKeys>> {
        if !self.rules.checks_signature {
            return Ok(None);
        }
        let title = self.protocol.config.title();
        let discovery = self.protocol.config.endpoints.discovery.as_ref();
        let (Some(discovery), Some(issuer)) = (discovery, &self.rules.issuer) else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{title} has no discovery document and issuer for ID tokens: set both"),
            ));
        };
        let document = self.get(discovery).await?;
        // OpenID Connect Discovery section 4.3.
        if document.text("issuer") != Some(issuer) {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("the document at {discovery} is not from {issuer}: correct its URL"),
            ));
        }
        let place = document.endpoint("jwks_uri")?.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("the document at {discovery} names no `jwks_uri`"),
            )
        })?;
        let keys = self.fetch(&place).await?;
        Ok(Some(IssuerKeys { place, keys }))
    }

    /// The user that the ID token of the response names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if the token is invalid, or missing although it is required.
    pub(super) async fn user(
        &self,
        granted: &TokenResponse,
        client: Option<&ClientCredentials>,
        issuer: Option<IssuerKeys>,
    ) -> Result<Claimed> {
        let Some(token) = &granted.id_token else {
            return match self.rules.is_required {
                true => Err(self.invalid("the token response has none")),
                false => Ok(Claimed::default()),
            };
        };
        // See decision 0017: the issuer's clock decides, if its response shows it.
        let now = granted
            .server_time
            .unwrap_or_else(|| self.protocol.clock.now());
        let expected = Expected {
            issuer: self.rules.issuer.as_deref(),
            client_id: client.map_or("", |client| &client.id),
            nonce: self.nonce.as_ref(),
            now,
        };
        let checked = match issuer {
            None => check_unsigned(token, &expected),
            Some(issuer) => self.check_signed(token, &expected, issuer).await?,
        };
        match checked {
            Ok(claims) => Ok(Claimed {
                subject: claims.text("sub").map(str::to_owned),
                email: claims
                    .shown("email", LONGEST_IDENTITY)
                    .filter(|_| claims.is_true("email_verified")),
            }),
            Err(Refusal::UnknownKey) => Err(self.invalid("its issuer has no such key")),
            Err(Refusal::Invalid(why)) => Err(self.invalid(&why)),
        }
    }

    async fn check_signed(
        &self,
        token: &Secret,
        expected: &Expected<'_>,
        mut issuer: IssuerKeys,
    ) -> Result<std::result::Result<JsonObject, Refusal>> {
        let checked = check(token, &issuer.keys, expected)?;
        if !matches!(checked, Err(Refusal::UnknownKey)) {
            return Ok(checked);
        }
        // The issuer may have changed its keys a moment ago.
        issuer.keys = self.fetch(&issuer.place).await?;
        check(token, &issuer.keys, expected)
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
