//! Signing in: the responses to polls, and the resulting session.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::provider::Poll;
use llm_auth_core::{ManualClock, PollSchedule};
use llm_auth_minimax::{
    AuthProvider as _, Dialect, Error, ErrorKind, MiniMax, ProviderSpec as _, Region, Silent,
};
use llm_auth_testkit::{Approval, ExpiryUnit, ScriptedServer, Testkit};

use crate::common::{NOW, TestResult, at, failure, says};

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
        let server = says([(200, OURS), (200, &body)]).await?;
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
        let server = says([(200, OURS), (200, &body)]).await?;
        let error = failure(at(&server, Dialect::OpenClaw)?.authenticate(&Silent).await)?;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{odd}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_past_its_expiry_is_stale_and_no_error() -> TestResult {
    let body = r#"{"status":"success","access_token":"x","expired_in":1700000000}"#;
    let server = says([(200, OURS), (200, body)]).await?;
    let provider = at(&server, Dialect::OpenClaw)?;
    let (device, pkce) = provider.request_device_code().await?;
    let poll = provider.poll_for_token(&device, &pkce).await?;
    let Poll::Ready(answer) = poll else {
        return Err("not ready".into());
    };
    assert!(!answer.into_token(NOW).is_valid_for(Duration::ZERO, NOW));
    Ok(())
}

#[tokio::test]
async fn what_a_poll_can_bring_beside_the_table() -> TestResult {
    for (status, body, kind) in [
        (200, r#"{"status":"expired_token"}"#, ErrorKind::Expired),
        (200, r#"{"error":"denied"}"#, ErrorKind::Denied),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":7,"status_msg":"no"}}"#,
            ErrorKind::Protocol,
        ),
        (200, r#"{"status":"error"}"#, ErrorKind::Denied),
        (400, r#"{"status":"ERROR"}"#, ErrorKind::Denied),
        (200, r#"{"status":"failed"}"#, ErrorKind::Denied),
        (200, r#"{"status":"rejected"}"#, ErrorKind::Denied),
        (200, r#"{"status":"cancelled"}"#, ErrorKind::Denied),
        (200, r#"{"status":"timeout"}"#, ErrorKind::Expired),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":0,"status_msg":"success"}}"#,
            ErrorKind::Denied,
        ),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":3,"status_msg":"User denied it"}}"#,
            ErrorKind::Denied,
        ),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":1001,"status_msg":"timeout"}}"#,
            ErrorKind::Transient,
        ),
        (
            200,
            r#"{"status":"error","base_resp":{"status_code":40004}}"#,
            ErrorKind::Expired,
        ),
        (503, r#"{"status":"error"}"#, ErrorKind::Transient),
        (
            200,
            r#"{"status":"pending","base_resp":{"status_code":7}}"#,
            ErrorKind::Protocol,
        ),
        (200, r#"{"access_token":""}"#, ErrorKind::Protocol),
        (
            200,
            r#"{"access_token":"x","token_type":"mac","expired_in":60}"#,
            ErrorKind::Protocol,
        ),
        (401, r#"{"error":"invalid_client"}"#, ErrorKind::Config),
        (400, "bad", ErrorKind::Protocol),
        (
            200,
            r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
            ErrorKind::RateLimited,
        ),
        (429, "", ErrorKind::RateLimited),
    ] {
        let server = says([(200, OURS), (status, body)]).await?;
        let error = failure(poll_once(&server).await)?;
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
    for (status, body, expected) in [
        (
            200,
            r#"{"status":"PENDING","base_resp":{"status_code":0,"status_msg":"success"}}"#,
            "Pending",
        ),
        (200, r#"{"status":"never_heard_of"}"#, "Pending"),
        (
            200,
            r#"{"base_resp":{"status_code":1,"status_msg":"authorization_pending"}}"#,
            "Pending",
        ),
        (400, r#"{"status":"pending"}"#, "Pending"),
        (429, r#"{"status":"slow_down"}"#, "SlowDown(None)"),
        (400, r#"{"error":"slow_down"}"#, "SlowDown(None)"),
    ] {
        let server = says([(200, OURS), (status, body)]).await?;
        let poll = poll_once(&server).await?;
        assert_eq!(format!("{poll:?}"), expected, "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_remembers_where_it_is_from() -> TestResult {
    let body = r#"{"status":"success","access_token":"made-up","expired_in":60,"notification_message":"Welcome"}"#;
    let server = says([(200, OURS), (200, body)]).await?;
    let blink = Duration::from_millis(1);
    let schedule = PollSchedule::new()
        .default_interval(blink)
        .minimum(blink)
        .cap(blink)
        .slow_down_step(blink);
    let provider = MiniMax::new(Region::Cn, Dialect::Mmx)
        .builder()
        .base_url(server.base_url())?
        .schedule(schedule)
        .clock(Arc::new(ManualClock::new(NOW)))
        .build();
    let token = provider.authenticate(&Silent).await?;
    let context: Vec<_> = token
        .metadata
        .provider_data
        .iter()
        .map(|(k, v)| (&**k, &**v))
        .collect();
    let id = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
    assert_eq!(
        context,
        [("client_id", id), ("dialect", "mmx"), ("region", "cn")]
    );
    assert_eq!(token.notification.as_deref(), Some("Welcome"));
    let shown = format!("{token:?}");
    assert!(!shown.contains("made-up"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn the_simulated_minimax_finds_nothing_to_complain_about() -> TestResult {
    for dialect in [Dialect::OpenClaw, Dialect::Mmx, Dialect::MiniMaxCode] {
        for unit in [ExpiryUnit::EpochMillis, ExpiryUnit::RelativeSeconds] {
            let kit = Testkit::builder()
                .approval(Approval::AutoAfterPolls(1))
                .interval(Duration::from_millis(100))
                .start()
                .await?;
            kit.minimax().set_expiry_unit(unit);
            let provider = MiniMax::new(Region::Global, dialect)
                .builder()
                .base_url(kit.base_url())?
                .build();
            let token = provider.authenticate(&Silent).await?;
            let refreshed = provider.refresh(&token).await?;
            assert!(kit.minimax().is_live_access(refreshed.access.expose()));
            assert_eq!(kit.minimax().counters().too_fast, 0);
            assert_eq!(kit.minimax().violations(), Vec::<String>::new());
            let error = failure(provider.refresh(&token).await)?;
            assert_eq!(error.kind(), ErrorKind::RefreshRejected, "a spent token");
        }
    }
    Ok(())
}

async fn poll_once(server: &ScriptedServer) -> Result<Poll, Error> {
    let provider = at(server, Dialect::OpenClaw)?;
    let (device, pkce) = provider.request_device_code().await?;
    provider.poll_for_token(&device, &pkce).await
}
