//! The device authorization grant (RFC 8628).

use super::config::DeviceFlow;
use super::id_token::{Claimed, IdTokenCheck};
use super::protocol::Protocol;
use super::requests;
use crate::device::{DeviceAuthorization, poll_for_token};
use crate::error::{Error, ErrorKind, Result};
use crate::grant::{Operation, Poll};
use crate::http::JsonObject;
use crate::pkce::Pkce;
use crate::prompt::{LoginEvent, UserPrompt};
use crate::random::{random_state, request_id};
use crate::secret::Secret;
use crate::token::OAuthToken;

impl Protocol {
    pub(super) async fn device_flow(
        &self,
        flow: &DeviceFlow,
        prompt: &dyn UserPrompt,
    ) -> Result<OAuthToken> {
        let id_token = IdTokenCheck::without_nonce(self);
        let keys = match &id_token {
            None => None,
            Some(check) => check.keys().await?,
        };
        let (device, pkce) = self.request_device_code(flow).await?;
        prompt.notify(&LoginEvent::device_code(&device));
        let poll = || self.poll(flow, &device, &pkce);
        let response = poll_for_token(&flow.schedule, &device, prompt, poll).await?;
        let client = self.sign_in_client()?;
        let user = match id_token {
            None => Claimed::default(),
            Some(check) => check.user(&response, client, keys).await?,
        };
        let session = self.session(response, client);
        Ok(self.identified(session, user).await)
    }

    pub(super) async fn request_device_code(
        &self,
        flow: &DeviceFlow,
    ) -> Result<(DeviceAuthorization, Pkce)> {
        let config = &self.config;
        let Some(endpoint) = &config.endpoints.device_authorization else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} has no device authorization endpoint", config.title()),
            ));
        };
        config.check()?;
        let client = self.sign_in_client()?;
        let (pkce, state) = (Pkce::generate()?, random_state()?);
        let form = requests::device_authorization(config, flow, client, &pkce, &state);
        let mut headers = Vec::new();
        if flow.request_id {
            headers.push(("x-request-id", request_id()?));
        }
        let response = self.http.post_form(endpoint, &form, &headers).await?;
        let call = self.call(Operation::DeviceAuthorization, config);
        if flow.echoes_state {
            check_state(&call.read(&response)?, &state, config.title())?;
        }
        Ok((self.spec.device_authorization(&call, &response)?, pkce))
    }

    pub(super) async fn poll(
        &self,
        flow: &DeviceFlow,
        device: &DeviceAuthorization,
        pkce: &Pkce,
    ) -> Result<Poll> {
        let config = &self.config;
        let form = requests::poll(config, flow, self.sign_in_client()?, device, pkce);
        let response = self.post_token(config, &form).await?;
        let call = self.call(Operation::Poll, config);
        let polled = self.spec.poll(&call, &response)?;
        if let Poll::Ready(granted) = &polled {
            self.check_scope(granted)?;
        }
        Ok(polled)
    }
}

/// The response must carry the `state` that was sent.
fn check_state(fields: &JsonObject, sent: &Secret, title: &str) -> Result<()> {
    if fields.text("state").map(Secret::from).as_ref() == Some(sent) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::StateMismatch,
        format!(
            "{title}'s response does not contain the state that was sent: it may be intended for \
             another client"
        ),
    ))
}
