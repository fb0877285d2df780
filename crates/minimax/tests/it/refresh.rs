//! Refreshing and revoking a session: what is sent, what is kept, and what ends it.

use std::time::Duration;

use llm_auth_core::Revocation;
use llm_auth_minimax::{AuthProvider as _, Dialect, ErrorKind, OAuthToken};

use crate::common::{NOW, TestResult, at, failure, parameters, says};

const RENEWED: &str = r#"{"status":"success","access_token":"made-up-second","expired_in":60}"#;

#[tokio::test]
async fn each_dialect_renews_in_its_own_words() -> TestResult {
    let token = "refresh_token=a%2Bb%2Fc%3Dd%26e%25f+g";
    for (dialect, body) in [
        (
            Dialect::OpenClaw,
            format!(
                "grant_type=refresh_token&client_id=78257093-7e40-4613-99e0-527b14b39113&{token}"
            ),
        ),
        (
            Dialect::Mmx,
            format!(
                "grant_type=refresh_token&client_id=659cf4c1-615c-45f6-a5f6-4bf15eb476e5&{token}"
            ),
        ),
        (
            Dialect::MiniMaxCode,
            format!(
                "grant_type=refresh_token&client_id=mcode-public&{token}&scope=agent.default&audience=agent-backend"
            ),
        ),
    ] {
        let server = says([(200, RENEWED)]).await?;
        at(&server, dialect)?
            .refresh(&session("a+b/c=d&e%f g"))
            .await?;
        assert_eq!(server.requests()[0].target, "/oauth2/token");
        let sent = &server.requests()[0].body;
        assert_eq!(parameters(sent), parameters(&body));
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_keeps_what_the_response_omits() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let mut current = session("made-up-refresh");
    current.resource_url = Some("https://api.minimax.io/anthropic".into());
    current.notification = Some("Welcome".into());
    let response = at(&server, Dialect::OpenClaw)?.refresh(&current).await?;
    assert_eq!(response.refresh, None);
    // As the manager does.
    let refreshed = response.inheriting(&current);
    assert_eq!(refreshed.access.expose(), "made-up-second");
    assert_eq!(refreshed.refresh, current.refresh);
    assert_eq!(refreshed.resource_url, current.resource_url);
    assert_eq!(refreshed.notification, current.notification);
    assert_eq!(
        refreshed.expires_at,
        Some(NOW.after(Duration::from_secs(60)))
    );
    let shown = format!("{refreshed:?}");
    assert!(!shown.contains("made-up"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_cannot_be_read_does_not_lose_the_next_refresh_token() -> TestResult {
    for expiry in ["\"expired_in\":\"3600s\"", "\"x\":1", "\"expired_in\":0"] {
        let body = format!(r#"{{"access_token":"x","refresh_token":"made-up-next",{expiry}}}"#);
        let server = says([(200, &body)]).await?;
        let refreshed = at(&server, Dialect::OpenClaw)?
            .refresh(&session("made-up"))
            .await?;
        assert_eq!(refreshed.refresh, Some("made-up-next".into()), "{expiry}");
        assert_eq!(
            refreshed.expires_at,
            Some(NOW.after(Duration::from_secs(3600)))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_narrower_scope_does_not_lose_the_next_refresh_token() -> TestResult {
    let body = r#"{"access_token":"x","refresh_token":"made-up-next","expires_in":60,"scope":"o"}"#;
    let server = says([(200, body)]).await?;
    let refreshed = at(&server, Dialect::MiniMaxCode)?
        .refresh(&session("made-up"))
        .await?;
    assert_eq!(refreshed.refresh, Some("made-up-next".into()));
    assert_eq!(refreshed.scope.as_deref(), Some("o"));
    Ok(())
}

#[tokio::test]
async fn what_kills_a_refresh_token_and_what_does_not() -> TestResult {
    for (status, body, kind) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"x"}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            400,
            r#"{"base_resp":{"status_code":1,"status_msg":"invalid_grant: x"}}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":5,"status_msg":"invalid_refresh_token"}}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            200,
            r#"{"base_resp":{"status_code":40004}}"#,
            ErrorKind::RefreshRejected,
        ),
        (200, r#"{"status":"error"}"#, ErrorKind::RefreshRejected),
        (
            200,
            r#"{"base_resp":{"status_code":1004,"status_msg":"not login"}}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            401,
            r#"{"base_resp":{"status_code":"1004"}}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":2049,"status_msg":"invalid api key"}}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            200,
            r#"{"base_resp":{"status_code":9,"status_msg":"no"}}"#,
            ErrorKind::Protocol,
        ),
        (200, r#"{"status":"pending"}"#, ErrorKind::Protocol),
        (
            503,
            r#"{"base_resp":{"status_code":1004}}"#,
            ErrorKind::Transient,
        ),
        (
            200,
            r#"{"status":"success","access_token":""}"#,
            ErrorKind::Protocol,
        ),
        (200, "{}", ErrorKind::Protocol),
        (400, r#"{"error":"invalid_request"}"#, ErrorKind::Protocol),
        (401, "Unauthorized", ErrorKind::RefreshRejected),
        (401, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (400, "<html>", ErrorKind::RefreshRejected),
        (403, "<html>", ErrorKind::Transient),
        (200, "ok", ErrorKind::Transient),
        (
            429,
            r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
            ErrorKind::RateLimited,
        ),
        (500, r#"{"error":"invalid_grant"}"#, ErrorKind::Transient),
        (0, "", ErrorKind::Transient),
    ] {
        let server = says([(status, body)]).await?;
        let provider = at(&server, Dialect::OpenClaw)?;
        let error = failure(provider.refresh(&session("made-up")).await)?;
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn only_a_reason_in_oauths_words_is_a_verdict_on_a_refresh_token() -> TestResult {
    for (status, body, verdict) in [
        (400, r#"{"error":"invalid_grant"}"#, true),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":5,"status_msg":"refresh_token_reused"}}"#,
            true,
        ),
        (200, r#"{"base_resp":{"status_code":40004}}"#, true),
        (200, r#"{"base_resp":{"status_code":1004}}"#, false),
        (401, r#"{"base_resp":{"status_code":2049}}"#, false),
        (200, r#"{"status":"error"}"#, false),
        (401, r#"{"error":"Unauthorized"}"#, false),
        (400, "invalid_grant", false),
        (401, "", false),
    ] {
        let server = says([(status, body)]).await?;
        let provider = at(&server, Dialect::OpenClaw)?;
        let error = failure(provider.refresh(&session("made-up")).await)?;
        assert_eq!(error.kind(), ErrorKind::RefreshRejected, "{status} {body}");
        assert_eq!(error.is_verdict(), verdict, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_without_a_refresh_token_needs_a_sign_in_and_no_request() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let bare = OAuthToken::new("made-up-access".into(), NOW);
    let error = failure(at(&server, Dialect::OpenClaw)?.refresh(&bare).await)?;
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_error_repeats_no_secret_that_was_sent() -> TestResult {
    let body =
        r#"{"base_resp":{"status_code":9,"status_msg":"made-up-refresh \u001b[31mis dead"}}"#;
    let server = says([(400, body)]).await?;
    let provider = at(&server, Dialect::OpenClaw)?;
    let error = failure(provider.refresh(&session("made-up-refresh")).await)?;
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("made-up-refresh"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains("status code 9"), "{shown}");
    assert!(!shown.contains("is dead"), "{shown}");
    assert!(shown.contains("not shown"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn only_minimax_code_can_revoke() -> TestResult {
    let server = says([(200, "")]).await?;
    let token = session("a+b");
    let done = at(&server, Dialect::MiniMaxCode)?.revoke(&token).await?;
    assert_eq!(done, Revocation::Confirmed);
    let request = &server.requests()[0];
    assert_eq!(request.target, "/oauth2/revoke");
    assert_eq!(
        parameters(&request.body),
        parameters("token=a%2Bb&token_type_hint=refresh_token&client_id=mcode-public")
    );
    for dialect in [Dialect::OpenClaw, Dialect::Mmx] {
        let done = at(&server, dialect)?.revoke(&token).await?;
        assert_eq!(done, Revocation::NotSupported);
    }
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_revocation_that_is_not_confirmed_is_an_error() -> TestResult {
    for (status, body, kind) in [
        (503, "", ErrorKind::Transient),
        (200, "<html>captcha</html>", ErrorKind::Transient),
        (200, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (
            200,
            r#"{"base_resp":{"status_code":7,"status_msg":"no"}}"#,
            ErrorKind::Protocol,
        ),
        (
            400,
            r#"{"error":"unsupported_token_type"}"#,
            ErrorKind::Protocol,
        ),
    ] {
        let server = says([(status, body)]).await?;
        let provider = at(&server, Dialect::MiniMaxCode)?;
        let error = failure(provider.revoke(&session("made-up")).await)?;
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    Ok(())
}

fn session(refresh: &str) -> OAuthToken {
    let mut token = OAuthToken::new("made-up-access".into(), NOW);
    token.refresh = Some(refresh.into());
    token
}
