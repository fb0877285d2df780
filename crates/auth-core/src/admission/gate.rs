//! The gate that every refresh of many sessions passes, one after another in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::pass::Pass;
use super::state::{Lane, Limits, Room, State};
use super::verdict::Verdict;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::random;

#[derive(Debug)]
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    /// Notified when a refresh has ended, or a server is open again.
    freed: Arc<Notify>,
    none_left: Notify,
}

#[derive(Debug)]
struct Inner {
    /// The process whose refreshes are counted: in a forked child there are none of them.
    process: u32,
    state: State,
    /// Callers that wait, for each lane with any; the first lane is the next one to get a turn.
    waiting: VecDeque<(Lane, VecDeque<Caller>)>,
}

#[derive(Debug)]
struct Caller {
    is_forced: bool,
    /// Whether it holds the lock of its session, for which other processes may wait.
    has_lock: bool,
    grant: oneshot::Sender<Result<Pass>>,
}

impl Gate {
    pub(crate) fn new(
        limits: Limits,
        providers: usize,
        clock: Arc<dyn Clock>,
        freed: Arc<Notify>,
    ) -> Self {
        Self {
            clock,
            inner: Mutex::new(Inner {
                process: std::process::id(),
                state: State::new(limits, providers),
                waiting: VecDeque::new(),
            }),
            freed,
            none_left: Notify::new(),
        }
    }

    pub(crate) fn lane(&self, provider: u32, host: &str) -> Lane {
        self.lock().state.lane(provider, host)
    }

    /// How many refreshes may be in progress at the server of this lane now.
    pub(crate) fn capacity(&self, lane: Lane) -> Room {
        let now = self.clock.now();
        self.lock().state.capacity(lane, now)
    }

    /// Waits for the turn of a refresh; `is_forced` if a user demands it, in spite of a hold.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`] without a wait if the server is in trouble or asked to wait, with the
    /// time until then; [`ErrorKind::System`] if the gate is closed. Nothing was sent then.
    pub(crate) async fn enter(self: &Arc<Self>, lane: Lane, is_forced: bool) -> Result<Pass> {
        self.wait(lane, is_forced, false).await
    }

    /// The same for a caller that holds the lock of its session: before those that do not.
    pub(crate) async fn enter_with_lock(
        self: &Arc<Self>,
        lane: Lane,
        is_forced: bool,
    ) -> Result<Pass> {
        self.wait(lane, is_forced, true).await
    }

    async fn wait(self: &Arc<Self>, lane: Lane, is_forced: bool, has_lock: bool) -> Result<Pass> {
        let (grant, granted) = oneshot::channel();
        {
            let now = self.clock.now();
            let mut inner = self.lock();
            let caller = Caller {
                is_forced,
                has_lock,
                grant,
            };
            match inner.waiting.iter_mut().find(|(other, _)| *other == lane) {
                Some((_, callers)) => line_up(callers, caller),
                None => inner.waiting.push_back((lane, VecDeque::from([caller]))),
            }
            self.admit(&mut inner, now);
        }
        granted.await.unwrap_or_else(|_dropped| Err(ended()))
    }

    /// Lets nothing begin any more: callers that wait receive an error.
    pub(crate) fn close(&self) {
        let refused = {
            let mut inner = self.lock();
            inner.state.is_closed = true;
            std::mem::take(&mut inner.waiting)
        };
        for caller in refused.into_iter().flat_map(|(_, callers)| callers) {
            // A caller that is gone needs no error.
            drop(caller.grant.send(Err(ended())));
        }
        self.none_left.notify_waiters();
    }

    /// How many refreshes wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        let inner = self.lock();
        inner.waiting.iter().map(|(_, callers)| callers.len()).sum()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().state.is_closed
    }

    pub(crate) fn running(&self) -> u32 {
        self.lock().state.running()
    }

    /// Waits until no refresh is in progress.
    pub(crate) async fn idle(&self) {
        loop {
            let none_left = self.none_left.notified();
            if self.running() == 0 {
                return;
            }
            none_left.await;
        }
    }

    pub(super) fn report(
        &self,
        lane: Lane,
        verdict: Verdict,
        epoch: u32,
        failed_before: Option<Timestamp>,
    ) {
        let now = self.clock.now();
        let fraction = random::fraction();
        let mut inner = self.lock();
        let state = &mut inner.state;
        state.report(lane, verdict, epoch, failed_before, now, fraction);
    }

    pub(super) fn leave(self: &Arc<Self>, lane: Lane) {
        let now = self.clock.now();
        let is_idle = {
            let mut inner = self.lock();
            inner.state.leave(lane);
            self.admit(&mut inner, now);
            inner.state.running() == 0
        };
        self.freed.notify_one();
        if is_idle {
            self.none_left.notify_waiters();
        }
    }

    /// Gives passes to the callers that wait, one for each lane in turn.
    fn admit(self: &Arc<Self>, inner: &mut Inner, now: Timestamp) {
        let Inner { state, waiting, .. } = inner;
        let mut full = 0;
        while full < waiting.len() {
            let Some((lane, mut callers)) = waiting.pop_front() else {
                break;
            };
            let room = callers
                .front()
                .map(|next| state.room(lane, next.is_forced, now));
            match room {
                // It leaves the queue.
                None => continue,
                _ if state.is_closed => refuse(&mut callers, &ended()),
                Some(Room::After(wait)) => refuse(&mut callers, &held(wait)),
                Some(Room::For(0)) => full += 1,
                Some(Room::For(_)) => {
                    full = 0;
                    if let Some(caller) = callers.pop_front() {
                        let pass = Pass::new(Arc::clone(self), lane, state.enter(lane));
                        if let Err(Ok(pass)) = caller.grant.send(Ok(pass)) {
                            pass.disarm();
                            state.leave(lane);
                        }
                    }
                }
            }
            if !callers.is_empty() {
                waiting.push_back((lane, callers));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if inner.process != process {
            inner.process = process;
            inner.state.none_runs();
            // Their tasks are the parent's: a drop would wake them up.
            std::mem::forget(std::mem::take(&mut inner.waiting));
        }
        inner
    }
}

/// Adds a caller, behind those with a lock if it has one, otherwise behind all.
fn line_up(callers: &mut VecDeque<Caller>, caller: Caller) {
    let at = match caller.has_lock {
        true => callers.iter().take_while(|other| other.has_lock).count(),
        false => callers.len(),
    };
    callers.insert(at, caller);
}

/// Refuses all callers of a lane; a forced one behind others shares their fate, and can try again.
fn refuse(callers: &mut VecDeque<Caller>, error: &Error) {
    for caller in callers.drain(..) {
        // A caller that is gone needs no error.
        drop(caller.grant.send(Err(error.clone())));
    }
}

fn held(wait: Duration) -> Error {
    let seconds = wait.as_secs().max(1);
    Error::new(
        ErrorKind::Transient,
        format!(
            "the server is in trouble or asked to wait, so nothing was sent; try again in {seconds} s"
        ),
    )
    .with_retry_after(Some(wait))
}

fn ended() -> Error {
    Error::new(
        ErrorKind::System,
        "the sessions are shut down; nothing was sent",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn gate(total: u32) -> Arc<Gate> {
        let limits = Limits {
            total,
            provider: total,
            host: 1,
        };
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(1_000_000)));
        Arc::new(Gate::new(limits, 1, clock, Arc::default()))
    }

    /// A caller that waits, once it does.
    async fn waiting(gate: &Arc<Gate>, lane: Lane) -> tokio::task::JoinHandle<Result<Pass>> {
        waiting_with(gate, lane, false).await
    }

    async fn waiting_with(
        gate: &Arc<Gate>,
        lane: Lane,
        has_lock: bool,
    ) -> tokio::task::JoinHandle<Result<Pass>> {
        let before = gate.waiting();
        let caller = tokio::spawn({
            let gate = Arc::clone(gate);
            async move { gate.wait(lane, false, has_lock).await }
        });
        while gate.waiting() == before {
            tokio::task::yield_now().await;
        }
        caller
    }

    #[tokio::test]
    async fn callers_wait_in_order_and_a_caller_that_is_gone_costs_no_turn() {
        let gate = gate(8);
        let lane = gate.lane(0, "one.example");
        let first = gate.enter(lane, false).await.unwrap();
        let gone = waiting(&gate, lane).await;
        let last = waiting(&gate, lane).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(first);
        let pass = last.await.unwrap().unwrap();
        assert_eq!(gate.running(), 1);
        drop(pass);
        assert_eq!(gate.running(), 0);
        assert!(gate.enter(lane, false).await.is_ok());
    }

    #[tokio::test]
    async fn callers_with_the_lock_of_their_session_go_before_those_without_in_their_order() {
        let gate = gate(8);
        let lane = gate.lane(0, "one.example");
        let pass = gate.enter(lane, false).await.unwrap();
        let mut last = waiting(&gate, lane).await;
        let first = waiting_with(&gate, lane, true).await;
        let second = waiting_with(&gate, lane, true).await;
        drop(pass);
        for caller in [first, second] {
            let pass = tokio::select! {
                pass = caller => pass.unwrap().unwrap(),
                _ = &mut last => panic!("it has no lock"),
            };
            drop(pass);
        }
        assert!(last.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_server_with_a_long_queue_leaves_turns_to_the_others() {
        let gate = gate(1);
        let (busy, other) = (gate.lane(0, "one.example"), gate.lane(0, "two.example"));
        let first = gate.enter(busy, false).await.unwrap();
        let second = waiting(&gate, busy).await;
        let third = waiting(&gate, busy).await;
        let fourth = waiting(&gate, other).await;
        drop(first);
        drop(second.await.unwrap().unwrap());
        let pass = fourth.await.unwrap().unwrap();
        assert!(!third.is_finished());
        drop(pass);
        assert!(third.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn the_callers_of_a_server_that_is_closed_do_not_wait() {
        let gate = gate(8);
        let lane = gate.lane(0, "one.example");
        let pass = gate.enter(lane, false).await.unwrap();
        let caller = waiting(&gate, lane).await;
        let error = Error::new(ErrorKind::RateLimited, "made-up limit")
            .with_retry_after(Some(Duration::from_secs(60)));
        pass.report::<()>(&Err(error), None);
        let refused = caller.await.unwrap().unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
        assert!(gate.enter(lane, false).await.unwrap_err().is_transient());
        assert!(gate.enter(lane, true).await.is_ok(), "a user demands it");
    }

    #[tokio::test]
    async fn in_a_forked_child_no_refresh_of_its_parent_takes_a_turn() {
        let gate = gate(8);
        let lane = gate.lane(0, "one.example");
        let _of_parent = gate.enter(lane, false).await.unwrap();
        let _caller_of_parent = waiting(&gate, lane).await;
        // As in a child.
        gate.lock().process += 1;
        gate.idle().await;
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
        let pass = gate.enter(lane, false).await.unwrap();
        assert_eq!(gate.running(), 1);
        drop(pass);
        assert_eq!(gate.running(), 0);
    }

    #[tokio::test]
    async fn a_closed_gate_lets_nothing_begin_and_waits_for_what_has() {
        let gate = gate(8);
        let lane = gate.lane(0, "one.example");
        let pass = gate.enter(lane, false).await.unwrap();
        let caller = waiting(&gate, lane).await;
        gate.close();
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), ErrorKind::System);
        let refused = gate.enter(lane, true).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::System);
        let idle = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!idle.is_finished());
        drop(pass);
        idle.await.unwrap();
    }
}
