//! A cluster of three nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};
use llm_auth_store_redis::RedisStore;

use crate::support::server::{RedisServer, free_port};
use crate::support::{key, noted, session};

const RANGES: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

fn start() -> Option<Vec<RedisServer>> {
    let mut nodes = Vec::new();
    for (first, last) in RANGES {
        let bus = free_port().to_string();
        let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        let node = RedisServer::start("cluster", &arguments)?;
        assert_eq!(
            node.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]),
            "OK"
        );
        nodes.push((node, bus));
    }
    for (number, epoch) in ["1", "2", "3"].iter().enumerate() {
        nodes[number]
            .0
            .command(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
    }
    let (first, others) = nodes.split_first().unwrap();
    for (other, bus) in others {
        let port = other.port.to_string();
        first
            .0
            .command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
    }
    let nodes: Vec<_> = nodes.into_iter().map(|(node, _)| node).collect();
    let knows_all = |node: &RedisServer| {
        let info = node.command(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
    };
    while !nodes.iter().all(knows_all) {
        std::thread::yield_now();
    }
    Some(nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_belongs_to_a_session_is_in_one_slot_of_a_cluster() {
    let Some(nodes) = start() else {
        return;
    };
    let builder = RedisStore::builder(nodes[0].url()).node(nodes[1].url());
    let store = builder.cluster().connect().await.unwrap();
    let mut sessions = BTreeSet::new();
    for number in 0..30 {
        let key = SessionKey::new("standard", format!("a{number}"));
        let mut guard = store.lock(&key).await.unwrap();
        guard.prepare(None).await.unwrap();
        guard.save(&session(1)).await.unwrap();
        guard.prepare(Some(&noted(&session(1)))).await.unwrap();
        guard.extend().await.unwrap();
        guard.finish(&session(2)).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), Some(session(2)));
        sessions.insert(key);
    }
    for key in &sessions {
        let row = format!("llm-auth:{{standard/{}}}", key.account());
        let damage = ["-c", "HSET", &row, "data", "made-up-damage"];
        assert_eq!(nodes[0].command(&damage), "0");
        let mut guard = store.lock(key).await.unwrap();
        guard.finish(&session(3)).await.unwrap();
        let copy = ["-c", "HGET", &format!("{row}:damaged"), "1 data"];
        assert_eq!(nodes[0].command(&copy), "made-up-damage");
    }
    let mut leaving = store.lock_optimistically(&key()).await.unwrap();
    leaving.remove().await.unwrap();
    leaving.release().await;
    let hasty = RedisStore::builder(nodes[0].url()).cluster();
    let hasty = hasty.lock_wait(Duration::from_millis(1)).build().unwrap();
    hasty.lock(&key()).await.unwrap().release().await;
    // They are on all nodes, and are listed nevertheless.
    for node in &nodes {
        assert_ne!(node.command(&["DBSIZE"]), "0");
    }
    let listed: BTreeSet<_> = store.accounts().await.unwrap().into_iter().collect();
    assert_eq!(listed, sessions);

    // The scripts declare all that they touch: two sessions in one script are refused.
    let two = [
        "EVAL",
        "return 1",
        "2",
        "llm-auth:{standard/a1}",
        "llm-auth:{standard/a2}",
    ];
    assert!(nodes[0].command(&two).contains("CROSSSLOT"));

    let single = RedisStore::builder(nodes[0].url())
        .connect()
        .await
        .unwrap_err();
    assert!(single.to_string().contains("with `cluster`"), "{single}");
    // Any node may have the session.
    for node in &nodes {
        node.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        let builder = RedisStore::builder(nodes[0].url()).cluster();
        let evicting = builder.connect().await.unwrap_err();
        assert_eq!(evicting.kind(), ErrorKind::Store);
        assert!(evicting.to_string().contains("allkeys-lru"), "{evicting}");
        node.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    }

    drop(nodes);
    let outage = store.load(&key()).await.unwrap_err();
    assert_eq!(outage.kind(), ErrorKind::Store);
    let text = outage.to_string();
    assert!(
        text.contains("cluster") && text.contains("cannot be reached"),
        "{text}"
    );
}
