//! The servers that may receive the access token, and the meaning of API responses.

use llm_auth_core::{ApiResponse, ApiStatus, EndpointRole, SecureUrl, Timestamp};
use llm_auth_qwen::{AuthProvider as _, Error, OAuthToken, QwenProvider};

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
        let found = base_of(&provider, &session(Some(named)));
        assert_eq!(found.as_deref(), Some(base), "{named}");
    }
    assert_eq!(base_of(&provider, &session(None)).as_deref(), Some(DEFAULT));
}

#[test]
fn a_loopback_api_is_for_a_session_of_that_very_server() -> Result<(), Error> {
    let provider = QwenProvider::builder()
        .base_url("http://127.0.0.1:4000")?
        .build();
    let token = provider.config().endpoints.token.clone();
    for (named, expected) in [
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000/v1"),
        (
            "http://127.0.0.1:4001",
            "http://127.0.0.1:4000/compatible-mode/v1",
        ),
    ] {
        let session = session(Some(named));
        assert_eq!(base_of(&provider, &session), None, "it is of Qwen");
        let base = base_of(&provider, &session.issued_by(&token));
        assert_eq!(base.as_deref(), Some(expected), "{named}");
    }
    Ok(())
}

#[test]
fn an_api_base_that_is_set_gets_its_version_too() -> Result<(), Error> {
    for (set, base) in [
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000/v1"),
        ("http://127.0.0.1:4000/v1", "http://127.0.0.1:4000/v1"),
        ("http://127.0.0.1:4000/v1/", "http://127.0.0.1:4000/v1"),
        ("http://127.0.0.1:4000/v12", "http://127.0.0.1:4000/v12/v1"),
        (
            "http://127.0.0.1:4000/mode",
            "http://127.0.0.1:4000/mode/v1",
        ),
    ] {
        let provider = QwenProvider::builder()
            .base_url("http://127.0.0.1:4000")?
            .endpoint(EndpointRole::ApiBase, SecureUrl::new(set)?)
            .build();
        let token = provider.config().endpoints.token.clone();
        for named in [None, Some("https://evil.example")] {
            let found = base_of(&provider, &session(named).issued_by(&token));
            assert_eq!(found.as_deref(), Some(base), "{set}");
        }
    }
    Ok(())
}

#[test]
fn an_api_elsewhere_is_left_aside_unless_it_is_trusted() -> Result<(), Error> {
    for foreign in [
        "evil.example",
        "https://evil.example/v1",
        "evilqwen.ai",
        "portal.qwen.ai.evil.example",
        "qwen.ai@evil.example",
        "bucket.oss-cn-hangzhou.aliyuncs.com",
        "aliyuncs.com",
        "evil.dashscope.aliyuncs.com",
        "dashscope.aliyuncs.com:8443",
        "https://10.0.0.1/v1",
    ] {
        let session = session(Some(foreign));
        let base = base_of(&QwenProvider::new(), &session);
        assert_eq!(base.as_deref(), Some(DEFAULT), "{foreign}");
    }
    let elsewhere = session(Some("https://api.example:8443/x"));
    let ignored = ignored_by(&QwenProvider::new(), &elsewhere);
    assert_eq!(ignored.as_deref(), Some("api.example:8443"));
    let trusting = QwenProvider::builder()
        .trust_endpoint("api.example:8443".parse()?)
        .build();
    assert_eq!(ignored_by(&trusting, &elsewhere), None);
    let base = base_of(&trusting, &elsewhere);
    assert_eq!(base.as_deref(), Some("https://api.example:8443/x/v1"));
    for own in [
        "qwen.ai",
        "chat.qwen.ai",
        "dashscope-intl.aliyuncs.com/compatible-mode/v1",
    ] {
        assert_eq!(ignored_by(&QwenProvider::new(), &session(Some(own))), None);
    }
    Ok(())
}

#[test]
fn what_an_api_answer_says_about_the_session() {
    let quota = r#"{"error":{"code":"x","message":"Free allocated quota exceeded."}}"#;
    let key = r#"{"error":{"code":"invalid_api_key"}}"#;
    let provider = QwenProvider::new();
    for (status, body, verdict) in [
        (200, "{}", ApiStatus::Ok),
        (400, "{}", ApiStatus::Ok),
        (401, "", ApiStatus::RefreshNeeded),
        (401, key, ApiStatus::RefreshNeeded),
        (403, key, ApiStatus::RefreshNeeded),
        (403, quota, ApiStatus::Quota),
        (429, quota, ApiStatus::Quota),
        (403, "<html>blocked</html>", ApiStatus::Ok),
        (429, "", ApiStatus::RateLimited),
        (502, "", ApiStatus::Transient),
    ] {
        let answer = ApiResponse::new(status, body.as_bytes());
        assert_eq!(
            provider.classify_api_response(&answer),
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

fn base_of(provider: &QwenProvider, session: &OAuthToken) -> Option<String> {
    provider.api(session).ok()?.base
}

fn ignored_by(provider: &QwenProvider, session: &OAuthToken) -> Option<String> {
    provider.api(session).ok()?.ignored
}
