//! Hosts: processes of their own, at the strict provider.

use std::time::Duration;

use llm_auth_store_redis::RedisStore;
use llm_auth_testkit::Testkit;

use crate::support::process::Orders;
use crate::support::proxy::{Proxy, Side};
use crate::support::server::signal;
use crate::support::vendor::{assert_alive, expired, kit, manager};
use crate::support::{hasty, shared};

/// The note, after the read and the lease.
const NOTE: usize = 2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by other tests, in processes of their own"]
async fn gets_a_token() {
    let Some(orders) = Orders::own() else {
        return;
    };
    let store = hasty(&orders.url, &orders.prefix).build().unwrap();
    match manager(&orders.base, store).token().await {
        Ok(token) => println!("token {}", token.access.expose()),
        Err(error) => println!("error {error:#}"),
    }
}

const CHILD: &str = "processes::gets_a_token";

fn orders(kit: &Testkit, url: String, prefix: &str) -> Orders {
    Orders {
        url,
        base: kit.base_url().to_owned(),
        prefix: prefix.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_processes_on_an_expired_session_send_one_refresh() {
    let Some(server) = shared("twenty processes") else {
        return;
    };
    let (kit, store) = (kit().await, hasty(&server.url(), "twenty").build().unwrap());
    expired(&kit, &store).await;
    let orders = orders(&kit, server.url(), "twenty");
    let mut processes: Vec<_> = (0..20).map(|_| orders.start(CHILD)).collect();
    let mut tokens: Vec<String> = processes
        .iter_mut()
        .map(|process| process.line("token "))
        .collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_alive(&kit, &store, 1).await;
}

/// A process that stops once its note is stored, and another host that waits for it.
async fn stopped(
    test: &str,
    prefix: &str,
    stop: &'static str,
) -> Option<(
    Testkit,
    RedisStore,
    crate::support::process::Process,
    String,
)> {
    let server = shared(test)?;
    let (kit, store) = (kit().await, hasty(&server.url(), prefix).build().unwrap());
    expired(&kit, &store).await;
    let proxy = Proxy::start(server.port).await;
    let (sender, stopping) = std::sync::mpsc::channel::<String>();
    let (done, stopped) = tokio::sync::oneshot::channel();
    let mut done = Some(done);
    proxy.strike(move |_, number, side| {
        if (number, side) == (NOTE, Side::After)
            && let Some(done) = done.take()
        {
            signal(stop, &stopping.recv().unwrap());
            done.send(()).unwrap();
        }
        false
    });
    let process = orders(&kit, proxy.url(), prefix).start(CHILD);
    sender.send(process.id()).unwrap();
    stopped.await.unwrap();
    // The other host waits for the end of the lease.
    let other = manager(kit.base_url(), store.clone());
    let token = other.token().await.unwrap();
    Some((kit, store, process, token.access.expose().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_sleeps_past_its_lease_sends_nothing_and_uses_its_successors_session() {
    let stopped = stopped("a sleeper", "sleeper", "-STOP").await;
    let Some((kit, store, mut process, token)) = stopped else {
        return;
    };
    process.wake();
    assert_eq!(process.line("token "), token);
    assert_alive(&kit, &store, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_with_its_lease_is_followed_by_another_one() {
    let stopped = stopped("a dead holder", "dead", "-KILL").await;
    let Some((kit, store, _process, _token)) = stopped else {
        return;
    };
    assert_alive(&kit, &store, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_runtime_has_used_works_when_that_runtime_stands_still() {
    let Some(server) = shared("runtimes") else {
        return;
    };
    let (kit, store) = (
        kit().await,
        hasty(&server.url(), "runtimes").build().unwrap(),
    );
    expired(&kit, &store).await;
    let fresh = hasty(&server.url(), "runtimes").timeout(Duration::from_secs(2));
    let fresh = fresh.build().unwrap();
    let used = fresh.clone();
    let base = kit.base_url().to_owned();
    let token = tokio::task::spawn_blocking(move || {
        let standing = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // The connection of this runtime is made, and then nothing drives it.
        standing.block_on(used.server()).unwrap();
        manager(&base, used).blocking().token()
    });
    token.await.unwrap().unwrap();
    assert_alive(&kit, &store, 1).await;
}
