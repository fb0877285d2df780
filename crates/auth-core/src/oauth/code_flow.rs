//! The authorization code in the browser of this computer (RFC 6749 section 4.1, RFC 7636, RFC
//! 8252).

use super::config::{ClientCredentials, CodeFlow};
use super::protocol::Protocol;
use super::requests;
use super::spec::CallbackOutcome;
use crate::callback::{CallbackResponse, IssuerRule, LoopbackListener, StateRule};
use crate::error::{Error, ErrorKind, Result};
use crate::grant::Operation;
use crate::pkce::Pkce;
use crate::prompt::{LoginEvent, UserPrompt};
use crate::random::random_state;
use crate::secret::Secret;
use crate::token::OAuthToken;

/// One authorization request, whose codes only it can redeem.
struct Attempt<'a> {
    protocol: &'a Protocol,
    client: Option<&'a ClientCredentials>,
    redirect_uri: String,
    pkce: Pkce,
}

impl Protocol {
    pub(super) async fn code_flow(
        &self,
        flow: &CodeFlow,
        prompt: &dyn UserPrompt,
    ) -> Result<OAuthToken> {
        let config = &self.config;
        let Some(endpoint) = &config.endpoints.authorization else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} has no authorization endpoint", config.title()),
            ));
        };
        requests::check_rules(config)?;
        let client = self.sign_in_client()?;
        let (pkce, state) = (Pkce::generate()?, random_state()?);
        let mut redirect = flow.redirect.clone();
        let mut rule = StateRule::Required;
        if flow.secret_path {
            redirect.path = format!("{}/{}", redirect.path, random_state()?.expose());
            rule = StateRule::InPath;
        }
        let listener = LoopbackListener::bind_to(&redirect)?;
        let redirect_uri = listener.redirect_uri().to_owned();
        let mut form = requests::authorization(config, client, &redirect_uri, &state, &pkce);
        if flow.sends_nonce {
            form = form.secret("nonce", &random_state()?);
        }
        let timeout = self.settings.browser_timeout();
        let pairs: Vec<_> = form.pairs().collect();
        let url = endpoint.with_query(&pairs);
        prompt.notify(&LoginEvent::authorization_url(&url, &redirect_uri, timeout));
        let issuer = match &flow.issuer {
            None => IssuerRule::Unchecked,
            Some(issuer) if flow.requires_issuer => IssuerRule::Required(issuer),
            Some(issuer) => IssuerRule::IfPresent(issuer),
        };
        let response = listener
            .wait_with(&state, rule, issuer, timeout, prompt)
            .await?;
        let attempt = Attempt {
            protocol: self,
            client,
            redirect_uri,
            pkce,
        };
        let session = attempt.redeem(response, prompt).await?;
        Ok(self.identified(session).await)
    }
}

impl Attempt<'_> {
    /// Redeems codes until one is good: the user may have pasted a part of one, or another text.
    async fn redeem(
        &self,
        mut response: CallbackResponse,
        prompt: &dyn UserPrompt,
    ) -> Result<OAuthToken> {
        loop {
            let outcome = match self.protocol.spec.callback(response.parameters()) {
                Ok(outcome) => outcome,
                Err(error) => {
                    response = response.not_redeemed(error, prompt).await?;
                    continue;
                }
            };
            match self.exchange(response.code(), outcome).await {
                Ok(session) => {
                    response.succeeded().await;
                    return Ok(session);
                }
                Err(error) => response = response.failed(error, prompt).await?,
            }
        }
    }

    /// One try, never a second: a code is redeemed once (RFC 6749 section 4.1.2).
    async fn exchange(&self, code: &Secret, outcome: CallbackOutcome) -> Result<OAuthToken> {
        let protocol = self.protocol;
        let config = &protocol.config;
        let client = outcome.client.as_ref().or(self.client);
        let form = requests::exchange(config, client, &self.redirect_uri, code, &self.pkce);
        let response = protocol.post_token(config, &form).await?;
        let call = protocol.call(Operation::Exchange, config);
        let granted = protocol.spec.token(&call, &response)?;
        protocol.check_scope(&granted)?;
        let mut session = protocol.session(granted, client);
        session.metadata.provider_data.extend(outcome.session_data);
        Ok(session)
    }
}
