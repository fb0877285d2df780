//! The server is killed around each command of a refresh, and comes back.

use std::sync::{Arc, Mutex};

use crate::support::proxy::{Proxy, Side};
use crate::support::server::RedisServer;
use crate::support::vendor::{assert_alive, expired, kit, manager};
use crate::support::{hasty, stored};

/// The read, the lease, the note and the save.
const COMMANDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_around_any_command_loses_no_session_and_no_successor() {
    let Some(server) = RedisServer::start("killed", &[]) else {
        return;
    };
    let proxy = Proxy::start(server.port).await;
    let server = Arc::new(Mutex::new(server));
    let url = server.lock().unwrap().url();
    for number in 0..COMMANDS {
        for side in [Side::Before, Side::After] {
            let (kit, prefix) = (kit().await, format!("killed-{number}-{side:?}"));
            let direct = hasty(&url, &prefix).build().unwrap();
            let store = hasty(&proxy.url(), &prefix).build().unwrap();
            let before = expired(&kit, &direct).await;
            let manager = manager(kit.base_url(), store);
            let (killed, mut is_over) = (Arc::clone(&server), false);
            proxy.strike(move |_, count, of| {
                if !is_over && (count, of) == (number, side) {
                    is_over = true;
                    killed.lock().unwrap().kill();
                    return true;
                }
                false
            });
            let outcome = manager.token().await;
            proxy.pass();
            server.lock().unwrap().restart();
            // What was returned is stored, and what is stored is not spent in vain.
            if let Ok(token) = &outcome {
                assert_eq!(stored(&direct).await.unwrap().access, token.access);
            }
            let token = manager.token().await.unwrap();
            assert_ne!(token.access, before.access, "{number} {side:?}");
            manager.wait_idle().await;
            assert_eq!(stored(&direct).await.unwrap().access, token.access);
            assert_alive(&kit, &direct, 1).await;
        }
    }
}
