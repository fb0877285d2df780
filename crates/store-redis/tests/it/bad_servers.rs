//! Servers that cannot keep sessions, and what goes wrong with good ones.

use std::time::Duration;

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, TokenStore as _};
use llm_auth_store_redis::{Durability, RedisStore};

use crate::support::server::{RedisServer, free_port};
use crate::support::{hasty, key, noted, row, save, session, shared, stored};

fn fault(error: &Error) -> Option<ServerFault> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<ServerError>()?.fault())
}

async fn refused(server: &RedisServer) -> Error {
    let error = RedisStore::builder(server.url())
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error:#}");
    error
}

fn assert_says(error: &Error, words: &[&str]) {
    for word in words {
        assert!(format!("{error:#}").contains(word), "{word}: {error:#}");
    }
}

#[tokio::test]
async fn a_server_that_may_lose_sessions_is_refused_and_says_which_setting_to_change() {
    let Some(server) = RedisServer::start("settings", &[]) else {
        return;
    };
    let set = |name: &str, value: &str| {
        assert_eq!(server.command(&["CONFIG", "SET", name, value]), "OK");
    };
    let connect = || RedisStore::builder(server.url());
    connect().connect().await.unwrap();
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        set("maxmemory-policy", policy);
        let error = refused(&server).await;
        assert_says(&error, &[policy, "noeviction"]);
        assert_eq!(fault(&error), Some(ServerFault::Evicts));
        // Whatever is accepted.
        let weak = connect().accept(Durability::Memory).connect().await;
        assert_says(&weak.unwrap_err(), &[policy]);
    }
    // Sessions have no expiry.
    set("maxmemory-policy", "volatile-lru");
    let store = connect().connect().await.unwrap();
    let report = store.server().await.unwrap();
    assert_eq!(
        (report.durability, report.replicas),
        (Durability::PowerCut, 0)
    );

    set("no-appendfsync-on-rewrite", "yes");
    assert_says(&refused(&server).await, &["appendfsync always"]);
    set("no-appendfsync-on-rewrite", "no");
    set("appendfsync", "everysec");
    assert_eq!(
        fault(&refused(&server).await),
        Some(ServerFault::NotDurable)
    );
    assert_says(
        &refused(&server).await,
        &["appendfsync always", "power cut"],
    );
    let accepting = connect().accept(Durability::ProcessCrash).connect().await;
    let report = accepting.unwrap().server().await.unwrap();
    assert_eq!(report.durability, Durability::ProcessCrash);

    set("appendonly", "no");
    assert_says(&refused(&server).await, &["appendonly yes"]);
    let process = connect().accept(Durability::ProcessCrash).connect().await;
    assert_says(&process.unwrap_err(), &["appendonly yes"]);
    let accepting = connect().accept(Durability::Memory).connect().await;
    let report = accepting.unwrap().server().await.unwrap();
    assert!(report.to_string().contains("loses sessions"), "{report}");
}

#[tokio::test]
async fn a_user_without_the_right_to_ask_for_settings_is_told_which_rights_are_missing() {
    let Some(server) = RedisServer::start("rights", &[]) else {
        return;
    };
    let user = |rights: &[&str]| {
        let words = [
            &[
                "ACL",
                "SETUSER",
                "agents",
                "reset",
                "on",
                ">made-up",
                "~llm-auth:*",
            ],
            rights,
        ];
        assert_eq!(server.command(&words.concat()), "OK");
    };
    let url = format!("redis://agents:made-up@127.0.0.1:{}", server.port);
    let connect = || RedisStore::builder(url.clone());
    user(&["-@all"]);
    let error = connect().connect().await.unwrap_err();
    assert_says(&error, &["permits this user too little", "+info"]);
    // What a hosted server permits.
    let needed = [
        "-@all", "+eval", "+evalsha", "+hmget", "+hset", "+hdel", "+hexists", "+time", "+scan",
        "+info",
    ];
    user(&needed);
    let error = connect().connect().await.unwrap_err();
    assert_says(&error, &["or unknown"]);
    let store = connect()
        .accept(Durability::ProcessCrash)
        .connect()
        .await
        .unwrap();
    save(&store, &session(1)).await;
    assert_eq!(store.accounts().await.unwrap(), [key()]);
    // A copy of what is damaged needs no other rights.
    let row = row("llm-auth");
    server.command(&["HSET", &row, "data", "made-up-damage"]);
    save(&store, &session(2)).await;
    let copies = server.command(&["HGETALL", &(row + ":damaged")]);
    assert!(copies.contains("made-up-damage"), "{copies}");
    let guard = store.lock(&key()).await.unwrap();
    let shown = format!("{store:?} {guard:?}");
    assert!(!shown.contains("made-up"), "{shown}");
    guard.release().await;
    user(&[&needed[..], &["+config|get"]].concat());
    connect().connect().await.unwrap();

    let wrong = url.replace("made-up", "made-up-wrong");
    let error = RedisStore::builder(wrong).connect().await.unwrap_err();
    assert_says(&error, &["password"]);
    assert!(
        !format!("{error:?} {error:#}").contains("made-up"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_policy_that_changes_later_is_noticed_by_the_next_connection() {
    let Some(mut server) = RedisServer::start("policy later", &[]) else {
        return;
    };
    let store = hasty(&server.url(), "policy").connect().await.unwrap();
    save(&store, &session(1)).await;
    server.restart();
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let error = store.lock(&key()).await.unwrap_err();
    assert_says(&error, &["allkeys-lru"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(stored(&store).await, Some(session(1)));
}

#[tokio::test]
async fn an_outage_a_contention_and_a_lost_lease_are_three_errors() {
    let Some(server) = shared("three errors") else {
        return;
    };
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let outage = hasty(&nowhere, "three").build().unwrap().lock(&key()).await;
    let outage = outage.unwrap_err();
    assert_eq!(outage.kind(), ErrorKind::Store);
    assert_says(&outage, &["cannot be reached", "refused"]);

    let patient = hasty(&server.url(), "three").lease(Duration::from_secs(60));
    let store = patient.lock_wait(Duration::from_millis(1)).build().unwrap();
    let mut held = store.lock(&key()).await.unwrap();
    let busy = store.lock(&key()).await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::StoreBusy);
    assert!(busy.is_transient());
    assert_says(&busy, &["another process", "standard"]);

    let mut new = store.lock_optimistically(&key()).await.unwrap();
    new.save(&session(1)).await.unwrap();
    let lost = held.extend().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::LeaseLost);
    assert_says(&lost, &["standard (work)", "read the session again"]);
}

#[tokio::test]
async fn a_server_that_never_responds_is_an_outage_after_a_bounded_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let store = RedisStore::builder(url).timeout(Duration::from_millis(50));
    let store = store.build().unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load(&key()).await.unwrap_err() })
        })
        .collect();
    for task in tasks {
        let error = task.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_says(&error, &["does not respond in time"]);
    }
}

#[tokio::test]
async fn a_server_without_memory_refuses_to_begin_and_takes_a_successor() {
    let Some(server) = RedisServer::start("no memory", &[]) else {
        return;
    };
    let store = hasty(&server.url(), "memory").connect().await.unwrap();
    save(&store, &session(1)).await;
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(Some(&noted(&session(1)))).await.unwrap();
    let used = "100kb";
    server.command(&["CONFIG", "SET", "maxmemory", used]);
    // What was spent is saved; another refresh does not begin.
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(stored(&store).await, Some(session(2)));
    let error = store.lock(&key()).await.unwrap_err();
    assert_says(&error, &["no memory left", "maxmemory"]);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    let mut guard = store.lock(&key()).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", used]);
    let error = guard.prepare(Some(&noted(&session(2)))).await.unwrap_err();
    assert_says(&error, &["no memory left"]);
    // Nothing has changed, and a sign-out works.
    assert!(!stored(&store).await.unwrap().may_be_spent());
    guard.remove().await.unwrap();
    guard.release().await;
    assert_eq!(stored(&store).await, None);
}
