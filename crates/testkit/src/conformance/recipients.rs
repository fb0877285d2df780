//! The servers that may receive a session: the one that issued it, and those that are trusted.

use llm_auth_core::provider::Operation;
use llm_auth_core::{
    AuthProvider as _, ErrorKind, OAuthProvider, OAuthToken, ProviderSpec, SecureUrl,
};

use super::flows::signed_in;
use super::subject::{Subject, check as ensure, expect, expect_error, made_up};

pub(super) async fn check<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let (home, elsewhere) = (subject.server().await?, subject.server().await?);
    let session = signed_in(subject, &home).await?;
    let base = elsewhere.base_url();
    let provider = subject.at(base)?.build();
    let mut sessions = vec![("of another server", session.clone())];
    for (name, server) in [
        ("that records no server", None),
        ("of https://relay.example", Some("https://relay.example")),
        ("of an unreadable server", Some("")),
    ] {
        let mut made_up = subject.made_up();
        made_up.metadata.server = server.map(Into::into);
        sessions.push((name, made_up));
    }
    for (name, session) in &sessions {
        goes_nowhere(&provider, session, base)
            .await
            .map_err(|why| format!("with a session {name}, {why}"))?;
    }
    names_no_api(&provider, &session)?;
    let received = elsewhere.credentials_received();
    ensure(received == 0, || {
        format!("{received} requests with a session came to a server that did not issue it")
    })?;
    let trusting = subject.trusting(base)?.build();
    let permitted = trusting.check_session(&session);
    expect("the check of a session for a trusted server", permitted)?;
    if !subject.refreshes {
        return Ok(());
    }
    // The server does not know the token; that it came is enough.
    let _rejected = trusting.refresh(&session).await;
    ensure(elsewhere.provider().counters().refreshes == 1, || {
        "no refresh came to a trusted server".into()
    })
}

async fn goes_nowhere<S: ProviderSpec + ?Sized>(
    provider: &OAuthProvider<S>,
    session: &OAuthToken,
    base: &str,
) -> Result<(), String> {
    let endpoints = &provider.config().endpoints;
    let mut outcomes = vec![("check_session", provider.check_session(session))];
    if session.refresh.is_some() {
        outcomes.push(("refresh", provider.refresh(session).await.map(drop)));
    }
    if endpoints.revocation.is_some() {
        outcomes.push(("revoke", provider.revoke(session).await.map(drop)));
    }
    if endpoints.userinfo.is_some() {
        let recipient = provider.recipient(Operation::UserInfo, session);
        outcomes.push(("the request for the identity", recipient.map(drop)));
    }
    for (what, outcome) in outcomes {
        let error = expect_error(what, outcome)?;
        let names_it = error.to_string().contains(base);
        ensure(error.kind() == ErrorKind::Config && names_it, || {
            format!("{what} is not rejected with the name of the server: {error}")
        })?;
    }
    let api = expect("the API of the session", provider.api(session))?;
    let is_there = api.base.is_some_and(|api| is_at(&api, base));
    ensure(!is_there, || {
        "the API base is at a server that did not issue it".into()
    })
}

/// A server or a file cannot send the access token to any host by naming it as the API.
fn names_no_api<S: ProviderSpec + ?Sized>(
    provider: &OAuthProvider<S>,
    session: &OAuthToken,
) -> Result<(), String> {
    const NAMED: &str = "https://api-of-nowhere.example/v1";
    for mut session in [session.clone(), made_up()] {
        session.resource_url = Some(NAMED.into());
        let api = expect("the API of the session", provider.api(&session))?;
        let is_there = api.base.is_some_and(|api| is_at(&api, NAMED));
        ensure(!is_there, || {
            "the API base is at a host that only the session names".into()
        })?;
    }
    Ok(())
}

/// A session that names no client does not decide which server gets the secret of the user's.
pub(super) async fn secret<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let client = subject.config().client.credentials();
    if client.is_none_or(|client| client.secret.is_none()) {
        return Ok(());
    }
    let server = subject.server().await?;
    let provider = subject.at(server.base_url())?.build();
    let mut session = made_up();
    session.metadata.server = Some(server.base_url().into());
    let error = expect_error(
        "a refresh of a session that names no client",
        provider.refresh(&session).await,
    )?;
    ensure(error.to_string().contains("was not sent"), || {
        format!("the error does not say that the client secret stayed here: {error}")
    })?;
    let imported = provider.import_session(session);
    expect_error("an import of a session that names no client", imported)?;
    ensure(server.credentials_received() == 0, || {
        "the client secret was sent with a session that names no client".into()
    })
}

fn is_at(api: &str, base: &str) -> bool {
    let host = |url: &str| SecureUrl::new(url).map(|url| url.host()).ok();
    host(api) == host(base)
}
