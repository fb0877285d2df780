//! Refreshes whose response is odd, and the client that they name.

use llm_auth_core::provider::Operation;
use llm_auth_core::{AuthProvider as _, ErrorKind, OAuthToken, ProviderSpec};

use super::subject::{Subject, check as ensure, expect, expect_error};
use crate::client::{NOW, provider_at};
use crate::scripted::ScriptedServer;

/// A refresh token is bound to the client that it was issued to (RFC 6749 section 6), whatever the
/// provider's own is.
pub(super) async fn recorded_client<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<(), String> {
    let rules = subject.config().requests.get(&Operation::Refresh);
    if rules.is_some_and(|rules| rules.omit.iter().any(|name| name == "client_id")) {
        return Ok(());
    }
    let mut session = subject.made_up();
    let data = &mut session.metadata.provider_data;
    data.insert("client_id", "another-client");
    let response = r#"{"access_token":"made-up-next","token_type":"Bearer","expires_in":60}"#;
    let (server, refreshed) = refresh(subject, &session, 200, response).await?;
    let refreshed = expect("the refresh", refreshed)?;
    let sent = server.requests()[0].parameter("client_id");
    ensure(sent.as_deref() == Some("another-client"), || {
        format!("the refresh names the client {sent:?}, not the one of the session")
    })?;
    let recorded = refreshed.metadata.provider_data.get("client_id");
    ensure(recorded == Some("another-client"), || {
        format!("the refreshed session records the client {recorded:?}, not its own")
    })?;
    // The server is trusted: from now on the session is its own.
    let recorded = refreshed.metadata.server;
    ensure(recorded.as_deref() == Some(server.base_url()), || {
        format!("the refreshed session records {recorded:?}, not the server that refreshed it")
    })
}

/// Without a refresh token there is nothing to send.
pub(super) async fn no_refresh_token<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<(), String> {
    let mut session = subject.made_up();
    session.refresh = None;
    let (server, refreshed) = refresh(subject, &session, 200, "{}").await?;
    let error = expect_error("a refresh without a refresh token", refreshed)?;
    ensure(error.kind() == ErrorKind::NotSignedIn, || {
        format!(
            "a refresh without a refresh token is {:?}: {error}",
            error.kind()
        )
    })?;
    ensure(server.requests().is_empty(), || {
        "a request was sent without a refresh token".into()
    })
}

/// The next refresh token must not be lost with a lifetime that cannot be read: the old one is
/// spent.
pub(super) async fn senseless_lifetime<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<(), String> {
    for lifetime in ["0", "-1", "\"soon\"", "null"] {
        let body = format!(
            r#"{{"access_token":"made-up","refresh_token":"made-up-next","expires_in":{lifetime}}}"#
        );
        let (_server, refreshed) = refresh(subject, &subject.made_up(), 200, &body).await?;
        let what = format!("a refresh with the lifetime {lifetime}");
        let refreshed = expect(&what, refreshed)?;
        let is_kept = refreshed.refresh == Some("made-up-next".into());
        ensure(is_kept && refreshed.expires_at > Some(NOW), || {
            format!("{what} loses the refresh token or expires at once")
        })?;
    }
    Ok(())
}

/// A server may repeat what it received, and an error is shown and logged.
pub(super) async fn repeated_secret<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<(), String> {
    let body = r#"{"error":"invalid_request","error_description":"made-up-refresh \u001b[31mis"}"#;
    let (_server, refreshed) = refresh(subject, &subject.made_up(), 400, body).await?;
    let error = expect_error("a rejected refresh", refreshed)?;
    let shown = format!("{error} {error:?}");
    let is_clean = !shown.contains("made-up-refresh") && !shown.contains('\u{1b}');
    ensure(is_clean, || {
        "the error shows the refresh token or a control character that the server sent".into()
    })
}

/// A refresh at a server that returns this.
async fn refresh<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    session: &OAuthToken,
    status: u16,
    body: &str,
) -> Result<(ScriptedServer, llm_auth_core::Result<OAuthToken>), String> {
    let server = expect(
        "the scripted server",
        ScriptedServer::json([(status, body)]).await,
    )?;
    let provider = provider_at(&server, subject.builder());
    let refreshed = expect("the base URL", provider)?.refresh(session).await;
    Ok((server, refreshed))
}
