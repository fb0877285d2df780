//! Refreshing a session: what is sent, what is kept, and what ends it.

use std::time::Duration;

use llm_auth_qwen::{AuthProvider as _, ErrorKind, OAuthToken, QwenProvider};

use crate::common::{NOW, TestResult, at, failure, parameters, says};

const RENEWED: &str = r#"{"access_token":"made-up-second","token_type":"Bearer","expires_in":60}"#;
const ROTATED: &str = r#"{"access_token":"made-up-second","refresh_token":"made-up-rotated","expires_in":60,"resource_url":"portal.qwen.ai"}"#;

#[tokio::test]
async fn a_refresh_escapes_the_refresh_token() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    at(&server)?.refresh(&session("a+b/c=d&e%f g")).await?;
    let request = &server.requests()[0];
    assert_eq!(request.target, "/api/v1/oauth2/token");
    assert_eq!(
        parameters(&request.body),
        parameters(
            "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3Dd%26e%25f+g&client_id=f0304373b74a44d2b584a3fb70ca9e56"
        )
    );
    Ok(())
}

#[tokio::test]
async fn a_refresh_keeps_what_the_response_omits() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let mut current = session("made-up-refresh");
    current.resource_url = Some("portal.qwen.ai".into());
    let response = at(&server)?.refresh(&current).await?;
    assert_eq!(response.refresh, None);
    // As the manager does.
    let refreshed = response.inheriting(&current);
    assert_eq!(refreshed.access.expose(), "made-up-second");
    assert_eq!(refreshed.refresh, current.refresh);
    assert_eq!(refreshed.resource_url, current.resource_url);
    assert_eq!(
        refreshed.expires_at,
        Some(NOW.after(Duration::from_secs(60)))
    );
    let shown = format!("{refreshed:?}");
    assert!(!shown.contains("made-up"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_refresh_takes_a_new_refresh_token_and_a_new_host() -> TestResult {
    let server = says([(200, ROTATED)]).await?;
    let mut current = session("made-up-old");
    current.resource_url = Some("old.qwen.ai".into());
    let refreshed = at(&server)?.refresh(&current).await?;
    assert_eq!(refreshed.refresh, Some("made-up-rotated".into()));
    assert_eq!(refreshed.resource_url.as_deref(), Some("portal.qwen.ai"));
    Ok(())
}

#[tokio::test]
async fn a_session_goes_to_no_other_server_than_the_one_that_issued_it() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let provider = QwenProvider::builder().base_url(server.base_url())?.build();
    let token = provider.config().endpoints.token.clone();
    for elsewhere in [
        None,
        Some("https://chat.qwen.ai"),
        Some("127.0.0.1:1"),
        Some(""),
    ] {
        let mut current = session("made-up-refresh");
        current.metadata.server = elsewhere.map(Into::into);
        let error = failure(provider.refresh(&current).await)?;
        assert_eq!(error.kind(), ErrorKind::Config);
        let host = server.base_url();
        assert!(error.to_string().contains(host), "{error}");
        assert!(provider.check_session(&current).is_err());
    }
    assert!(server.requests().is_empty());
    let refreshed = provider.refresh(&session("x").issued_by(&token)).await?;
    assert_eq!(
        refreshed.metadata.server.as_deref(),
        Some(server.base_url())
    );
    Ok(())
}

#[tokio::test]
async fn a_refresh_speaks_as_the_client_that_signed_in() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let mut current = session("made-up-refresh");
    let context = &mut current.metadata.provider_data;
    context.insert("client_id".into(), "my-client".into());
    let refreshed = at(&server)?.refresh(&current).await?;
    let sent = server.requests()[0].parameter("client_id");
    assert_eq!(sent.as_deref(), Some("my-client"));
    assert_eq!(refreshed.metadata.provider_data["client_id"], "my-client");
    Ok(())
}

#[tokio::test]
async fn a_session_without_a_refresh_token_needs_a_sign_in_and_no_request() -> TestResult {
    let server = says([(200, RENEWED)]).await?;
    let bare = OAuthToken::new("made-up-access".into(), NOW);
    let error = failure(at(&server)?.refresh(&bare).await)?;
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn what_kills_a_refresh_token_and_what_does_not() -> TestResult {
    for (status, body, kind) in [
        (400, "Refresh token expired", ErrorKind::RefreshRejected),
        (401, "", ErrorKind::RefreshRejected),
        (
            400,
            r#"{"error":"INVALID_REQUEST"}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            400,
            r#"{"error":"never_heard_of"}"#,
            ErrorKind::RefreshRejected,
        ),
        (
            200,
            r#"{"error":"invalid_grant"}"#,
            ErrorKind::RefreshRejected,
        ),
        (400, r#"{"message":"bad"}"#, ErrorKind::RefreshRejected),
        (400, "", ErrorKind::RefreshRejected),
        (400, "<html>blocked</html>", ErrorKind::RefreshRejected),
        (401, "<!doctype html>", ErrorKind::RefreshRejected),
        (403, "<!doctype html>", ErrorKind::Transient),
        (401, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (400, r#"{"error":"unauthorized_client"}"#, ErrorKind::Config),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            ErrorKind::Transient,
        ),
        (200, "ok", ErrorKind::Transient),
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
        let server = says([(status, body)]).await?;
        let error = failure(at(&server)?.refresh(&session("made-up")).await)?;
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn only_an_oauth_error_in_json_is_a_verdict_on_a_refresh_token() -> TestResult {
    for (status, body, verdict) in [
        (400, r#"{"error":"invalid_grant"}"#, true),
        (200, r#"{"error":"INVALID_GRANT"}"#, true),
        (401, r#"{"error":"invalid_token"}"#, true),
        (400, r#"{"error":"INVALID_REQUEST"}"#, true),
        (400, "invalid_grant", false),
        (400, "<html>invalid_grant</html>", false),
        (400, "", false),
        (400, r#""invalid_grant""#, false),
        (401, "{}", false),
        (401, r#"{"error":"Unauthorized","status":401}"#, false),
        (400, r#"{"error":"Bad Request"}"#, false),
        (400, r#"{"error":"access_denied"}"#, false),
        (401, r#"{"error":{"code":"Unauthorized"}}"#, false),
        (401, r#"{"message":"invalid_grant"}"#, false),
    ] {
        let server = says([(status, body)]).await?;
        let error = failure(at(&server)?.refresh(&session("made-up")).await)?;
        assert_eq!(error.kind(), ErrorKind::RefreshRejected, "{status} {body}");
        assert_eq!(error.is_verdict(), verdict, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_whose_lifetime_makes_no_sense_is_kept_for_its_refresh_token() -> TestResult {
    for expires_in in ["0", "-1", "\"soon\"", "null"] {
        let body = format!(
            r#"{{"access_token":"x","refresh_token":"made-up-next","expires_in":{expires_in}}}"#
        );
        let server = says([(200, body.as_str())]).await?;
        let refreshed = at(&server)?.refresh(&session("made-up")).await?;
        assert_eq!(refreshed.refresh, Some("made-up-next".into()));
        assert!(refreshed.expires_at > Some(NOW));
    }
    Ok(())
}

#[tokio::test]
async fn an_error_repeats_no_secret_that_was_sent() -> TestResult {
    let body =
        r#"{"error":"invalid_request","error_description":"made-up-refresh \u001b[31mis dead"}"#;
    let server = says([(400, body)]).await?;
    let error = failure(at(&server)?.refresh(&session("made-up-refresh")).await)?;
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("made-up-refresh"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(!shown.contains("is dead"), "{shown}");
    assert!(shown.contains("not shown"), "{shown}");
    Ok(())
}

fn session(refresh: &str) -> OAuthToken {
    let mut token = OAuthToken::new("made-up-access".into(), NOW);
    token.refresh = Some(refresh.into());
    token
}
