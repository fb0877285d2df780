//! A replica that becomes the primary.

use llm_auth_core::{ErrorKind, TokenStore as _};
use llm_auth_store_redis::RedisStore;

use crate::support::server::{RedisServer, signal};
use crate::support::vendor::{assert_alive, expired, kit, manager};
use crate::support::{hasty, key, save, session, stored};

fn replica_of(primary: &RedisServer) -> Option<RedisServer> {
    let of = format!("127.0.0.1 {}", primary.port);
    let replica = RedisServer::start("replica", &["--replicaof", &of]);
    let replica = replica?;
    while !replica
        .command(&["INFO", "replication"])
        .contains("master_link_status:up")
    {
        std::thread::yield_now();
    }
    Some(replica)
}

/// Until the replica has all in its file; it writes a new one after it has copied the primary.
fn wait_for_replica(primary: &RedisServer, replica: &RedisServer) {
    assert_eq!(primary.command(&["WAIT", "1", "0"]), "1");
    let is_written = |info: &str| {
        let fields = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
        fields.iter().all(|field| info.contains(field))
    };
    while !is_written(&replica.command(&["INFO", "persistence"])) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_read_only_replica_is_refused_with_the_advice_to_use_the_primary() {
    let Some(primary) = RedisServer::start("read-only", &[]) else {
        return;
    };
    let store = hasty(&primary.url(), "llm-auth").connect().await.unwrap();
    save(&store, &session(1)).await;
    let replica = replica_of(&primary).unwrap();
    let error = RedisStore::builder(replica.url())
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("read-only replica"), "{error}");
    // The primary becomes a replica under an open connection.
    let port = replica.port.to_string();
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    primary.command(&["REPLICAOF", "127.0.0.1", &port]);
    let error = store.lock(&key()).await.unwrap_err();
    assert!(error.to_string().contains("read-only replica"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_a_failover_has_lost_is_stored_again_while_its_manager_lives() {
    let Some(mut primary) = RedisServer::start("failover", &[]) else {
        return;
    };
    let mut replica = replica_of(&primary).unwrap();
    let name = "made-up-primary";
    let sentinel = RedisServer::sentinel(&primary, name);
    let (kit, prefix) = (kit().await, "failover");
    let store = || {
        let store = hasty(&sentinel.url(), prefix).sentinel(name);
        store.build().unwrap()
    };
    let direct = store();
    expired(&kit, &direct).await;
    wait_for_replica(&primary, &replica);
    // From here on the replica hears nothing.
    signal("-STOP", &replica.process());
    let manager = manager(kit.base_url(), store());
    let token = manager.token().await.unwrap();
    primary.kill();
    // Nor what still lies in its socket.
    replica.restart();
    let fail_over = ["SENTINEL", "FAILOVER", name];
    while sentinel.command(&fail_over).starts_with("NOGOODSLAVE") {
        std::thread::yield_now();
    }
    while hasty(&sentinel.url(), prefix)
        .sentinel(name)
        .connect()
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    // It has the spent token, and the manager its successor.
    assert_ne!(stored(&store()).await.unwrap().access, token.access);
    manager.refresh().await.unwrap();
    manager.wait_idle().await;
    assert_alive(&kit, &store(), 2).await;
}
