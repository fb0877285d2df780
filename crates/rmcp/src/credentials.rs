//! The sessions of a manager as rmcp's credential store.

use rmcp::transport::auth::{AuthError, CredentialStore, OAuthTokenResponse, StoredCredentials};
use serde_json::json;

use crate::client::origin;
use crate::{
    AuthManager, Clock as _, Error, ErrorKind, OAuthToken, Result, SecureUrl, Server, SystemClock,
    Timestamp, async_trait,
};

/// rmcp's credential store over the session of a manager, for programs that keep rmcp's
/// `AuthorizationManager`. Others take [`SessionClient`](crate::SessionClient).
///
/// [`load`](CredentialStore::load) returns a fresh access token, refreshed once for all processes if
/// need be, and never a refresh token: so rmcp refreshes nothing by itself. It returns no credentials
/// if only a new sign-in helps, which rmcp reports as `AuthorizationRequired`.
///
/// After a status of 401, rmcp does not ask the store for another access token. Until the refused
/// one expires, its requests fail with `AuthRequired`.
///
/// rmcp sends the token to the URL of its transport, whatever that is: set it to the server's.
///
/// # Examples
///
/// ```
/// use llm_auth_rmcp::provider::Endpoints;
/// use llm_auth_rmcp::{
///     AuthManager, ProviderSpec as _, SecureUrl, Server, ServerClient, SessionStore,
/// };
/// use rmcp::transport::auth::CredentialStore as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token = SecureUrl::known("https://auth.example/token");
/// let mut server = Server::new("work", Endpoints::new(token));
/// server.endpoints.api_base = Some(SecureUrl::known("https://mcp.example/mcp"));
/// server.client = Some(ServerClient::new("made-up-client-id"));
/// let manager = AuthManager::builder(server.clone().provider()).build();
/// let store = SessionStore::new(manager, &server)?;
/// // There is no session yet.
/// assert!(store.load().await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionStore {
    manager: AuthManager,
    client_id: String,
    issuer: Option<String>,
    api: SecureUrl,
}

impl SessionStore {
    /// The sessions of this manager, whose provider is this server's. rmcp compares the server's
    /// issuer with the one that it discovers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the server has no client, or no API.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_rmcp::provider::Endpoints;
    /// use llm_auth_rmcp::{AuthManager, ErrorKind, ProviderSpec as _, SecureUrl, Server, SessionStore};
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// let server = Server::new("work", Endpoints::new(token));
    /// let manager = AuthManager::builder(server.clone().provider()).build();
    /// let error = SessionStore::new(manager, &server).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn new(manager: AuthManager, server: &Server) -> Result<Self> {
        let lacks = |what| {
            let message = format!("the server has no {what}: set it as in the sign-in");
            Error::new(ErrorKind::Config, message).with_session(manager.key())
        };
        let client = server.client.as_ref().ok_or_else(|| lacks("client"))?;
        let api = server.endpoints.api_base.as_ref();
        let api = api.ok_or_else(|| lacks("API base"))?.clone();
        Ok(Self {
            client_id: client.id.clone(),
            issuer: server.issuer.clone(),
            api,
            manager,
        })
    }

    async fn credentials(&self) -> Result<StoredCredentials> {
        let session = self.manager.token().await?;
        session.bearer()?;
        // The session of another server is not handed out as this one's.
        origin::check(&self.manager, &session, &self.api)?;
        let now = SystemClock.now();
        let expires_in = expires_in(&session, now);
        let scopes = session.scope.as_deref().unwrap_or_default();
        // Without both, rmcp takes a token for one that does not expire.
        let now = u64::try_from(now.as_unix_millis() / 1000).unwrap_or_default();
        let received_at = expires_in.map(|_| now);
        let credentials = StoredCredentials::new(
            self.client_id.clone(),
            Some(self.token_response(&session, expires_in)?),
            scopes.split_whitespace().map(str::to_owned).collect(),
            received_at,
        );
        Ok(credentials.with_issuer(self.issuer.clone()))
    }

    fn token_response(
        &self,
        session: &OAuthToken,
        expires_in: Option<u64>,
    ) -> Result<OAuthTokenResponse> {
        let mut response = json!({
            "access_token": session.access.expose(),
            "token_type": "Bearer",
        });
        if let Some(seconds) = expires_in {
            response["expires_in"] = seconds.into();
        }
        if let Some(scope) = &session.scope {
            response["scope"] = scope.as_str().into();
        }
        serde_json::from_value(response).map_err(|_may_quote_it| {
            let message = "rmcp cannot read the access token: sign in again";
            Error::new(ErrorKind::Protocol, message).with_session(self.manager.key())
        })
    }
}

/// How many seconds the access token lives, at least 1: at 0, rmcp would refresh it.
fn expires_in(session: &OAuthToken, now: Timestamp) -> Option<u64> {
    session.expires_at?;
    Some(session.expires_in(now).as_secs().max(1))
}

#[async_trait]
impl CredentialStore for SessionStore {
    /// The session's access token, refreshed if need be, without its refresh token; `None` if only a
    /// new sign-in helps.
    async fn load(&self) -> std::result::Result<Option<StoredCredentials>, AuthError> {
        match self.credentials().await {
            Ok(credentials) => Ok(Some(credentials)),
            Err(error) if error.needs_login() => {
                tracing::debug!(%error, "there are no credentials for rmcp");
                Ok(None)
            }
            Err(error) => Err(match error.kind() {
                ErrorKind::RateLimited | ErrorKind::Transient => {
                    AuthError::TokenRefreshFailed(error.to_string())
                }
                _ => AuthError::CredentialStoreError(error.to_string()),
            }),
        }
    }

    /// Always an error: the manager stores its sessions, and what rmcp has may be older.
    async fn save(&self, _credentials: StoredCredentials) -> std::result::Result<(), AuthError> {
        Err(AuthError::CredentialStoreError(format!(
            "{}: rmcp's credentials are not stored: sign in with llm-auth, which refreshes the session \
             too",
            self.manager.key()
        )))
    }

    /// Does nothing, and is no error: rmcp clears a store if the server that it discovers has another
    /// issuer, and then asks for a sign-in. The session is that of other programs too, and may be
    /// in order. The manager's `logout` ends it.
    async fn clear(&self) -> std::result::Result<(), AuthError> {
        tracing::debug!(session = %self.manager.key(), "rmcp cleared its credentials; the session stays");
        Ok(())
    }
}
