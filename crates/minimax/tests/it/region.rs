//! The servers that may receive a session's credentials.

use std::error::Error as StdError;

use llm_auth_core::{ApiResponse, ApiStatus, EndpointRole, SecureUrl, Timestamp};
use llm_auth_minimax::{
    AuthProvider as _, Error, ErrorKind, HttpClient, MiniMaxProvider, OAuthToken,
};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer};

type TestResult = Result<(), Box<dyn StdError>>;

const NOTHING: &[(&str, &str)] = &[];

/// The proxy records the requested host, and lets nothing through.
#[tokio::test]
async fn a_session_is_renewed_where_it_was_made() -> TestResult {
    for (context, resource_url, host) in [
        (NOTHING, None, "account.minimax.io"),
        (
            NOTHING,
            Some("https://api.minimaxi.com/anthropic"),
            "account.minimaxi.com",
        ),
        (NOTHING, Some("https://evil.example"), "account.minimax.io"),
        (&[("region", "cn")], None, "account.minimaxi.com"),
        (
            &[("region", "global")],
            Some("https://api.minimaxi.com/x"),
            "account.minimax.io",
        ),
        (
            &[("region", "cn"), ("dialect", "mcode")],
            None,
            "account.minimax.cn",
        ),
    ] {
        let proxy = ScriptedServer::start([ScriptedResponse::json(403, "")]).await?;
        let http = HttpClient::builder().proxy(proxy.base_url(), "").build()?;
        let provider = MiniMaxProvider::builder().http(http).build();
        let result = provider.refresh(&session(context, resource_url)).await;
        assert!(result.is_err());
        let asked = &proxy.requests()[0];
        assert_eq!(asked.method, "CONNECT");
        assert_eq!(
            asked.target,
            format!("{host}:443"),
            "{context:?} {resource_url:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_trusted_endpoint_outweighs_the_server_and_never_the_client_of_a_session() -> TestResult {
    let body = r#"{"access_token":"x","expired_in":60}"#;
    let server = ScriptedServer::start([ScriptedResponse::json(200, body)]).await?;
    let provider = MiniMaxProvider::builder()
        .base_url(server.base_url())?
        .trust_endpoint(server.base_url().parse()?)
        .build();
    let old = session(&[("region", "cn"), ("client_id", "other")], None);
    let refreshed = provider.refresh(&old).await?.inheriting(&old);
    assert_eq!(
        refreshed.metadata.server.as_deref(),
        Some(server.base_url())
    );
    let sent = server.requests()[0].parameter("client_id");
    // A refresh token is bound to the client that it was issued to (RFC 6749 section 6).
    assert_eq!(sent.as_deref(), Some("other"));
    assert_eq!(&refreshed.metadata.provider_data["region"], "cn");
    assert_eq!(&refreshed.metadata.provider_data["client_id"], "other");
    Ok(())
}

#[test]
fn a_token_endpoint_set_alone_takes_the_access_token_nowhere_else() -> TestResult {
    let relay = SecureUrl::new("https://relay.example/oauth2/token")?;
    let provider = MiniMaxProvider::builder()
        .endpoint(EndpointRole::Token, relay)
        .build();
    for (region, base) in [
        ("global", "https://api.minimax.io/anthropic"),
        ("cn", "https://api.minimaxi.com/anthropic"),
    ] {
        let token = session(&[("region", region)], None);
        assert_eq!(base_of(&provider, &token).as_deref(), Some(base));
    }
    Ok(())
}

/// The proxy records the requested host, and lets nothing through.
#[tokio::test]
async fn a_token_endpoint_set_alone_takes_no_revocation_along() -> TestResult {
    let proxy = ScriptedServer::start([ScriptedResponse::json(403, "")]).await?;
    let relay = SecureUrl::new("https://relay.example/oauth2/token")?;
    let provider = MiniMaxProvider::builder()
        .endpoint(EndpointRole::Token, relay)
        .http(HttpClient::builder().proxy(proxy.base_url(), "").build()?)
        .build();
    let session = session(&[("region", "cn"), ("dialect", "mcode")], None);
    assert!(provider.revoke(&session).await.is_err());
    assert_eq!(proxy.requests()[0].target, "account.minimax.cn:443");
    Ok(())
}

#[test]
fn a_session_that_is_taken_over_stays_where_it_was_made() -> TestResult {
    let provider = MiniMaxProvider::new();
    let cn = Some("https://api.minimaxi.com/anthropic");
    let plain = provider.import_session(session(NOTHING, cn))?;
    assert_eq!(&plain.metadata.provider_data["region"], "cn");
    assert_eq!(
        plain.metadata.server.as_deref(),
        Some("https://account.minimaxi.com")
    );
    let mut token = session(
        &[("region", "cn"), ("dialect", "mcode"), ("client_id", "x")],
        None,
    );
    token.metadata.server = Some("127.0.0.1:4000".into());
    let before = token.metadata.clone();
    let own = provider.import_session(token)?;
    assert_eq!(own.metadata.provider_data, before.provider_data);
    assert_eq!(own.metadata.server, before.server);
    assert!(
        provider
            .import_session(session(&[("region", "mars")], None))
            .is_err()
    );
    Ok(())
}

#[tokio::test]
async fn a_session_of_an_unknown_region_goes_nowhere() -> TestResult {
    for context in [&[("region", "mars")], &[("dialect", "elvish")]] {
        let provider = MiniMaxProvider::new();
        let token = session(context, None);
        let error = provider.refresh(&token).await.err().ok_or("renewed")?;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(base_of(&provider, &token), None);
    }
    Ok(())
}

#[test]
fn the_api_base_stays_within_the_region_of_the_session() {
    const GLOBAL: &str = "https://api.minimax.io/anthropic";
    const CN: &str = "https://api.minimaxi.com/anthropic";
    let provider = MiniMaxProvider::new();
    for (region, named, base) in [
        ("global", "https://api.minimax.io/anthropic", GLOBAL),
        ("global", "https://api.minimax.io/anthropic/", GLOBAL),
        (
            "global",
            "https://eu.api.minimax.io/x",
            "https://eu.api.minimax.io/x",
        ),
        ("global", "https://minimax.io", "https://minimax.io"),
        ("global", "https://api.minimaxi.com/anthropic", GLOBAL),
        ("global", "http://api.minimax.io/anthropic", GLOBAL),
        ("global", "https://evilminimax.io/x", GLOBAL),
        ("global", "https://api.minimax.io.evil.example/x", GLOBAL),
        ("global", "https://api.minimax.io@evil.example/x", GLOBAL),
        ("global", "https://api.minimax.io/x?to=", GLOBAL),
        ("global", "http://127.0.0.1:1/x", GLOBAL),
        ("global", "api.minimax.io", GLOBAL),
        ("global", "javascript:alert(1)", GLOBAL),
        ("global", "", GLOBAL),
        (
            "cn",
            "https://api.minimax.cn/anthropic",
            "https://api.minimax.cn/anthropic",
        ),
        (
            "cn",
            "https://api.minimaxi.com/v2",
            "https://api.minimaxi.com/v2",
        ),
        ("cn", "https://api.minimax.io/anthropic", CN),
    ] {
        let token = session(&[("region", region)], Some(named));
        let base_of = base_of(&provider, &token);
        assert_eq!(base_of.as_deref(), Some(base), "{region} {named}");
    }
}

#[test]
fn each_dialect_has_an_api_of_its_own() {
    let base = |region, dialect| {
        let token = session(&[("region", region), ("dialect", dialect)], None);
        base_of(&MiniMaxProvider::new(), &token).unwrap_or_default()
    };
    assert_eq!(
        base("global", "mcode"),
        "https://agent.minimax.io/mavis/api/v1/llm/v1"
    );
    assert_eq!(
        base("cn", "mcode"),
        "https://agent.minimax.cn/mavis/api/v1/llm/v1"
    );
    assert_eq!(base("cn", "mmx"), "https://api.minimax.cn/anthropic");
}

#[test]
fn a_loopback_api_is_for_a_session_of_that_very_server() -> Result<(), Error> {
    let provider = MiniMaxProvider::builder()
        .base_url("http://127.0.0.1:4000")?
        .build();
    let token = SecureUrl::new("http://127.0.0.1:4000/oauth2/token")?;
    let base = |named| base_of(&provider, &session(NOTHING, named).issued_by(&token));
    for (named, expected) in [
        (Some("http://127.0.0.1:4000/x"), "http://127.0.0.1:4000/x"),
        (
            Some("http://127.0.0.1:4001/x"),
            "http://127.0.0.1:4000/anthropic",
        ),
        (None, "http://127.0.0.1:4000/anthropic"),
    ] {
        assert_eq!(base(named).as_deref(), Some(expected), "{named:?}");
    }
    Ok(())
}

#[test]
fn what_an_api_answer_says_about_the_session() {
    let provider = MiniMaxProvider::new();
    assert!(provider.api_errors_in_success());
    for (status, code, verdict) in [
        (200, "0", ApiStatus::Ok),
        (200, "1000", ApiStatus::Transient),
        (200, "1002", ApiStatus::RateLimited),
        (200, "1004", ApiStatus::RefreshNeeded),
        (200, "1008", ApiStatus::Quota),
        (200, "1026", ApiStatus::Ok),
        (200, "1028", ApiStatus::Quota),
        (200, "1030", ApiStatus::Quota),
        (200, "2061", ApiStatus::PolicyDenied),
        (401, "0", ApiStatus::RefreshNeeded),
        (429, "0", ApiStatus::RateLimited),
        (500, "0", ApiStatus::Transient),
    ] {
        let body = format!(r#"{{"base_resp":{{"status_code":{code},"status_msg":"x"}}}}"#);
        let answer = ApiResponse::new(status, body.as_bytes());
        assert_eq!(
            provider.classify_api_response(&answer),
            verdict,
            "{status} {code}"
        );
    }
}

fn session(context: &[(&str, &str)], resource_url: Option<&str>) -> OAuthToken {
    let mut token = OAuthToken::new("made-up".into(), Timestamp::default());
    token.refresh = Some("made-up-refresh".into());
    token.resource_url = resource_url.map(Into::into);
    for (name, value) in context {
        token.metadata.provider_data.insert(name, *value);
    }
    token
}

fn base_of(provider: &MiniMaxProvider, session: &OAuthToken) -> Option<String> {
    provider.api(session).ok()?.base
}
