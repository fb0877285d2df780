//! The authorization code in the browser of this computer (RFC 6749 section 4.1, RFC 7636, RFC
//! 8252).

use std::sync::Arc;

use super::config::{ClientCredentials, CodeFlow};
use super::id_token::{Claimed, IdTokenCheck};
use super::protocol::Protocol;
use super::requests;
use super::spec::{CallbackOutcome, ProviderSpec};
use crate::callback::{CallbackResponse, IssuerRule, LoopbackListener, StateRule};
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::Operation;
use crate::pkce::Pkce;
use crate::prompt::{LoginEvent, UserPrompt};
use crate::random::random_state;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// One authorization request, whose codes only it can redeem.
pub(super) struct Attempt<'a> {
    pub(super) protocol: &'a Protocol,
    pub(super) client: Option<&'a ClientCredentials>,
    pub(super) redirect_uri: String,
    pub(super) pkce: Pkce,
    pub(super) id_token: Option<IdTokenCheck<'a>>,
}

impl Protocol {
    pub(super) async fn code_flow(
        &self,
        flow: &CodeFlow,
        prompt: &dyn UserPrompt,
    ) -> Result<OAuthToken> {
        let config = &self.config;
        let endpoint = self.authorization_endpoint()?;
        config.check()?;
        let id_token = IdTokenCheck::with_nonce(self)?;
        let start = self.with_files(|spec| spec.start()).await?;
        let client = match &start.client {
            None => self.sign_in_client()?,
            client => client.as_ref(),
        };
        let (pkce, state) = (Pkce::generate()?, random_state()?);
        let mut redirect = flow.redirect.clone();
        let mut rule = StateRule::Required;
        if flow.secret_path {
            redirect.path = format!("{}/{}", redirect.path, random_state()?.expose());
            rule = StateRule::InPath;
        }
        let listener = LoopbackListener::bind_to(&redirect)?;
        let redirect_uri = listener.redirect_uri().to_owned();
        let nonce = id_token.as_ref().and_then(IdTokenCheck::nonce);
        let form = requests::authorization(config, client, &redirect_uri, &state, nonce, &pkce);
        let started = start.parameters.iter();
        let form = started.fold(form, |form, (name, value)| form.text(name.clone(), value));
        let timeout = self.settings.browser_timeout();
        let pairs: Vec<_> = form.pairs().collect();
        let url = endpoint.with_query(&pairs);
        prompt.notify(&LoginEvent::authorization_url(&url, &redirect_uri, timeout));
        let issuer = issuer_rule(flow);
        let response = listener
            .wait_with(&state, rule, issuer, timeout, prompt)
            .await?;
        let attempt = Attempt {
            protocol: self,
            client,
            redirect_uri,
            pkce,
            id_token,
        };
        let (session, user) = attempt.redeem(response, prompt).await?;
        Ok(self.identified(session, user).await)
    }

    pub(super) fn authorization_endpoint(&self) -> Result<&SecureUrl> {
        self.config.endpoints.authorization.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("{} has no authorization endpoint", self.config.title()),
            )
        })
    }

    /// Asks the spec something for which it may read and write a file.
    pub(super) async fn with_files<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn ProviderSpec) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let spec = Arc::clone(&self.spec);
        engine::files().run(move || question(spec.as_ref())).await
    }
}

pub(super) fn issuer_rule(flow: &CodeFlow) -> IssuerRule<'_> {
    match &flow.issuer {
        None => IssuerRule::Unchecked,
        Some(issuer) if flow.requires_issuer => IssuerRule::Required(issuer),
        Some(issuer) => IssuerRule::IfPresent(issuer),
    }
}

impl Attempt<'_> {
    /// Redeems codes until one is good: the user may have pasted a part of one, or another text.
    async fn redeem(
        &self,
        mut response: CallbackResponse,
        prompt: &dyn UserPrompt,
    ) -> Result<(OAuthToken, Claimed)> {
        loop {
            let parameters = response.parameters().clone();
            let read = self
                .protocol
                .with_files(move |spec| spec.callback(&parameters));
            let outcome = match read.await {
                Ok(outcome) => outcome,
                // A pasted response may lack a part, which the browser may still bring.
                Err(error) if error.kind() == ErrorKind::Protocol => {
                    response = response.not_redeemed(error, prompt).await?;
                    continue;
                }
                Err(error) => {
                    response = response.failed(error, prompt).await?;
                    continue;
                }
            };
            match self.exchange(response.code(), outcome).await {
                Ok(signed_in) => {
                    response.succeeded().await;
                    return Ok(signed_in);
                }
                Err(error) => response = response.failed(error, prompt).await?,
            }
        }
    }

    /// One try, never a second: a code is redeemed once (RFC 6749 section 4.1.2).
    pub(super) async fn exchange(
        &self,
        code: &Secret,
        outcome: CallbackOutcome,
    ) -> Result<(OAuthToken, Claimed)> {
        let protocol = self.protocol;
        let config = &protocol.config;
        let client = outcome.client.as_ref().or(self.client);
        let keys = match &self.id_token {
            Some(check) => Some((check, check.keys().await?)),
            None => None,
        };
        let form = requests::exchange(config, client, &self.redirect_uri, code, &self.pkce);
        let response = protocol.post_token(config, &form).await?;
        let call = protocol.call(Operation::Exchange, config);
        let granted = protocol.spec.token(&call, &response)?;
        protocol.check_scope(&granted)?;
        let user = match keys {
            None => Claimed::default(),
            Some((check, keys)) => check.user(&granted, client, keys).await?,
        };
        let mut session = protocol.session(granted, client);
        session.metadata.provider_data.extend(outcome.session_data);
        Ok((session, user))
    }
}
