//! Sign-ins that the user does not approve.

use std::time::Duration;

use llm_auth_core::{
    AuthProvider as _, Error, ErrorKind, FlowKind, OAuthProviderBuilder, ProviderSpec, Silent,
};

use super::subject::{Subject, check, expect, expect_error};
use crate::client::Browser;
use crate::kit::Testkit;
use crate::settings::Approval;

pub(super) async fn denial<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    flow: FlowKind,
) -> Result<(), String> {
    let builder = Testkit::builder().approval(Approval::Deny);
    let server = subject
        .server_for(flow, builder.interval(Duration::ZERO))
        .await?;
    let provider = subject.at(server.base_url())?.flow(flow).build();
    let error = expect_error(
        "a sign-in that the user denies",
        provider.authenticate(&Browser).await,
    )?;
    server.check_violations()?;
    has_kind(&error, ErrorKind::Denied)?;
    let exchanges = server.provider().counters().exchanges;
    check(exchanges == 0, || {
        "something was exchanged after a denial".into()
    })
}

/// By the provider's own time limit, and in a device flow by the server's too.
pub(super) async fn expiry<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    flow: FlowKind,
) -> Result<(), String> {
    let builder = Testkit::builder().interval(Duration::ZERO);
    let server = subject.server_for(flow, builder).await?;
    let at_server = subject.at(server.base_url())?.flow(flow);
    let impatient = at_server.clone().timeout(Duration::from_millis(20)).build();
    let error = expect_error(
        "a sign-in that the user does not finish in time",
        impatient.authenticate(&Silent).await,
    )?;
    has_kind(&error, ErrorKind::Expired)?;
    if flow == FlowKind::Device {
        dead_code(at_server, server.provider()).await?;
    }
    server.check_violations()
}

/// The lifetime that the server announces is long, and the code is dead all the same.
async fn dead_code<S: ProviderSpec + ?Sized>(
    builder: OAuthProviderBuilder<S>,
    server: &crate::provider_kit::ProviderKit,
) -> Result<(), String> {
    let provider = builder.build();
    let requested = provider.request_device_code().await;
    let (device, pkce) = expect("the request for a device code", requested)?;
    server.expire_device_codes();
    let polled = provider.poll_for_token(&device, &pkce).await;
    let error = expect_error("a poll with an expired code", polled)?;
    has_kind(&error, ErrorKind::Expired)
}

fn has_kind(error: &Error, expected: ErrorKind) -> Result<(), String> {
    check(error.kind() == expected, || {
        format!("the error is {:?}, not {expected:?}: {error}", error.kind())
    })
}
