//! A whole sign-in, and what the session of it records.

use std::time::Duration;

use llm_auth_core::{AuthProvider as _, FlowKind, OAuthProvider, OAuthToken, ProviderSpec};

use super::subject::{Server, Subject, check as ensure, expect};
use crate::client::{Browser, PendingSignIn};
use crate::kit::Testkit;
use crate::settings::Approval;

pub(super) async fn check<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    flow: FlowKind,
) -> Result<(), String> {
    let builder = Testkit::builder()
        .approval(Approval::AutoAfterPolls(1))
        .interval(Duration::from_millis(100));
    let server = subject.server_for(flow, builder).await?;
    let provider = subject.paced_at(server.base_url())?.flow(flow).build();
    if flow == FlowKind::Code {
        request(&provider).await?;
        other_state(&provider, &server).await?;
        server.provider().reset_counters();
    }
    let session = provider.authenticate(&Browser).await;
    // What the server objects to is the better message.
    server.check_violations()?;
    let session = expect("the sign-in", session)?;
    let seen = server.provider().counters();
    ensure(seen.too_fast == 0, || {
        format!("{} polls came too fast", seen.too_fast)
    })?;
    ensure(seen.logins_ok == 1, || {
        format!("the server saw {} sign-ins, not 1", seen.logins_ok)
    })?;
    let is_live = server.provider().is_live_access(session.access.expose());
    ensure(is_live, || "the access token is not the server's".into())?;
    ensure(session.refresh.is_some() == subject.refreshes, || {
        match subject.refreshes {
            true => "the session has no refresh token, although the server issued one",
            false => "the session has a refresh token, although the provider issues none",
        }
        .into()
    })?;
    records(subject, &provider, &session)?;
    shows_no_secret("the session", &session, &session)?;
    shows_no_secret("the provider", &provider, &session)
}

fn records<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    provider: &OAuthProvider<S>,
    session: &OAuthToken,
) -> Result<(), String> {
    let config = provider.config();
    let issuer = session.clone().issued_by(&config.endpoints.token);
    let (found, expected) = (&session.metadata.server, &issuer.metadata.server);
    ensure(found == expected, || {
        format!("the session records the server {found:?}, not {expected:?}")
    })?;
    expect("the check of its session", provider.check_session(session))?;
    subject.check_records(session)?;
    let granted = session.scope.as_deref().unwrap_or(&config.scope);
    let identifies = |name: &str| config.identity_scopes.iter().any(|scope| scope == name);
    if config.endpoints.userinfo.is_some() && granted.split_whitespace().any(identifies) {
        ensure(session.metadata.identity.is_some(), || {
            "the session records no identity, although its scope gives it".into()
        })?;
    }
    let stored = expect("the stored form", session.to_json())?;
    let read = OAuthToken::from_json(stored.expose().as_bytes());
    let read = expect("reading the stored form", read)?;
    ensure(read == *session, || {
        "the session is another one after it was stored".into()
    })
}

fn shows_no_secret(
    what: &str,
    shown: &impl std::fmt::Debug,
    session: &OAuthToken,
) -> Result<(), String> {
    let shown = format!("{shown:?}");
    let secrets = [
        ("the access token", Some(&session.access)),
        ("the refresh token", session.refresh.as_ref()),
        ("the client secret", session.metadata.client_secret.as_ref()),
    ];
    for (name, secret) in secrets {
        let is_shown = secret.is_some_and(|secret| shown.contains(secret.expose()));
        ensure(!is_shown, || format!("Debug of {what} shows {name}"))?;
    }
    Ok(())
}

/// The authorization request: new with each sign-in, and without a secret.
async fn request<S: ProviderSpec + ?Sized>(provider: &OAuthProvider<S>) -> Result<(), String> {
    let (first, second) = (begin(provider).await?, begin(provider).await?);
    for name in ["code_challenge", "state"] {
        let values = [first.parameter(name), second.parameter(name)];
        ensure(values[0].len() >= 43 && values[0] != values[1], || {
            format!("the {name} of an authorization request is not random: {values:?}")
        })?;
    }
    let client = provider.config().client.credentials();
    let secret = client.and_then(|client| client.secret.as_ref());
    let is_shown = secret.is_some_and(|secret| first.url().contains(secret.expose()));
    ensure(!is_shown, || {
        "the authorization URL holds the client secret".into()
    })
}

/// A response with another `state` than the request had is another sign-in's (RFC 6749 section
/// 10.12).
async fn other_state<S: ProviderSpec + ?Sized>(
    provider: &OAuthProvider<S>,
    server: &Server,
) -> Result<(), String> {
    let flow = provider.config().code_flow();
    if flow.is_some_and(|flow| flow.secret_path) {
        // The path takes the place of `state`.
        return Ok(());
    }
    let sign_in = begin(provider).await?;
    let target = format!("{}?code=made-up&state=made-up", sign_in.redirect_path());
    let page = sign_in.callback(&target);
    let page = expect("the page of the redirect URI", page.await);
    let status = expect("the page of the redirect URI", page?);
    let exchanges = server.provider().counters().exchanges;
    ensure(exchanges == 0, || {
        "a code was redeemed that came with another state than the request had".into()
    })?;
    let status = status?;
    ensure(status >= 400, || {
        format!("a response with another state got status {status}, not an error")
    })?;
    let page = sign_in.browse();
    let session = expect(
        "the sign-in after a wrong response",
        sign_in.session().await,
    );
    page.abort();
    session.map(drop)
}

async fn begin<S: ProviderSpec + ?Sized>(
    provider: &OAuthProvider<S>,
) -> Result<PendingSignIn, String> {
    let begun = PendingSignIn::begin(provider.clone()).await;
    expect("the start of the sign-in", begun)
}
