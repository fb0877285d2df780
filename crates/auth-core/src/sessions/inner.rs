//! The state behind [`Sessions`](super::Sessions).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::live::Live;
use super::schedule::Schedule;
use super::telemetry;
use crate::admission::Gate;
use crate::clock::{Clock, Timestamp};
use crate::engine::Claim;
use crate::error::{Error, ErrorKind, Result};
use crate::manager::{AuthManager, Common, Observer, Shared};
use crate::session::SessionKey;

/// The sessions of one provider.
pub(super) struct Home {
    pub(super) name: Arc<str>,
    pub(super) common: Arc<Common>,
    pub(super) live: Live,
}

/// The times and bounds of the schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) ahead: Duration,
    pub(super) jitter: Duration,
    pub(super) idle: Duration,
    pub(super) capacity: usize,
}

/// What has happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) evicted: AtomicU64,
    pub(super) refreshed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) latest_ms: AtomicI64,
}

pub(super) struct Inner {
    pub(super) homes: Vec<Home>,
    pub(super) numbers: HashMap<Arc<str>, usize>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
    pub(super) times: Times,
    pub(super) gate: Arc<Gate>,
    pub(super) schedule: Mutex<Schedule>,
    /// Wakes the driver: something is due earlier, or a turn has become free.
    pub(super) wake: Arc<Notify>,
    pub(super) has_driver: Claim,
    pub(super) is_closed: AtomicBool,
    pub(super) last_sweep: AtomicI64,
    pub(super) counts: Counts,
    pub(super) none_working: Notify,
}

impl Inner {
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        schedule.check_process();
        schedule
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now().as_unix_millis()
    }

    /// Seconds since the start.
    pub(super) fn second(&self) -> u32 {
        let seconds = self.clock.now().since(self.started).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    pub(super) fn home(&self, provider: &str) -> Option<&Home> {
        self.homes.get(*self.numbers.get(provider)?)
    }

    pub(super) fn home_of(&self, shared: &Shared) -> Option<&Home> {
        self.homes.get(shared.provider_number() as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.homes.iter().map(|home| home.live.len()).sum()
    }

    /// A session in memory, made if necessary.
    pub(super) fn session(self: &Arc<Self>, provider: &str, account: &str) -> Result<AuthManager> {
        let home = self
            .home(provider)
            .ok_or_else(|| self.unknown_provider(provider, account))?;
        let account = match account {
            "" => crate::session::DEFAULT_ACCOUNT,
            named => named,
        };
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::System, "the sessions are shut down")
                .with_session(&SessionKey::new(provider, account)));
        }
        let now = self.second();
        if let Some(shared) = home.live.get(account, now) {
            return Ok(AuthManager::from_shared(shared));
        }
        Ok(AuthManager::from_shared(self.create(home, account, now)))
    }

    fn unknown_provider(&self, provider: &str, account: &str) -> Error {
        let mut known: Vec<&str> = self.homes.iter().map(|home| &*home.name).collect();
        known.sort_unstable();
        let message = format!(
            "no provider of this name; there are: {}; add it to the builder",
            known.join(", ")
        );
        Error::new(ErrorKind::Config, message).with_session(&SessionKey::new(provider, account))
    }

    #[cold]
    fn create(self: &Arc<Self>, home: &Home, account: &str, now: u32) -> Arc<Shared> {
        if self.len() >= self.times.capacity && home.live.evict_one(account) {
            self.evicted(1);
        }
        let key = SessionKey::of(Arc::clone(&home.name), account.to_owned());
        // The schedule refreshes early, within its bounds; a manager alone knows none.
        let manager = AuthManager::new(Arc::clone(&home.common), key, Duration::ZERO);
        // If no caller reads it until then, the schedule does.
        let look_at = self.now_ms().saturating_add(self.first_look());
        let (shared, is_new) = home.live.insert(Arc::clone(manager.shared()), now, look_at);
        if is_new {
            self.queue(look_at, Arc::downgrade(&shared));
            self.start_driver();
            telemetry::live(self.len());
        }
        shared
    }

    pub(super) fn queue(&self, at: i64, member: Weak<Shared>) {
        if self.schedule().push(at, member) {
            self.wake.notify_one();
        }
    }

    pub(super) fn evicted(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.counts.evicted.fetch_add(count, Ordering::Relaxed);
        telemetry::evicted(count);
        telemetry::live(self.len());
    }
}

impl Observer for Inner {
    fn session_known(self: Arc<Self>, member: &Arc<Shared>) {
        // A forked child has none yet.
        self.start_driver();
        let (Some(token), Some(home)) = (member.known_token(), self.home_of(member)) else {
            return;
        };
        let Some(at) = self.next_due(&token, self.clock.now()) else {
            return;
        };
        let at = at.as_unix_millis();
        if home.live.bring_forward(member, at) {
            self.queue(at, Arc::downgrade(member));
        }
    }

    fn responded(&self, provider: u32, failure: Option<&Error>) {
        let name = self
            .homes
            .get(provider as usize)
            .map_or("", |home| &home.name);
        match failure {
            None => {
                self.counts.refreshed.fetch_add(1, Ordering::Relaxed);
                telemetry::refreshed(name);
            }
            Some(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                telemetry::failed(name, error.kind());
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}
