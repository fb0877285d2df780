//! What goes over the wire.

use std::time::Duration;

use llm_auth_core::TokenStore as _;
use llm_auth_store_redis::RedisStore;

use crate::support::proxy::{Proxy, Side};
use crate::support::vendor::{expired, kit, manager};
use crate::support::{hasty, key, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_three_round_trips_after_the_read_and_an_adopter_only_reads() {
    let Some(server) = shared("round trips") else {
        return;
    };
    let (kit, proxy) = (kit().await, Proxy::start(server.port).await);
    let direct = hasty(&server.url(), "trips").build().unwrap();
    let store = hasty(&proxy.url(), "trips").build().unwrap();
    expired(&kit, &direct).await;
    let holder = manager(kit.base_url(), store.clone());
    // The server learns the scripts.
    holder.token().await.unwrap();
    let spent = crate::support::vendor::expire(&direct).await;

    proxy.forget();
    let manager = manager(kit.base_url(), store.clone());
    let token = manager.token().await.unwrap();
    assert_ne!(token.access, spent.access);
    assert_eq!(proxy.commands(), ["HMGET", "EVALSHA", "EVALSHA", "EVALSHA"]);

    proxy.forget();
    let adopter = crate::support::vendor::manager(kit.base_url(), store);
    assert_eq!(adopter.token().await.unwrap().access, token.access);
    assert_eq!(proxy.commands(), ["HMGET"]);
}

#[tokio::test]
async fn a_lease_whose_release_does_not_arrive_is_released_once_the_server_is_back() {
    let Some(server) = shared("a late release") else {
        return;
    };
    let proxy = Proxy::start(server.port).await;
    for drops_it in [false, true] {
        let store = hasty(&proxy.url(), "released").lease(Duration::from_secs(60));
        let guard = store.build().unwrap().lock(&key()).await.unwrap();
        // It is tried twice at once.
        proxy.strike(|_, number, side| number < 2 && side == Side::Before);
        match drops_it {
            false => guard.release().await,
            true => drop(guard),
        }
        let other = hasty(&server.url(), "released").lock_wait(Duration::from_secs(9));
        let next = other.build().unwrap().lock(&key()).await.unwrap();
        assert!(proxy.commands().len() > 2);
        next.release().await;
    }
}

#[tokio::test]
async fn messages_name_the_server_and_no_password() {
    let url = "redis://agents:made-up-password@127.0.0.1:1/3";
    let store = RedisStore::builder(url).build().unwrap();
    let shown = format!(
        "{store:?} {} {:?}",
        store.describe(),
        RedisStore::builder(url)
    );
    let error = store.server().await.unwrap_err();
    let shown = format!("{shown} {error:#} {error:?}");
    assert!(shown.contains("127.0.0.1:1 (database 3)"), "{shown}");
    assert!(
        !shown.contains("made-up") && !shown.contains("agents"),
        "{shown}"
    );
    let odd = "redis://agents:made-up-password@[/";
    let error = RedisStore::builder(odd).build().unwrap_err();
    assert!(
        !format!("{error:#} {error:?}").contains("made-up"),
        "{error:?}"
    );
}
