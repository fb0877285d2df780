//! Many sessions in one process: on demand, in time, within bounds, and out of memory again.

mod gate;
mod leases;
mod leaving;
#[cfg(feature = "metrics")]
mod metrics;
mod schedule;
mod vendor;

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{
    ErrorKind, ManualClock, SessionChange, SessionKey, SessionWatch, Sessions, SessionsBuilder,
};

use self::vendor::{START, Vendor};

/// A vendor with its clock.
fn vendor() -> (Vendor, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START));
    (Vendor::new("vendor", "vendor.example", &clock), clock)
}

/// Sessions of one vendor, refreshed at the same moment, which stay in memory.
fn builder(vendor: &Vendor, clock: &Arc<ManualClock>) -> SessionsBuilder {
    Sessions::builder()
        .provider(vendor.clone())
        .clock(clock.clone())
        .jitter(Duration::ZERO)
        .idle_time(Duration::from_secs(86_400))
}

fn key(account: impl std::fmt::Display) -> SessionKey {
    SessionKey::new("vendor", account.to_string())
}

/// So many signed-in accounts, with a watch for each.
async fn sign_in(sessions: &Sessions, vendor: &Vendor, count: usize) -> Vec<SessionWatch> {
    let mut watches = Vec::new();
    for account in 0..count {
        let manager = sessions.get(&key(account)).unwrap();
        manager.insert_session(vendor.session()).await.unwrap();
        watches.push(manager.watch());
    }
    watches
}

/// Moves the clock to the time at which sessions of an hour are due.
fn let_all_fall_due(sessions: &Sessions, clock: &ManualClock) {
    clock.advance(Duration::from_secs(3300));
    sessions.check_clock();
}

async fn refreshed(watch: &mut SessionWatch) {
    let change = watch.changed().await;
    let is_refreshed = matches!(change, Some(SessionChange::Refreshed(_)));
    assert!(is_refreshed, "{change:?}");
}

#[tokio::test]
async fn a_session_is_made_on_demand_and_is_the_same_for_all_callers() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    let first = sessions.get(&key("one")).unwrap();
    first.insert_session(vendor.session()).await.unwrap();
    let second = sessions.session("vendor", "one").unwrap();
    let (first, second) = (first.token().await.unwrap(), second.token().await.unwrap());
    assert!(Arc::ptr_eq(&first, &second), "they share one manager");
    assert_eq!(sessions.len(), 1);

    let default = sessions.session("vendor", "").unwrap();
    assert_eq!(default.key().account(), "default");
    assert!(default.token().await.unwrap_err().needs_login());
    assert_eq!(sessions.len(), 2);
}

#[tokio::test]
async fn an_unknown_provider_is_an_error_that_names_the_known_ones() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    let error = sessions.session("another", "one").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("there are: vendor"), "{error}");
    let twice = builder(&vendor, &clock).provider(vendor.clone()).build();
    let error = twice.unwrap_err();
    assert!(error.to_string().contains("named vendor"), "{error}");
}

#[tokio::test]
async fn a_sign_out_ends_the_session_and_leaves_nothing_in_memory() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    sessions
        .insert(&key("one"), vendor.session())
        .await
        .unwrap();
    assert!(sessions.logout(&key("one")).await.unwrap().was_signed_in);
    assert!(sessions.is_empty());
    let again = sessions.get(&key("one")).unwrap().token().await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::NotSignedIn);
}
