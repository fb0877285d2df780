//! Responses of Qwen beside those of the table.

use std::error::Error as StdError;

use llm_auth_qwen::provider::Poll;
use llm_auth_qwen::{AuthProvider as _, ErrorKind, OAuthToken, QwenProvider, Result, Timestamp};
use llm_auth_testkit::{ScriptedServer, provider_at};

type TestResult<T = ()> = std::result::Result<T, Box<dyn StdError>>;

const DEVICE: &str = r#"{"device_code":"made-up","user_code":"TEST123","verification_uri":"https://chat.qwen.ai/device"}"#;

#[tokio::test]
async fn a_code_in_the_body_decides_on_a_poll_and_a_401_without_one_is_about_the_device_code()
-> TestResult {
    for (status, body, kind) in [
        (401, r#"{"error":"never_heard_of"}"#, ErrorKind::Expired),
        (401, "{}", ErrorKind::Expired),
        (401, r#"{"error":"access_denied"}"#, ErrorKind::Denied),
        (401, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (401, "<html>blocked</html>", ErrorKind::Transient),
        (400, r#"{"error":"EXPIRED_TOKEN"}"#, ErrorKind::Expired),
        (429, r#"{"error":"rate_limit"}"#, ErrorKind::RateLimited),
        (200, "{}", ErrorKind::Protocol),
        (200, r#"{"error":"ACCESS_DENIED"}"#, ErrorKind::Denied),
        (
            200,
            r#"{"error":"access_denied","status":"pending"}"#,
            ErrorKind::Denied,
        ),
    ] {
        let error = polled(status, body).await?.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    for (status, body) in [
        (200, r#"{"status":"pending"}"#),
        (200, r#"{"error":"AUTHORIZATION_PENDING"}"#),
        (401, r#"{"error":"authorization_pending"}"#),
    ] {
        let poll = polled(status, body).await?;
        assert!(matches!(poll, Ok(Poll::Pending)), "{status} {body}");
    }
    Ok(())
}

/// The last member of a rejection is whether it is a verdict: only an OAuth error in JSON is.
#[tokio::test]
async fn what_kills_a_refresh_token_and_what_does_not() -> TestResult {
    for (status, body, is_verdict) in [
        (400, r#"{"error":"invalid_grant"}"#, true),
        (200, r#"{"error":"invalid_grant"}"#, true),
        (200, r#"{"error":"INVALID_GRANT"}"#, true),
        (401, r#"{"error":"invalid_token"}"#, true),
        (400, r#"{"error":"INVALID_REQUEST"}"#, true),
        (400, r#"{"error":"never_heard_of"}"#, false),
        (400, "Refresh token expired", false),
        (400, "invalid_grant", false),
        (400, "<html>invalid_grant</html>", false),
        (400, "<html>blocked</html>", false),
        (400, "", false),
        (400, r#""invalid_grant""#, false),
        (400, r#"{"message":"bad"}"#, false),
        (400, r#"{"error":"Bad Request"}"#, false),
        (400, r#"{"error":"access_denied"}"#, false),
        (401, "", false),
        (401, "{}", false),
        (401, "<!doctype html>", false),
        (401, r#"{"error":"Unauthorized","status":401}"#, false),
        (401, r#"{"error":{"code":"Unauthorized"}}"#, false),
        (401, r#"{"message":"invalid_grant"}"#, false),
    ] {
        let error = refreshed(status, body).await?.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected, "{status} {body}");
        assert_eq!(error.is_verdict(), is_verdict, "{status} {body}");
    }
    for (status, body, kind) in [
        (401, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (400, r#"{"error":"unauthorized_client"}"#, ErrorKind::Config),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            ErrorKind::Transient,
        ),
        (200, "ok", ErrorKind::Transient),
        (403, "<!doctype html>", ErrorKind::Transient),
        (200, r#"{"access_token":""}"#, ErrorKind::Protocol),
        (200, r#"{"error":"invalid_request"}"#, ErrorKind::Protocol),
        (403, r#"{"error":"invalid_request"}"#, ErrorKind::Protocol),
        (403, "Forbidden", ErrorKind::Protocol),
        (404, "Not found", ErrorKind::Protocol),
        (429, "", ErrorKind::RateLimited),
        (500, r#"{"error":"invalid_grant"}"#, ErrorKind::Transient),
        (503, "", ErrorKind::Transient),
        (0, "", ErrorKind::Transient),
    ] {
        let error = refreshed(status, body).await?.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_takes_a_new_host() -> TestResult {
    let body = r#"{"access_token":"x","expires_in":60,"resource_url":"portal.qwen.ai"}"#;
    let session = refreshed(200, body).await??;
    assert_eq!(session.resource_url.as_deref(), Some("portal.qwen.ai"));
    Ok(())
}

async fn polled(status: u16, body: &str) -> TestResult<Result<Poll>> {
    let server = ScriptedServer::json([(200, DEVICE), (status, body)]).await?;
    let provider = provider_at(&server, QwenProvider::builder())?;
    let (device, pkce) = provider.request_device_code().await?;
    Ok(provider.poll_for_token(&device, &pkce).await)
}

async fn refreshed(status: u16, body: &str) -> TestResult<Result<OAuthToken>> {
    let server = ScriptedServer::json([(status, body)]).await?;
    let provider = provider_at(&server, QwenProvider::builder())?;
    let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
    session.resource_url = Some("old.qwen.ai".into());
    session.refresh = Some("made-up-refresh".into());
    Ok(provider.refresh(&session).await)
}
