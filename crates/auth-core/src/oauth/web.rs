//! The authorization code at a page of a web service (RFC 6749 section 4.1, RFC 7636).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::code_flow::{Attempt, issuer_rule};
use super::config::{ClientCredentials, CodeFlow, OAuthConfig};
use super::id_token::IdTokenCheck;
use super::provider::OAuthProvider;
use super::requests;
use super::spec::ProviderSpec;
use crate::callback;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::pkce::Pkce;
use crate::random::random_state;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// A sign-in whose authorization response comes to a page of a web service, and not to a listener of
/// this library.
///
/// [`OAuthProvider::begin_code_sign_in`] makes it, and [`OAuthProvider::finish_code_sign_in`] takes
/// it. In between the service keeps it, for one user's browser: bind its [`state`](Self::state) to
/// the cookie of that browser, and forget it with the first response that names it. As a
/// [secret](Self::to_secret) it can be kept in a database, for a service of several processes.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::CodeSignIn;
///
/// # async fn run(
/// #     provider: llm_auth_core::OAuthProvider<llm_auth_core::provider::OAuthConfig>,
/// #     query: &str,
/// # ) -> llm_auth_core::Result<()> {
/// let callback = SecureUrl::known("https://app.example/callback");
/// let sign_in = provider.begin_code_sign_in(&callback).await?;
/// // Redirect the browser there, and keep this.
/// let (url, kept) = (sign_in.url().to_owned(), sign_in.to_secret());
///
/// // The browser comes back to the callback. Asks the server.
/// let sign_in = CodeSignIn::from_secret(&kept)?;
/// let session = provider.finish_code_sign_in(sign_in, &callback, query).await?;
/// # Ok(())
/// # }
/// ```
// Not `Clone`: a code verifier serves one request.
#[derive(Deserialize, Serialize)]
pub struct CodeSignIn {
    #[serde(skip)]
    url: String,
    /// Who is to redeem the code, and where: a response to another provider goes nowhere.
    provider: String,
    token_endpoint: String,
    redirect_uri: String,
    state: Secret,
    verifier: Secret,
    nonce: Option<Secret>,
    /// The client that was issued for this sign-in alone.
    client: Option<IssuedClient>,
}

#[derive(Deserialize, Serialize)]
struct IssuedClient {
    id: String,
    secret: Option<Secret>,
}

impl CodeSignIn {
    /// The whole authorization request: redirect the user's browser there, and keep it out of logs.
    /// Empty if the sign-in was read [from a secret](Self::from_secret).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::CodeSignIn;
    ///
    /// fn location(sign_in: &CodeSignIn) -> (&'static str, &str) {
    ///     ("location", sign_in.url())
    /// }
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `state` of the request, which the response repeats (RFC 6749 section 10.12): 43
    /// characters, unguessable.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::CodeSignIn;
    ///
    /// fn is_of(sign_in: &CodeSignIn, state: &str) -> bool {
    ///     // Secrets are compared in constant time.
    ///     *sign_in.state() == state.into()
    /// }
    /// ```
    #[must_use]
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// The sign-in without its URL, as JSON. Encrypt it before you store it: with it and the code, the code
    /// can be redeemed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Secret;
    /// use llm_auth_core::provider::CodeSignIn;
    ///
    /// fn kept(sign_in: &CodeSignIn) -> Secret {
    ///     sign_in.to_secret()
    /// }
    /// ```
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        // A structure of texts is always JSON.
        serde_json::to_string(self).unwrap_or_default().into()
    }

    /// The sign-in from what [`to_secret`](Self::to_secret) returned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it is anything else.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// use llm_auth_core::provider::CodeSignIn;
    ///
    /// let error = CodeSignIn::from_secret(&"made-up".into()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Corrupt);
    /// ```
    pub fn from_secret(kept: &Secret) -> Result<Self> {
        // The error of the parser may quote the text.
        serde_json::from_str(kept.expose()).map_err(|_quoting| {
            Error::new(
                ErrorKind::Corrupt,
                "what was kept of a sign-in cannot be read: start a new one",
            )
        })
    }
}

impl CodeSignIn {
    /// Checks that the code goes to the server that the user was sent to, and that the response came
    /// from there.
    fn check_parties(&self, config: &OAuthConfig, redirect_uri: &SecureUrl) -> Result<()> {
        if self.provider != config.name || self.token_endpoint != config.endpoints.token.as_str() {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "this sign-in was begun with another provider or token endpoint, so nothing was \
                     sent to {}: finish it with the same one, or start a new one",
                    config.endpoints.token.host()
                ),
            ));
        }
        if self.redirect_uri != redirect_uri.as_str() {
            return Err(Error::new(
                ErrorKind::StateMismatch,
                "the response came to another redirect URI than that of this sign-in: start a new one",
            ));
        }
        Ok(())
    }
}

impl<S: ProviderSpec + ?Sized> OAuthProvider<S> {
    /// Begins a sign-in by authorization code with PKCE at a redirect URI that the program itself
    /// serves, and that is registered at the server. It needs a [`CodeFlow`](super::CodeFlow) in the
    /// configuration, whose own loopback address is not used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the provider has no code flow, or one whose response carries no
    /// `state`, or its configuration is incomplete; [`ErrorKind::System`] without randomness.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// use llm_auth_core::provider::{Client, CodeFlow, Flow, OAuthConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let mut config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// config.endpoints.authorization = Some(SecureUrl::known("https://auth.example/authorize"));
    /// config.client = Client::known("app");
    /// config.flows = vec![Flow::Code(CodeFlow::new("/callback"))];
    ///
    /// let callback = SecureUrl::known("https://app.example/callback");
    /// let sign_in = config.provider().begin_code_sign_in(&callback).await?;
    /// assert!(sign_in.url().starts_with("https://auth.example/authorize?response_type=code"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn begin_code_sign_in(&self, redirect_uri: &SecureUrl) -> Result<CodeSignIn> {
        engine::inside(self.begin(redirect_uri)).await
    }

    async fn begin(&self, redirect_uri: &SecureUrl) -> Result<CodeSignIn> {
        let protocol = self.protocol();
        let config = &protocol.config;
        let flow = self.code_flow()?;
        if flow.secret_path {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} returns no `state`, which binds a response to a browser: use another flow",
                    config.title()
                ),
            ));
        }
        let endpoint = protocol.authorization_endpoint()?;
        config.check()?;
        let start = protocol.with_files(|spec| spec.start()).await?;
        let client = match &start.client {
            None => protocol.sign_in_client()?,
            client => client.as_ref(),
        };
        let (pkce, state) = (Pkce::generate()?, random_state()?);
        let check = IdTokenCheck::with_nonce(protocol)?;
        let nonce = check.as_ref().and_then(IdTokenCheck::nonce);
        let redirect_uri = redirect_uri.as_str();
        let form = requests::authorization(config, client, redirect_uri, &state, nonce, &pkce);
        let started = start.parameters.iter();
        let form = started.fold(form, |form, (name, value)| form.text(name.clone(), value));
        let pairs: Vec<_> = form.pairs().collect();
        Ok(CodeSignIn {
            url: endpoint.with_query(&pairs),
            provider: config.name.clone(),
            token_endpoint: config.endpoints.token.as_str().to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            nonce: nonce.cloned(),
            verifier: pkce.verifier().clone(),
            client: start.client.map(|client| IssuedClient {
                id: client.id,
                secret: client.secret,
            }),
            state,
        })
    }

    /// Ends a sign-in with the response that came to the redirect URI: checks its place, its `state` and
    /// its issuer, and redeems the code, once. `redirect_uri` is the place where the response came, and
    /// `query` the query of the request, without `?`. Give each provider a redirect URI of its own: then
    /// a response to another one is not mistaken for its own (RFC 9700 section 4.4.2). Give the session
    /// to [`Sessions::insert`](crate::Sessions::insert) or
    /// [`AuthManager::insert_session`](crate::AuthManager::insert_session).
    ///
    /// It needs no runtime. If the future is dropped, a session that the server has issued meanwhile is
    /// lost, and the user must sign in again: a service whose handlers are dropped with their
    /// connections awaits it, and stores the session, in a task of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StateMismatch`] if this is not the response to this sign-in, and
    /// [`ErrorKind::Config`] if the sign-in was begun with another provider or another token endpoint:
    /// nothing was sent. [`ErrorKind::Denied`] if the user refused; otherwise as
    /// [`authenticate`](crate::AuthProvider::authenticate).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(
    /// #     provider: llm_auth_core::OAuthProvider<llm_auth_core::provider::OAuthConfig>,
    /// #     sign_in: llm_auth_core::provider::CodeSignIn,
    /// #     sessions: llm_auth_core::Sessions,
    /// # ) -> llm_auth_core::Result<()> {
    /// use llm_auth_core::{SecureUrl, SessionKey};
    ///
    /// // Asks the server.
    /// let (callback, query) = ("https://app.example/callback", "code=made-up&state=made-up");
    /// let callback = SecureUrl::known(callback);
    /// let session = provider.finish_code_sign_in(sign_in, &callback, query).await?;
    /// sessions.insert(&SessionKey::new("example", "customer-1"), session).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn finish_code_sign_in(
        &self,
        sign_in: CodeSignIn,
        redirect_uri: &SecureUrl,
        query: &str,
    ) -> Result<OAuthToken> {
        engine::inside(self.finish(sign_in, redirect_uri, query)).await
    }

    async fn finish(
        &self,
        sign_in: CodeSignIn,
        redirect_uri: &SecureUrl,
        query: &str,
    ) -> Result<OAuthToken> {
        let protocol = self.protocol();
        sign_in.check_parties(&protocol.config, redirect_uri)?;
        let issuer = issuer_rule(self.code_flow()?);
        let (code, parameters) = callback::read_response(query, &sign_in.state, issuer)?;
        let outcome = protocol
            .with_files(move |spec| spec.callback(&parameters))
            .await?;
        let issued = sign_in
            .client
            .map(|client| ClientCredentials::new(client.id, client.secret));
        let client = match &issued {
            None => protocol.sign_in_client()?,
            issued => issued.as_ref(),
        };
        let attempt = Attempt {
            protocol,
            client,
            redirect_uri: sign_in.redirect_uri,
            pkce: Pkce::from_verifier(sign_in.verifier)?,
            id_token: IdTokenCheck::of_nonce(protocol, sign_in.nonce),
        };
        let (session, user) = attempt.exchange(&code, outcome).await?;
        Ok(protocol.identified(session, user).await)
    }

    fn code_flow(&self) -> Result<&CodeFlow> {
        let config = self.config();
        config.code_flow().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("{} does not support the code flow", config.title()),
            )
        })
    }
}

impl fmt::Debug for CodeSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds `state`.
        f.debug_struct("CodeSignIn")
            .field("provider", &self.provider)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
