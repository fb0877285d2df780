//! A model of callers that race for one refresh: the real snapshot and single flight under a
//! scheduler that tries their interleavings. `cargo xtask test-all` runs it.
//!
//! See decision 0020.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::{check_pct, check_random, future};

use super::single_flight::SingleFlight;
use super::snapshot::Snapshot;
use super::sync::{Mutex, lock};
use crate::clock::Timestamp;
use crate::engine::Tasks;
use crate::error::Result;
use crate::token::OAuthToken;

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

/// A session in a one-cell store, with a vendor that rotates and counts.
#[derive(Default)]
struct Session {
    snapshot: Snapshot,
    flight: SingleFlight,
    tasks: Tasks,
    requests: AtomicUsize,
}

fn token(generation: usize, alive: bool) -> Arc<OAuthToken> {
    let expires = if alive { 2_000_000 } else { 0 };
    let access = format!("generation-{generation}");
    Arc::new(OAuthToken::new(
        access.into(),
        Timestamp::from_unix_millis(expires),
    ))
}

impl Session {
    fn expired() -> Arc<Self> {
        let session = Self::default();
        session.snapshot.set(Some(token(0, false)));
        Arc::new(session)
    }

    fn fresh(&self) -> Option<Arc<OAuthToken>> {
        self.snapshot.fresh_for(Duration::ZERO, NOW)
    }

    /// What the manager does: check, then join or start; a flight checks again before it sends a
    /// request.
    async fn token(self: Arc<Self>) -> Result<Arc<OAuthToken>> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let owned = Arc::clone(&self);
        let flight = self.flight.join_or_start(&self.tasks, move || async move {
            if let Some(token) = owned.fresh() {
                return Ok(token);
            }
            let generation = owned.requests.fetch_add(1, Ordering::SeqCst) + 1;
            future::yield_now().await;
            let refreshed = token(generation, true);
            owned.snapshot.set(Some(Arc::clone(&refreshed)));
            Ok(refreshed)
        });
        flight.await
    }
}

fn callers_share_one_request() {
    future::block_on(async {
        let session = Session::expired();
        let callers: Vec<_> = (0..3)
            .map(|_| future::spawn(Arc::clone(&session).token()))
            .collect();
        for caller in callers {
            let token = caller.await.unwrap().unwrap();
            assert_eq!(token.access.expose(), "generation-1");
        }
        assert_eq!(session.requests.load(Ordering::SeqCst), 1);
    });
}

fn a_reader_never_brings_back_what_was_signed_out() {
    future::block_on(async {
        let session = Session::expired();
        let store = Arc::new(Mutex::new(Some(token(1, true))));
        let reader = future::spawn({
            let (session, store) = (Arc::clone(&session), Arc::clone(&store));
            async move {
                // Reads the store slowly, without the lock.
                let seen = session.snapshot.epoch();
                let read = lock(&store).clone();
                future::yield_now().await;
                session.snapshot.set_if_unchanged(seen, read);
            }
        });
        let signing_out = future::spawn({
            let (session, store) = (Arc::clone(&session), Arc::clone(&store));
            async move {
                *lock(&store) = None;
                session.snapshot.set(None);
            }
        });
        signing_out.await.unwrap();
        reader.await.unwrap();
        assert!(session.fresh().is_none(), "signed out, and risen again");
    });
}

fn a_dropped_caller_leaves_the_flight_to_the_others() {
    future::block_on(async {
        let session = Session::expired();
        let dropped = future::spawn(Arc::clone(&session).token());
        let waiting = future::spawn(Arc::clone(&session).token());
        dropped.abort();
        let token = waiting.await.unwrap().unwrap();
        assert_eq!(token.access.expose(), "generation-1");
        assert_eq!(session.requests.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn callers_in_any_order_share_one_request() {
    check_random(callers_share_one_request, 5_000);
    check_pct(callers_share_one_request, 5_000, 3);
}

#[test]
fn nothing_old_rises_again_in_any_order() {
    check_random(a_reader_never_brings_back_what_was_signed_out, 5_000);
}

#[test]
fn dropping_a_caller_in_any_order_loses_nothing() {
    check_random(a_dropped_caller_leaves_the_flight_to_the_others, 5_000);
    check_pct(a_dropped_caller_leaves_the_flight_to_the_others, 5_000, 3);
}
