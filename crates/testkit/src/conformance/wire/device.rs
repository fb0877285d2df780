//! The responses of a device flow.

use std::time::Duration;

use llm_auth_core::provider::{Call, Form, OAuthConfig, Operation, Poll};
use llm_auth_core::{
    FlowKind, HttpClient, OAuthProvider, ProviderSpec, Result as Read, SecureUrl, Timestamp,
};

use super::super::subject::{Subject, expect};
use crate::kit::Testkit;
use crate::scripted::ScriptedServer;

/// A poll needs a device code first: one of the simulated server, in the provider's own shape.
pub(super) async fn poll<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    provider: &OAuthProvider<S>,
) -> Result<Read<&'static str>, String> {
    let builder = Testkit::builder().interval(Duration::ZERO);
    let codes = subject.server_for(FlowKind::Device, builder).await?;
    let requested = subject.at(codes.base_url())?.build();
    let requested = requested.request_device_code().await;
    let (device, pkce) = expect("the request for a device code", requested)?;
    let polled = provider.poll_for_token(&device, &pkce).await;
    Ok(polled.map(|poll| named(&poll)))
}

/// As the core reads it, for a provider whose device flow does not serve it and is not in its
/// configuration.
pub(super) async fn standard(
    server: &ScriptedServer,
    step: &str,
) -> Result<Read<&'static str>, String> {
    let endpoint = SecureUrl::new(&format!("{}/device", server.base_url()));
    let endpoint = expect("the endpoint", endpoint)?;
    let form = Form::new().text("client_id", "made-up");
    let http = HttpClient::default();
    let response = http.post_form(&endpoint, &form, &[]).await;
    let response = expect("the request", response)?;
    let config = OAuthConfig::new("standard", endpoint);
    let call = |operation| Call::new(operation, &config, Timestamp::default(), &config);
    Ok(match step {
        "poll" => {
            let read = call(Operation::Poll).poll(&response);
            read.map(|poll| named(&poll))
        }
        _ => {
            let read = call(Operation::DeviceAuthorization).device_authorization(&response);
            read.map(|_| "device_code")
        }
    })
}

fn named(poll: &Poll) -> &'static str {
    match poll {
        Poll::Pending => "pending",
        Poll::SlowDown(_) => "slow_down",
        Poll::Ready(_) => "token",
        _ => "unknown",
    }
}
