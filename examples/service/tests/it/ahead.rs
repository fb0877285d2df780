//! Refreshes in the background, which both instances have planned for the same sessions.

use futures_util::future::join_all;
use llm_auth_testkit::{Fault, Operation};
use serde_json::json;

use crate::client::Browser;
use crate::instance::Instance;
use crate::world::World;

const USERS: u32 = 16;

/// How many refreshes an instance has begun because their time had come.
async fn begun(at: &Instance) -> u64 {
    let address = format!("{}/metrics", at.admin);
    let page = Browser::new().visit(&address).await;
    let name = "llm_auth_refresh_lag_seconds_count{provider=\"standard\"} ";
    let line = page.text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |count| count.parse().unwrap())
}

/// No user sends a message, and the tokens expire. The number of refreshes is exact once both
/// instances have ended.
pub(crate) async fn both_instances_refresh_in_time_and_once(world: &World) -> u64 {
    let [one, other] = &world.instances;
    let server = world.kit.standard();
    let before = server.counters().refreshes;
    let begun_before = begun(one).await + begun(other).await;
    let short = Fault::patch(json!({"expires_in": 6})).times(USERS);
    server.fault(Operation::Exchange, short);
    let sign_ins = (0..USERS).map(async |_| {
        let mut browser = Browser::new();
        browser.sign_in(one, other).await;
        for at in [one, other] {
            browser.get(at, "/").await;
        }
    });
    join_all(sign_ins).await;
    let expected = before + u64::from(USERS);
    server
        .wait_for(|counters| counters.refreshes >= expected)
        .await;
    // The other instance begins too, and finds what the first has stored.
    let both = begun_before + u64::from(USERS) * 3 / 2;
    while begun(one).await + begun(other).await < both {}
    expected
}
