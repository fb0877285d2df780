//! The configuration that a session is used with, and the servers that may receive the session.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::config::{Client, ClientCredentials, OAuthConfig};
use super::protocol::{API, CLIENT_ID};
use crate::error::{Error, ErrorKind, Result};
use crate::origin::{Recipients, TrustedHost};
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// The configuration of one session.
pub(super) struct InUse<'a> {
    /// With the user's settings.
    pub(super) config: Cow<'a, OAuthConfig>,
    /// The provider's own, which decides what belongs to it.
    pub(super) own: Cow<'a, OAuthConfig>,
    pub(super) trusted: &'a [TrustedHost],
}

impl InUse<'_> {
    /// The recipients of refresh tokens and of the client secret: the servers that issue and revoke
    /// tokens.
    pub(super) fn of_tokens(&self) -> Recipients {
        let own = &self.own.endpoints;
        let own = [Some(&own.token), own.revocation.as_ref()];
        Recipients::of_provider(own.into_iter().flatten().cloned()).trusting(self.trusted)
    }

    /// The recipients of access tokens: those, and the servers that take them.
    pub(super) fn of_access(&self) -> Recipients {
        let own = &self.own.endpoints;
        let own = [
            Some(&own.token),
            own.revocation.as_ref(),
            own.userinfo.as_ref(),
            own.api_base.as_ref(),
        ];
        Recipients::of_provider(own.into_iter().flatten().cloned()).trusting(self.trusted)
    }

    /// The client of this session for a request to `endpoint`: the one that it was made with (RFC
    /// 6749 section 6), otherwise that of the configuration.
    ///
    /// A session that names no client does not decide which server receives a client secret.
    pub(super) fn client(
        &self,
        session: &OAuthToken,
        endpoint: &SecureUrl,
    ) -> Result<Option<ClientCredentials>> {
        if let Some(id) = session.metadata.provider_data.get(CLIENT_ID) {
            let secret = session.metadata.client_secret.clone();
            return Ok(Some(ClientCredentials::new(id, secret)));
        }
        let recipients = self.of_tokens();
        match &self.config.client {
            Client::None => Ok(None),
            Client::Required(_) => Err(Error::new(
                ErrorKind::Config,
                "the session does not record its OAuth client, and no client is set: sign in \
                 again, or set the client",
            )),
            Client::Known(client)
                if client.secret.is_some()
                    && !recipients.owns(endpoint)
                    && !recipients.trusts(endpoint) =>
            {
                Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "the session does not record its OAuth client; your client secret was not \
                         sent to {}",
                        endpoint.host()
                    ),
                ))
            }
            Client::Known(client) => Ok(Some(client.clone())),
        }
    }

    /// The session of another program, bound to a server, with what a refresh of it needs.
    pub(super) fn imported(&self, session: OAuthToken) -> Result<OAuthToken> {
        let recipients = self.of_tokens();
        let session = recipients.bind(session, &self.config.endpoints.token);
        let records_client = session.metadata.provider_data.contains(CLIENT_ID);
        match &self.config.client {
            _ if records_client => {}
            Client::None => {}
            Client::Required(_) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the OAuth client of the session is unknown",
                ));
            }
            Client::Known(client) if client.secret.is_some() => {
                // From here on the client secret goes to the same servers as the session.
                let (used, own) = (&self.config.endpoints.token, &self.own.endpoints.token);
                if !recipients.trusts(used) || recipients.permit(&session, used).is_err() {
                    recipients.permit(&session, own)?;
                }
            }
            Client::Known(_) => {}
        }
        Ok(self.begun(session, self.config.client.credentials()))
    }

    /// A session that begins here, with what it records for its life.
    pub(super) fn begun(
        &self,
        session: OAuthToken,
        client: Option<&ClientCredentials>,
    ) -> OAuthToken {
        let mut session = self.recorded(session, client);
        let data = &mut session.metadata.provider_data;
        let configured = self.config.client.credentials();
        if data.get(CLIENT_ID) == configured.map(|client| client.id.as_str()) {
            data.add(entries(&self.config.client_data));
        }
        if let Some(api) = self.moved_api(&session) {
            let api = [(API, api.as_str())];
            session.metadata.provider_data.add(api);
        }
        session
    }

    /// The API at the server that issued a session, if that is not the provider's: the session is for
    /// that one, also when the setting has gone.
    fn moved_api(&self, session: &OAuthToken) -> Option<&SecureUrl> {
        let [api, own] = [&self.config, &self.own].map(|config| config.endpoints.api_base.as_ref());
        let issuer = session.metadata.server.as_deref()?;
        let issuer = issuer.parse::<TrustedHost>().ok()?;
        api.filter(|api| Some(*api) != own && issuer.matches(api))
    }

    /// A refreshed session with what the next refresh needs. What it recorded before stays.
    pub(super) fn refreshed(
        &self,
        session: OAuthToken,
        client: Option<&ClientCredentials>,
        before: &OAuthToken,
    ) -> OAuthToken {
        let mut session = self.recorded(session, client);
        let before = before.metadata.provider_data.iter();
        session.metadata.provider_data.extend(before);
        session
    }

    /// The session with its client, and with the data of its server.
    fn recorded(&self, mut session: OAuthToken, client: Option<&ClientCredentials>) -> OAuthToken {
        let metadata = &mut session.metadata;
        if let Some(client) = client
            && !metadata.provider_data.contains(CLIENT_ID)
        {
            metadata.provider_data.insert(CLIENT_ID, client.id.as_str());
            metadata.client_secret.clone_from(&client.secret);
        }
        metadata
            .provider_data
            .add(entries(&self.config.session_data));
        session
    }
}

fn entries(data: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    data.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}
