//! Where the access token may go, and what an API answer says about it.

use llm_auth_core::{ApiAnswer, ApiVerdict, Timestamp};
use llm_auth_qwen::{AuthProvider as _, Error, OAuthToken, QwenEndpoints, QwenProvider};

const DEFAULT: &str = "https://dashscope.aliyuncs.com/compatible-mode/v1";

#[test]
fn the_api_base_has_a_scheme_and_a_version_and_is_never_plain_http() {
    let provider = QwenProvider::new();
    for (named, base) in [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
        ("portal.qwen.ai/", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1/", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/x", "https://portal.qwen.ai/x/v1"),
        ("HTTPS://portal.qwen.ai:443", "https://portal.qwen.ai/v1"),
        ("portal.qwen.ai:8443/v1", "https://portal.qwen.ai:8443/v1"),
        (" portal.qwen.ai ", "https://portal.qwen.ai/v1"),
        ("", DEFAULT),
        ("http://portal.qwen.ai/v1", DEFAULT),
        ("http://127.0.0.1:1/v1", DEFAULT),
        ("localhost:1", DEFAULT),
        ("javascript:alert(1)", DEFAULT),
        ("file:///etc/passwd", DEFAULT),
        ("https://user:pw@portal.qwen.ai", DEFAULT),
        ("https://portal.qwen.ai/?x=", DEFAULT),
        ("https://portal.qwen.ai/#x", DEFAULT),
    ] {
        let base_of = provider.api_base(&session(Some(named)));
        assert_eq!(base_of.as_deref(), Some(base), "{named}");
    }
    assert_eq!(provider.api_base(&session(None)).as_deref(), Some(DEFAULT));
}

#[test]
fn a_loopback_api_is_for_a_loopback_sign_in() -> Result<(), Error> {
    let endpoints = QwenEndpoints::default().with_base("http://127.0.0.1:4000")?;
    let provider = QwenProvider::builder().endpoints(endpoints).build();
    let base = provider.api_base(&session(Some("http://127.0.0.1:4001")));
    assert_eq!(base.as_deref(), Some("http://127.0.0.1:4001/v1"));
    Ok(())
}

#[test]
fn what_an_api_answer_says_about_the_session() {
    let quota = r#"{"error":{"code":"x","message":"Free allocated quota exceeded."}}"#;
    let key = r#"{"error":{"code":"invalid_api_key"}}"#;
    let provider = QwenProvider::new();
    for (status, body, verdict) in [
        (200, "{}", ApiVerdict::Fine),
        (400, "{}", ApiVerdict::Fine),
        (401, "", ApiVerdict::RefreshNeeded),
        (401, key, ApiVerdict::RefreshNeeded),
        (403, key, ApiVerdict::RefreshNeeded),
        (403, quota, ApiVerdict::Quota),
        (429, quota, ApiVerdict::Quota),
        (403, "<html>blocked</html>", ApiVerdict::Fine),
        (429, "", ApiVerdict::RateLimited),
        (502, "", ApiVerdict::Transient),
    ] {
        let answer = ApiAnswer::new(status, body.as_bytes());
        assert_eq!(
            provider.judge_api_answer(&answer),
            verdict,
            "{status} {body}"
        );
    }
}

fn session(resource_url: Option<&str>) -> OAuthToken {
    let mut token = OAuthToken::new("made-up".into(), Timestamp::default());
    token.resource_url = resource_url.map(Into::into);
    token
}
