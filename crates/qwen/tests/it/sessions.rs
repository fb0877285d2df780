//! Many sessions against a server on a socket.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_qwen::{ManualClock, OAuthToken, QwenProvider, SessionChange, SessionKey, Sessions};
use llm_auth_testkit::{NOW, ScriptedResponse, ScriptedServer, provider_at};

const ACCOUNTS: usize = 10;

fn key(account: usize) -> SessionKey {
    SessionKey::new("qwen", account.to_string())
}

#[tokio::test]
async fn after_an_outage_no_session_is_sent_before_the_server_accepts_requests_again() {
    let outage = ScriptedResponse::json(503, r#"{"error":"server_error"}"#);
    let token = r#"{"access_token":"made-up-2","refresh_token":"made-up-refresh-2",
        "token_type":"Bearer","expires_in":3600}"#;
    let granted = (0..ACCOUNTS).map(|_| ScriptedResponse::json(200, token));
    let script = std::iter::once(outage.header("retry-after", "120")).chain(granted);
    let server = ScriptedServer::start(script).await.unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let sessions = Sessions::builder()
        .provider(provider_at(&server, QwenProvider::builder()).unwrap())
        .clock(clock.clone())
        .jitter(Duration::ZERO)
        .build()
        .unwrap();
    let mut watches = Vec::new();
    for account in 0..ACCOUNTS {
        let mut session = OAuthToken::new("made-up-1".into(), NOW.after(Duration::from_secs(3600)));
        session.refresh = Some("made-up-refresh-1".into());
        let manager = sessions.get(&key(account)).unwrap();
        manager.insert_session(session).await.unwrap();
        watches.push(manager.watch());
    }
    clock.advance(Duration::from_secs(3200));
    let first = sessions.get(&key(0)).unwrap();
    let error = first.refresh().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));

    clock.advance(Duration::from_secs(110));
    sessions.check_clock();
    let other = sessions.get(&key(1)).unwrap();
    let token = other.token().await.unwrap();
    let held = other.invalidate(&token).await.unwrap_err();
    assert!(held.is_transient(), "{held}");
    assert_eq!(server.requests().len(), 1, "nothing was sent");

    clock.advance(Duration::from_secs(10));
    sessions.check_clock();
    for watch in &mut watches[1..] {
        let change = watch.changed().await;
        assert!(
            matches!(change, Some(SessionChange::Refreshed(_))),
            "{change:?}"
        );
    }
}
