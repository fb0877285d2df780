//! Hosts that share a store whose lock is a lease, one of which sleeps, dies or is overtaken.

use std::time::Duration;

use llm_auth_core::provider::OAuthConfig;
use llm_auth_core::{
    AuthManager, Clock as _, ErrorKind, Insertion, OAuthToken, ProviderSpec as _, SecureUrl,
    SystemClock, TokenStore as _,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::lease_store::Host;
use crate::support::{
    FakeProvider, Response, caller_in_mid_refresh, expired_session, key, session,
};

fn manager(provider: &FakeProvider, host: &Host) -> AuthManager {
    AuthManager::builder(provider.clone())
        .store(host.clone())
        .build()
}

/// A holder in the middle of a refresh that writes a note and dies.
async fn noted(host: &Host, token: OAuthToken) {
    let provider = FakeProvider::default();
    let sleeper = manager(&provider, host);
    host.restore(Host::holding(token).row());
    let _caller = caller_in_mid_refresh(&provider, &sleeper).await;
    host.end_lease();
    // It never wakes up.
    std::mem::forget(sleeper);
}

#[tokio::test]
async fn hosts_share_one_refresh_and_the_waiting_one_takes_no_lock() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let (first, second) = (manager(&provider, &host), manager(&provider, &host));
    let caller = caller_in_mid_refresh(&provider, &first).await;
    let waiting = tokio::spawn(async move { second.token().await });
    provider.release();
    assert_eq!(waiting.await.unwrap().unwrap().access.expose(), "a2");
    assert_eq!(caller.await.unwrap().unwrap().access.expose(), "a2");
    assert_eq!((provider.refreshes(), host.takes()), (1, 1));
    assert!(!host.is_held());
}

#[tokio::test]
async fn a_response_that_comes_after_the_lease_is_stored_if_no_other_host_was_faster() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &host);
    let caller = caller_in_mid_refresh(&provider, &manager).await;
    host.end_lease();
    provider.release();
    assert_eq!(caller.await.unwrap().unwrap().access.expose(), "a2");
    let stored = host.row().session.unwrap();
    assert_eq!(stored.refresh.as_ref().unwrap().expose(), "r2");
    assert!(!stored.may_be_spent());
}

#[tokio::test]
async fn a_holder_with_a_response_keeps_its_lease_for_as_long_as_the_store_is_away() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &host);
    // More than a file that is locked for a moment would take.
    host.fail_saves(6);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    let stored = host.row().session.unwrap();
    assert_eq!(stored.refresh.as_ref().unwrap().expose(), "r2");
    // The next holder would have sent the spent token.
    assert_eq!((provider.refreshes(), host.takes()), (1, 1));
}

#[tokio::test]
async fn a_holder_whose_store_stays_away_gives_up_with_its_lease() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &host);
    host.grant(Duration::from_secs(1));
    host.fail_saves(7);
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    manager.wait_idle().await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_holder_that_was_overtaken_uses_the_session_of_the_other_host() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &host);
    let caller = caller_in_mid_refresh(&provider, &manager).await;
    host.end_lease();
    let mut other = host.lock(&key()).await.unwrap();
    other.finish(&session("a7", "r7", 3600)).await.unwrap();
    provider.release();
    assert_eq!(caller.await.unwrap().unwrap().access.expose(), "a7");
    assert_eq!(host.row().session.unwrap().access.expose(), "a7");
    // Its own successor is not offered again.
    manager.wait_idle().await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a7");
    assert_eq!(provider.refreshes(), 1);
    assert!(provider.revoked().is_empty());
}

#[tokio::test]
async fn a_sign_out_waits_for_no_sleeper_whose_response_is_revoked_when_it_comes() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let (sleeper, leaving) = (manager(&provider, &host), manager(&provider, &host));
    let caller = caller_in_mid_refresh(&provider, &sleeper).await;
    assert!(leaving.logout().await.unwrap().was_signed_in);
    provider.release();
    let error = caller.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    assert!(host.row().session.is_none());
    assert_eq!(provider.revoked(), ["r1", "r2"]);
}

#[tokio::test]
async fn a_successor_that_comes_during_a_sign_out_is_revoked_and_removed_too() {
    let provider = FakeProvider::default();
    let (mut before, mut after) = (expired_session("a1", "r1"), session("a2", "r2", 3600));
    before.metadata.signed_in_at = Some(SystemClock.now());
    after.metadata = before.metadata.clone();
    let host = Host::holding(before);
    let leaving = manager(&provider, &host);
    let holder = host.clone();
    provider.meanwhile(move || holder.store(after));
    assert!(leaving.logout().await.unwrap().was_signed_in);
    assert!(host.row().session.is_none());
    assert_eq!(provider.revoked(), ["r1", "r2"]);
}

#[tokio::test]
async fn a_sign_in_that_is_refused_disturbs_no_refresh_in_flight() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let (holder, refused) = (manager(&provider, &host), manager(&provider, &host));
    let caller = caller_in_mid_refresh(&provider, &holder).await;
    let waiting = manager(&provider, &host);
    let waiting = tokio::spawn(async move { waiting.token().await });
    let new = session("a9", "r9", 3600);
    let inserted = refused.insert_session_if(new, |_, _| false).await.unwrap();
    assert!(matches!(inserted, Insertion::Refused(_)));
    assert!(host.is_held());
    provider.release();
    for caller in [caller, waiting] {
        assert_eq!(caller.await.unwrap().unwrap().access.expose(), "a2");
    }
    assert_eq!(host.row().session.unwrap().access.expose(), "a2");
    assert_eq!((provider.refreshes(), host.takes()), (1, 1));
}

#[tokio::test]
async fn a_sign_in_is_decided_again_by_what_another_host_has_stored_meanwhile() {
    for replaces_the_successor in [true, false] {
        let provider = FakeProvider::default();
        let host = Host::holding(expired_session("a1", "r1"));
        let (manager, other) = (manager(&provider, &host), host.clone());
        let mut seen = Vec::new();
        let decide = move |_: &OAuthToken, stored: Option<&OAuthToken>| {
            seen.push(stored.unwrap().access.expose().to_owned());
            if seen.len() == 1 {
                other.store(session("a2", "r2", 3600));
                return true;
            }
            assert_eq!(seen, ["a1", "a2"]);
            replaces_the_successor
        };
        let new = session("a9", "r9", 3600);
        let (access, before) = match manager.insert_session_if(new, decide).await.unwrap() {
            Insertion::Stored(stored) => ("a9", (*stored.replaced.unwrap()).clone()),
            Insertion::Refused(refused) => ("a2", refused.stored.unwrap()),
        };
        assert_eq!(access == "a9", replaces_the_successor);
        assert_eq!(before.access.expose(), "a2");
        assert_eq!(host.row().session.unwrap().access.expose(), access);
        assert_eq!(host.takes(), 0);
    }
}

#[tokio::test]
async fn a_holder_stores_nothing_over_a_sign_in() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let (holder, new) = (manager(&provider, &host), manager(&provider, &host));
    let caller = caller_in_mid_refresh(&provider, &holder).await;
    new.insert_session(session("a9", "r9", 3600)).await.unwrap();
    provider.release();
    assert_eq!(caller.await.unwrap().unwrap().access.expose(), "a9");
    holder.wait_idle().await;
    assert_eq!(host.row().session.unwrap().access.expose(), "a9");
}

#[tokio::test]
async fn while_the_access_token_is_good_a_sleeper_may_still_bring_its_response() {
    // Within the window of an early refresh, and for longer than the sleeper gets.
    let host = Host::holding(expired_session("a0", "r0"));
    noted(&host, session("a1", "r1", 200)).await;
    let provider = FakeProvider::default();
    let manager = manager(&provider, &host);
    let takes = host.takes();
    for _ in 0..3 {
        assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
        manager.wait_idle().await;
    }
    // An early refresh has looked, and left it to the sleeper.
    assert_eq!(host.takes(), takes + 1);
    // As another host does later.
    let later = self::manager(&provider, &host);
    for _ in 0..3 {
        assert_eq!(later.token().await.unwrap().access.expose(), "a1");
        later.wait_idle().await;
    }
    assert_eq!(host.takes(), takes + 2);
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test]
async fn a_refresh_whose_failure_is_recorded_is_tried_again() {
    let host = Host::holding(session("a1", "r1", 200));
    let provider = FakeProvider::default();
    let manager = manager(&provider, &host);
    provider.answer(Response::Unavailable { lost: true });
    manager.token().await.unwrap();
    manager.token().await.unwrap();
    manager.wait_idle().await;
    assert!(host.row().session.unwrap().may_be_spent());
    provider.answer(Response::Rotate);
    let later = self::manager(&provider, &host);
    later.token().await.unwrap();
    later.token().await.unwrap();
    later.wait_idle().await;
    assert_eq!(later.token().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_caller_who_needs_another_token_does_not_wait_for_a_sleeper() {
    for case in 0..3 {
        let host = Host::holding(expired_session("a0", "r0"));
        noted(&host, session("a1", "r1", 200)).await;
        let provider = FakeProvider::default();
        let manager = manager(&provider, &host);
        let token = match case {
            0 => manager.refresh().await,
            1 => manager.token_valid_for(Duration::from_secs(300)).await,
            _ => {
                let rejected = manager.token().await.unwrap();
                manager.invalidate(&rejected).await
            }
        };
        assert_eq!(token.unwrap().access.expose(), "a2", "{case}");
    }
}

#[tokio::test]
async fn a_token_that_is_over_is_refreshed_in_spite_of_a_sleeper() {
    let host = Host::holding(expired_session("a0", "r0"));
    noted(&host, expired_session("a1", "r1")).await;
    let provider = FakeProvider::default();
    let manager = manager(&provider, &host);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_successor_that_a_failover_has_lost_is_stored_again_and_nothing_is_sent_twice() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &host);
    let before = host.row();
    provider.lifetime(Duration::ZERO);
    // The store loses what it has saved meanwhile.
    manager.refresh().await.unwrap();
    host.restore(before);
    provider.lifetime(Duration::from_secs(3600));
    assert_eq!(manager.token().await.unwrap().access.expose(), "a3");
    assert_eq!(provider.refreshes(), 2);
    let stored = host.row().session.unwrap();
    assert_eq!(stored.refresh.unwrap().expose(), "r3");
}

#[tokio::test]
async fn a_lease_that_cannot_be_extended_ends_the_series_of_attempts() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let host = Host::holding(expired_session("a1", "r1"));
    host.refuse_extend();
    let error = manager(&provider, &host).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(provider.refreshes(), 1);
}

/// What arrives at a server that sends no response.
async fn received(granted: Duration) -> (llm_auth_core::Error, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/token", listener.local_addr().unwrap());
    let endpoint = SecureUrl::new(&endpoint).unwrap();
    let host = Host::holding(expired_session("made-up-access", "made-up-refresh"));
    host.grant(granted);
    let manager = AuthManager::builder(OAuthConfig::new("fake", endpoint).provider())
        .store(host.clone())
        .build();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            bytes.truncate(read);
            sender.send(bytes).unwrap();
        }
    });
    let error = manager.token().await.unwrap_err();
    server.abort();
    let mut receiver = receiver;
    let mut all = Vec::new();
    while let Some(bytes) = receiver.recv().await {
        all.extend(bytes);
    }
    let stored = host.row().session.unwrap();
    assert_eq!(stored.refresh.unwrap().expose(), "made-up-refresh");
    (error, all)
}

#[tokio::test]
async fn a_holder_whose_lease_ends_too_soon_sends_no_token() {
    let token = b"made-up-refresh";
    let holds = |bytes: &[u8]| bytes.windows(token.len()).any(|part| part == token);
    // As long as a request may take, and less.
    let (error, bytes) = received(Duration::from_secs(30)).await;
    assert!(error.response_lost() && holds(&bytes), "{error}");
    let (error, bytes) = received(Duration::from_secs(19)).await;
    assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
    assert!(error.is_transient() && !error.response_lost());
    assert!(!holds(&bytes));
}

#[tokio::test]
async fn a_sign_in_whose_response_was_lost_replaces_no_successor_of_its_own() {
    let provider = FakeProvider::default();
    let host = Host::holding(session("a0", "r0", 3600));
    let manager = manager(&provider, &host);
    host.lose_next_response(session("a2", "r2", 3600));
    let inserted = manager.insert_session_if(session("a1", "r1", 3600), |_, stored| {
        assert_eq!(stored.unwrap().access.expose(), "a0");
        true
    });
    let Insertion::Stored(stored) = inserted.await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(stored.token.access.expose(), "a2");
    assert_eq!(stored.replaced.unwrap().access.expose(), "a0");
    assert_eq!(host.row().session.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_sign_out_that_is_tried_again_ends_no_new_sign_in() {
    let provider = FakeProvider::default();
    let host = Host::holding(expired_session("a1", "r1"));
    let (leaving, other) = (manager(&provider, &host), host.clone());
    let mut new = session("a9", "r9", 3600);
    new.metadata.signed_in_at = Some(SystemClock.now());
    let signed_in = new.clone();
    provider.meanwhile(move || other.store(signed_in));
    let error = leaving.logout().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreBusy, "{error}");
    assert_eq!(host.row().session.unwrap().access.expose(), "a9");
    assert_eq!(provider.revoked(), ["r1"]);
}

#[tokio::test]
async fn a_sign_in_that_waits_to_be_stored_goes_before_the_end_of_a_refresh() {
    let provider = FakeProvider::default();
    let mut signed_in = expired_session("a1", "r1");
    signed_in.metadata.signed_in_at = Some(SystemClock.now());
    let host = Host::holding(signed_in.clone());
    let manager = manager(&provider, &host);
    // More than the attempts of the sign-in itself.
    host.fail_saves(4);
    let error = manager.insert_session(session("a9", "r9", 3600)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Store);
    let mut refreshed = session("a2", "r2", 3600);
    refreshed.metadata = signed_in.metadata;
    host.store(refreshed);
    manager.wait_idle().await;
    assert_eq!(host.row().session.unwrap().access.expose(), "a9");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a9");
}
