//! Revocation, if the configuration has an endpoint for it.

use llm_auth_core::{AuthProvider as _, ErrorKind, ProviderSpec, Revocation};

use super::flows::signed_in;
use super::subject::{Subject, check as ensure, expect, expect_error};

pub(super) async fn check<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let server = subject.server().await?;
    let session = signed_in(subject, &server).await?;
    let provider = subject.at(server.base_url())?.build();
    let revoked = expect("the revocation", provider.revoke(&session).await);
    server.check_violations()?;
    let revoked = revoked?;
    let has_endpoint = subject.config().endpoints.revocation.is_some();
    let expected = match has_endpoint {
        true => Revocation::Confirmed,
        false => Revocation::NotSupported,
    };
    ensure(revoked == expected, || {
        format!("the revocation is {revoked:?}, not {expected:?}")
    })?;
    let seen = server.provider().counters().revocations;
    ensure(seen == u64::from(has_endpoint), || {
        format!("the server saw {seen} revocations")
    })?;
    let is_live = server.provider().is_live_access(session.access.expose());
    ensure(is_live != has_endpoint, || match has_endpoint {
        true => "the server accepts the access token after a confirmed revocation".into(),
        false => "the session is dead at the server without a revocation".into(),
    })?;
    if has_endpoint {
        let refreshed = provider.refresh(&session).await;
        let error = expect_error("a refresh of a revoked session", refreshed)?;
        ensure(error.kind() == ErrorKind::RefreshRejected, || {
            format!(
                "a refresh of a revoked session is {:?}: {error}",
                error.kind()
            )
        })?;
    }
    Ok(())
}
