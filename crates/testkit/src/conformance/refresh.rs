//! Refreshes, as a program makes them: through a manager.

use std::sync::Arc;

use llm_auth_core::{AuthManager, ErrorKind, MemoryTokenStore, OAuthToken, ProviderSpec};

use super::flows::signed_in;
use super::subject::{Server, Subject, check as ensure, expect, expect_error};
use crate::settings::Rotation;

pub(super) async fn check<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let server = subject.server().await?;
    let (manager, before) = managed(subject, &server).await?;
    let after = expect("the refresh", manager.refresh().await);
    server.check_violations()?;
    let after = after?;
    ensure(after.access != before.access, || {
        "the access token after the refresh is the old one".into()
    })?;
    let is_live = server.provider().is_live_access(after.access.expose());
    ensure(is_live, || {
        "the access token after the refresh is not the server's".into()
    })?;
    let rotated = after.refresh != before.refresh && after.refresh.is_some();
    let rotates = subject.config().rotates_refresh_tokens;
    ensure(rotated == rotates, || match rotates {
        true => "the refresh token was not rotated, although the configuration says that a \
                 refresh spends it"
            .into(),
        false => "the refresh token was rotated, although the configuration says that a refresh \
                  does not spend it"
            .into(),
    })?;
    ensure(after.metadata.server == before.metadata.server, || {
        "the refreshed session records another server".into()
    })?;
    subject.check_records(&after)?;
    // Not `refresh`, which a refresh of the same millisecond would satisfy.
    let again = expect("the second refresh", manager.invalidate(&after).await);
    server.check_violations()?;
    again?;
    let seen = server.provider().counters();
    ensure(
        (seen.refreshes, seen.refresh_ok, seen.reuse) == (2, 2, 0),
        || {
            format!(
                "of 2 refreshes the server saw {}, {} with success and {} with a spent token",
                seen.refreshes, seen.refresh_ok, seen.reuse
            )
        },
    )
}

/// A server may omit the refresh token from its response: the old one stays (RFC 6749 section 6).
pub(super) async fn omission<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let server = subject.server().await?;
    server.provider().set_rotation(Rotation::Omit);
    let (manager, before) = managed(subject, &server).await?;
    let after = expect("the refresh", manager.refresh().await)?;
    ensure(after.refresh == before.refresh, || {
        "the refresh token is lost if the server omits it".into()
    })?;
    expect("the next refresh", manager.invalidate(&after).await)?;
    server.check_violations()
}

/// A refresh token that is spent, or whose grant is revoked, needs a new sign-in.
pub(super) async fn rejection<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<(), String> {
    let server = subject.server().await?;
    let (manager, before) = managed(subject, &server).await?;
    if subject.config().rotates_refresh_tokens {
        expect("the refresh", manager.refresh().await)?;
        let stale = OAuthToken::clone(&before);
        expect("storing", manager.insert_session(stale).await)?;
    } else {
        server.provider().revoke_families();
    }
    let error = expect_error(
        "a refresh with a spent refresh token",
        manager.invalidate(&before).await,
    )?;
    let kind = error.kind();
    ensure(
        kind == ErrorKind::RefreshRejected && error.needs_login(),
        || format!("a rejected refresh token is {kind:?}, not RefreshRejected: {error}"),
    )?;
    let seen = server.provider().counters();
    let reused = u64::from(subject.config().rotates_refresh_tokens);
    ensure(seen.reuse == reused, || {
        format!(
            "the server saw {} spent refresh tokens, not {reused}",
            seen.reuse
        )
    })
}

/// A manager with a session.
async fn managed<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    server: &Server,
) -> Result<(AuthManager, Arc<OAuthToken>), String> {
    let session = signed_in(subject, server).await?;
    let provider = subject.at(server.base_url())?.build();
    let manager = AuthManager::builder(provider)
        .store(MemoryTokenStore::new())
        .build();
    let session = expect("storing", manager.insert_session(session).await)?;
    Ok((manager, session))
}
