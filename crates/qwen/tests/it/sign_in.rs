//! Signing in, as the other side of the socket sees it.

use std::sync::Mutex;
use std::time::Duration;

use llm_auth_qwen::{AuthProvider as _, ErrorKind, LoginEvent, QwenProvider};
use llm_auth_qwen::{Silent, UserPrompt};
use llm_auth_testkit::{Approval, Testkit};

use crate::common::{NOW, TestResult, at, failure, says};

const DEVICE: &str = r#"{"device_code":"made-up+/=&% code","user_code":"TEST123","verification_uri":"https://chat.qwen.ai/device"}"#;
const TOKEN: &str = r#"{"access_token":"made-up-access","refresh_token":"made-up-refresh","token_type":"Bearer","expires_in":21600,"scope":"openid"}"#;

#[tokio::test]
async fn the_code_request_is_a_form_with_a_challenge_and_a_request_id() -> TestResult {
    let server = says([(200, DEVICE)]).await?;
    let (_, pkce) = at(&server)?.request_device_code().await?;
    let request = &server.requests()[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/api/v1/oauth2/device/code");
    assert_eq!(
        request.body,
        format!(
            "client_id=f0304373b74a44d2b584a3fb70ca9e56&scope=openid+profile+email+model.completion&code_challenge={}&code_challenge_method=S256",
            pkce.challenge()
        )
    );
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("accept"), "application/json");
    assert_eq!(header("x-request-id").len(), 36);
    assert!(header("user-agent").starts_with("llm-auth/"));
    Ok(())
}

#[tokio::test]
async fn a_poll_escapes_the_device_code_and_proves_the_challenge() -> TestResult {
    let server = says([(200, DEVICE), (200, TOKEN)]).await?;
    let provider = at(&server)?;
    let (device, pkce) = provider.request_device_code().await?;
    provider.poll_for_token(&device, &pkce).await?;
    let request = &server.requests()[1];
    assert_eq!(request.target, "/api/v1/oauth2/token");
    assert_eq!(
        request.body,
        format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=f0304373b74a44d2b584a3fb70ca9e56&device_code=made-up%2B%2F%3D%26%25+code&code_verifier={}",
            pkce.verifier().expose()
        )
    );
    Ok(())
}

#[tokio::test]
async fn what_a_poll_can_bring_beside_the_table() -> TestResult {
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
    ] {
        let server = says([(200, DEVICE), (status, body)]).await?;
        let provider = at(&server)?;
        let (device, pkce) = provider.request_device_code().await?;
        let error = failure(provider.poll_for_token(&device, &pkce).await)?;
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    for (status, body) in [
        (200, r#"{"status":"pending"}"#),
        (200, r#"{"error":"AUTHORIZATION_PENDING"}"#),
        (401, r#"{"error":"authorization_pending"}"#),
    ] {
        let server = says([(200, DEVICE), (status, body)]).await?;
        let provider = at(&server)?;
        let (device, pkce) = provider.request_device_code().await?;
        let poll = provider.poll_for_token(&device, &pkce).await?;
        assert_eq!(format!("{poll:?}"), "Pending", "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_sign_in_waits_through_pending_slow_down_and_trouble() -> TestResult {
    let server = says([
        (200, DEVICE),
        (400, r#"{"error":"authorization_pending"}"#),
        (429, r#"{"error":"slow_down"}"#),
        (429, "Rate limited"),
        (500, ""),
        (200, "<html>captcha</html>"),
        (200, TOKEN),
    ])
    .await?;
    let prompt = Recorder::default();
    let token = at(&server)?.authenticate(&prompt).await?;
    assert_eq!(token.access.expose(), "made-up-access");
    assert_eq!(token.refresh, Some("made-up-refresh".into()));
    assert_eq!(
        token.expires_at,
        Some(NOW.after(Duration::from_secs(21_600)))
    );
    assert_eq!(token.scope.as_deref(), Some("openid"));
    assert_eq!(server.requests().len(), 7);
    let shown = ["code TEST123", "slower", "trouble", "trouble", "trouble"];
    assert_eq!(prompt.seen(), shown);
    Ok(())
}

#[tokio::test]
async fn a_sign_in_ends_at_once_when_the_person_says_no() -> TestResult {
    let server = says([(200, DEVICE), (400, r#"{"error":"access_denied"}"#)]).await?;
    let error = failure(at(&server)?.authenticate(&Silent).await)?;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(server.requests().len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_simulated_qwen_finds_nothing_to_complain_about() -> TestResult {
    let kit = Testkit::builder()
        .approval(Approval::AutoAfterPolls(1))
        .interval(Duration::from_millis(100))
        .start()
        .await?;
    let provider = QwenProvider::builder().base_url(kit.base_url())?.build();
    let token = provider.authenticate(&Silent).await?;
    let refreshed = provider.refresh(&token).await?;
    assert!(kit.qwen().is_live_access(refreshed.access.expose()));
    assert_ne!(refreshed.refresh, token.refresh);
    assert_eq!(kit.qwen().counters().too_fast, 0);
    assert_eq!(kit.qwen().violations(), Vec::<String>::new());
    let error = failure(provider.refresh(&token).await)?;
    assert_eq!(error.kind(), ErrorKind::RefreshRejected, "a spent token");
    Ok(())
}

/// Records the events, in a word each.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn seen(&self) -> Vec<String> {
        self.0.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

impl UserPrompt for Recorder {
    fn notify(&self, event: &LoginEvent<'_>) {
        let word = match event {
            LoginEvent::DeviceCode { device, .. } => format!("code {}", device.user_code),
            LoginEvent::SlowedDown { .. } => "slower".into(),
            LoginEvent::Retrying { .. } => "trouble".into(),
            _ => return,
        };
        if let Ok(mut seen) = self.0.lock() {
            seen.push(word);
        }
    }
}
