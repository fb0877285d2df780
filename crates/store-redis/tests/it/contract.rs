//! What every store must do.

use std::sync::Arc;

use llm_auth_core::{SessionKey, TokenStore};
use llm_auth_store_redis::{RedisStore, SealingKeys};
use llm_auth_testkit::{Failures, StoreContract};

use crate::support::server::RedisServer;
use crate::support::{row, shared};

/// How many copies of damaged entries there are.
fn copies(prefix: &str, server: &RedisServer, key: &SessionKey) -> usize {
    let row = row(prefix).replace("standard/work", &format!("contract/{}", key.account()));
    let fields = server.command(&["HKEYS", &(row + ":damaged")]);
    fields
        .lines()
        .filter(|field| field.ends_with(" data"))
        .count()
}

#[tokio::test]
async fn the_store_keeps_the_contract() -> Result<(), Failures> {
    let Some(server) = shared("contract") else {
        return Ok(());
    };
    let open = || {
        let store = RedisStore::builder(server.url())
            .prefix("contract")
            .build()?;
        Ok(Arc::new(store) as Arc<dyn TokenStore>)
    };
    StoreContract::of(open)
        .corrupting(|key| {
            let row =
                row("contract").replace("standard/work", &format!("contract/{}", key.account()));
            assert_eq!(server.command(&["HSET", &row, "data", "{\"access\":"]), "0");
        })
        .copies(|key| copies("contract", server, key))
        .check()
        .await
}

#[tokio::test]
async fn a_store_that_seals_keeps_the_contract() -> Result<(), Failures> {
    let Some(server) = shared("contract, sealed") else {
        return Ok(());
    };
    let open = || {
        let keys = SealingKeys::new("made-up", &[7; 32])?;
        let builder = RedisStore::builder(server.url()).prefix("sealed-contract");
        Ok(Arc::new(builder.sealed_with(keys).build()?) as Arc<dyn TokenStore>)
    };
    let done = StoreContract::of(open)
        .sessions(50)
        .corrupting(|key| {
            let row = row("sealed-contract")
                .replace("standard/work", &format!("contract/{}", key.account()));
            assert_eq!(server.command(&["HSET", &row, "data", "made-up"]), "0");
        })
        .copies(|key| copies("sealed-contract", server, key))
        .check()
        .await;
    let dump = server.command(&["--scan", "--pattern", "sealed-contract:*"]);
    for row in dump.lines().take(50) {
        assert!(!server.command(&["HGETALL", row]).contains("made-up-access"));
    }
    done
}
