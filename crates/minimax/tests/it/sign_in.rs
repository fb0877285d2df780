//! Signing in: the responses to polls, and the resulting session.

use std::time::Duration;

use llm_auth_minimax::provider::Poll;
use llm_auth_minimax::{
    AuthProvider as _, Clock as _, Dialect, ErrorKind, MiniMax, MiniMaxProvider, ProviderSpec as _,
    Region, Silent, SystemClock,
};
use llm_auth_testkit::{
    Approval, ExpiryUnit, NOW, ScriptedServer, Testkit, immediate_polls, provider_at,
};

use crate::common::{TestResult, at, rows};

const OURS: &str = r#"{"user_code":"A+B&C","verification_uri":"https://platform.minimax.io/oauth-authorize?user_code=x","expired_in":1790000060000,"interval":1,"state":"{STATE}"}"#;

#[tokio::test]
async fn a_token_lives_until_the_instant_that_is_meant() -> TestResult {
    for (expiry, millis) in [
        ("\"expired_in\":3600", 1_790_003_600_000),
        ("\"expired_in\":\"3600\"", 1_790_003_600_000),
        ("\"expired_in\":999999999", 2_789_999_999_000),
        ("\"expired_in\":1000000000", 1_000_000_000_000),
        ("\"expired_in\":1790003600", 1_790_003_600_000),
        ("\"expired_in\":999999999999", 999_999_999_999_000),
        ("\"expired_in\":1000000000000", 1_000_000_000_000),
        ("\"expired_in\":1790003600000", 1_790_003_600_000),
        ("\"expired_in\":9007199254740991", 9_007_199_254_740_991),
        ("\"expires_in\":3600", 1_790_003_600_000),
    ] {
        let body = format!(r#"{{"status":"success","access_token":"made-up",{expiry}}}"#);
        let server = ScriptedServer::json([(200, OURS), (200, &body)]).await?;
        let token = at(&server, Dialect::OpenClaw)?
            .authenticate(&Silent)
            .await?;
        assert_eq!(
            token.expires_at.unwrap().as_unix_millis(),
            millis,
            "{expiry}"
        );
    }
    for odd in [
        "0",
        "-1",
        "1.5",
        "\"\"",
        "\"3600s\"",
        "true",
        "9007199254740992",
    ] {
        let body = format!(r#"{{"status":"success","access_token":"x","expired_in":{odd}}}"#);
        let server = ScriptedServer::json([(200, OURS), (200, &body)]).await?;
        let error = at(&server, Dialect::OpenClaw)?
            .authenticate(&Silent)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{odd}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_past_its_expiry_is_stale_and_no_error() -> TestResult {
    let body = r#"{"status":"success","access_token":"x","expired_in":1700000000}"#;
    let server = ScriptedServer::json([(200, OURS), (200, body)]).await?;
    let provider = at(&server, Dialect::OpenClaw)?;
    let (device, pkce) = provider.request_device_code().await?;
    let poll = provider.poll_for_token(&device, &pkce).await?;
    let Poll::Ready(answer) = poll else {
        return Err("not ready".into());
    };
    assert!(!answer.into_token(NOW).is_valid_for(Duration::ZERO, NOW));
    Ok(())
}

const POLLS: &str = r#"
Expired 200 {"status":"expired_token"}
Denied 200 {"error":"denied"}
Protocol 200 {"status":"error","base_resp":{"status_code":7,"status_msg":"no"}}
Denied 200 {"status":"error"}
Denied 400 {"status":"ERROR"}
Denied 200 {"status":"failed"}
Denied 200 {"status":"rejected"}
Denied 200 {"status":"cancelled"}
Expired 200 {"status":"timeout"}
Denied 200 {"status":"error","base_resp":{"status_code":0,"status_msg":"success"}}
Denied 200 {"status":"error","base_resp":{"status_code":3,"status_msg":"User denied it"}}
Transient 200 {"status":"error","base_resp":{"status_code":1001,"status_msg":"timeout"}}
Expired 200 {"status":"error","base_resp":{"status_code":40004}}
Transient 503 {"status":"error"}
Protocol 200 {"status":"pending","base_resp":{"status_code":7}}
Protocol 200 {"access_token":""}
Protocol 200 {"access_token":"x","token_type":"mac","expired_in":60}
Config 401 {"error":"invalid_client"}
Protocol 400 bad
RateLimited 200 {"base_resp":{"status_code":1002,"status_msg":"rate limit"}}
RateLimited 429
Pending 200 {"status":"PENDING","base_resp":{"status_code":0,"status_msg":"success"}}
Pending 200 {"status":"never_heard_of"}
Pending 200 {"base_resp":{"status_code":1,"status_msg":"authorization_pending"}}
Pending 400 {"status":"pending"}
SlowDown 429 {"status":"slow_down"}
SlowDown 400 {"error":"slow_down"}
"#;

#[tokio::test]
async fn what_a_poll_can_bring_beside_the_table() -> TestResult {
    for (expected, status, body) in rows(POLLS) {
        let server = ScriptedServer::json([(200, OURS), (status, body)]).await?;
        let provider = at(&server, Dialect::OpenClaw)?;
        let (device, pkce) = provider.request_device_code().await?;
        let read = match provider.poll_for_token(&device, &pkce).await {
            Err(error) => format!("{:?}", error.kind()),
            Ok(Poll::Pending) => "Pending".into(),
            Ok(Poll::SlowDown(None)) => "SlowDown".into(),
            Ok(other) => format!("{other:?}"),
        };
        assert_eq!(read, expected, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_remembers_where_it_is_from() -> TestResult {
    let body = r#"{"access_token":"made-up","expired_in":60,"notification_message":"Welcome"}"#;
    let server = ScriptedServer::json([(200, OURS), (200, body)]).await?;
    let provider = provider_at(&server, MiniMax::new(Region::Cn, Dialect::Mmx).builder())?;
    let session = provider.authenticate(&Silent).await?;
    let data = session.metadata.provider_data.iter();
    let data: Vec<_> = data
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let client = "client_id 659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
    // The response names no API, so the one at this server is recorded.
    let api = format!("api_base {}/anthropic", server.base_url());
    assert_eq!(data, [&api, client, "dialect mmx", "region cn"]);
    assert_eq!(session.notification.as_deref(), Some("Welcome"));
    Ok(())
}

/// The conformance has the third: milliseconds since 1970.
#[tokio::test]
async fn each_unit_of_an_expiry_is_an_hour_from_now() -> TestResult {
    for unit in [ExpiryUnit::EpochSeconds, ExpiryUnit::RelativeSeconds] {
        let kit = Testkit::builder().approval(Approval::Auto);
        let kit = kit.interval(Duration::ZERO).start().await?;
        kit.minimax().set_expiry_unit(unit);
        let provider = MiniMaxProvider::builder().base_url(kit.base_url())?;
        let provider = provider.schedule(immediate_polls()).build();
        let session = provider.authenticate(&Silent).await?;
        for session in [provider.refresh(&session).await?, session] {
            let now = SystemClock.now();
            assert!(session.is_valid_for(Duration::from_secs(3500), now));
            assert!(!session.is_valid_for(Duration::from_secs(3700), now));
        }
        assert_eq!(kit.minimax().violations(), Vec::<String>::new());
    }
    Ok(())
}
