//! What every store must do, checked in one call.

mod exclusion;
mod handles;
mod leases;
mod refreshes;
mod sessions;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{Result, SessionKey, TokenStore};
use tokio::time::timeout;

use self::handles::Handles;
use crate::conformance::Failures;

/// No check takes longer, unless it waits for what never comes. A lease that its holder has left
/// behind may have to end first.
const TIME_LIMIT: Duration = Duration::from_secs(120);

type Corrupt = Box<dyn Fn(&SessionKey) + Send + Sync>;
type Copies = Box<dyn Fn(&SessionKey) -> usize + Send + Sync>;
type Check<'a> = Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send + 'a>>;

/// What every [`TokenStore`] must do, checked in one call from the tests of its crate.
///
/// It opens several handles to one store, as several processes have them, and checks that
///
/// - a session is read by each handle as it was saved, with its records and with members that this
///   version does not know, also among many others and with odd names; a removal removes that one
///   alone;
/// - readers without the lock see the whole old session or the whole new one;
/// - one holder at a time has the lock of a session, whatever became of earlier ones: dropped,
///   cancelled while they waited, or panicked; sessions do not wait for each other;
/// - what a holder prepared is seen by the next one, which finds the old session intact;
/// - managers on two handles refresh a session once for all callers, and a sign-out in between is
///   not undone;
/// - a lock that is a [lease](llm_auth_core::store::Lease) lasts for a request after each `prepare`
///   and `extend`, ends with `finish`, and is lost when another caller signs in or out, which waits for
///   no holder, disturbs none if it changes nothing, and replaces or removes only what it has seen; a
///   caller who waits learns of a session that has changed;
/// - with [`corrupting`](Self::corrupting), an entry that is no session is an error of that session
///   alone, and stays until another one is saved; with [`copies`](Self::copies) too, it is then kept
///   aside, as it is if it is removed.
///
/// It leaves its own sessions in the store, under the provider `contract`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use llm_auth_core::{MemoryTokenStore, TokenStore};
/// use llm_auth_testkit::{Failures, StoreContract};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Failures> {
/// // In a test: #[tokio::test] async fn the_store_keeps_the_contract() -> Result<(), Failures>
/// let store = MemoryTokenStore::new();
/// StoreContract::of(move || Ok(Arc::new(store.clone()) as Arc<dyn TokenStore>))
///     .check()
///     .await
/// # }
/// ```
#[must_use = "nothing is checked before `check`"]
pub struct StoreContract {
    handles: Handles,
    sessions: usize,
    limit: Duration,
    corrupt: Option<Corrupt>,
    copies: Option<Copies>,
}

impl StoreContract {
    /// Of the store that `open` opens, once more at each call.
    pub fn of(open: impl Fn() -> Result<Arc<dyn TokenStore>> + Send + Sync + 'static) -> Self {
        Self {
            handles: Handles::new(open),
            sessions: 300,
            limit: TIME_LIMIT,
            corrupt: None,
            copies: None,
        }
    }

    /// How many sessions are stored at once. Default: 300.
    pub fn sessions(mut self, count: usize) -> Self {
        self.sessions = count;
        self
    }

    /// How long a check may take. Default: 120 s, for a lease that its holder has left behind may have
    /// to end first.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Checks entries that are no sessions too. The function makes one of the stored session, by other
    /// means than the store.
    pub fn corrupting(mut self, corrupt: impl Fn(&SessionKey) + Send + Sync + 'static) -> Self {
        self.corrupt = Some(Box::new(corrupt));
        self
    }

    /// Checks too, with [`corrupting`](Self::corrupting), that an entry that is no session is kept aside,
    /// once, when another session is saved in its place and when it is removed. The function returns how
    /// many entries of that session are kept aside, by other means than the store.
    pub fn copies(mut self, count: impl Fn(&SessionKey) -> usize + Send + Sync + 'static) -> Self {
        self.copies = Some(Box::new(count));
        self
    }

    /// Runs all checks, in a runtime of tokio.
    ///
    /// # Errors
    ///
    /// What failed, one line each.
    pub async fn check(self) -> std::result::Result<(), Failures> {
        let handles = &self.handles;
        let mut failures = Failures::of("the store");
        let mut checks: Vec<(&str, Check<'_>)> = vec![
            ("no session", Box::pin(sessions::none(handles))),
            ("a session", Box::pin(sessions::whole(handles))),
            ("odd names", Box::pin(sessions::odd_names(handles))),
            (
                "many sessions",
                Box::pin(sessions::many(handles, self.sessions)),
            ),
            ("readers", Box::pin(sessions::readers(handles))),
            ("removal", Box::pin(sessions::removal(handles))),
            ("preparation", Box::pin(sessions::preparation(handles))),
            ("one holder", Box::pin(exclusion::one_holder(handles))),
            ("lost holders", Box::pin(exclusion::lost_holders(handles))),
            (
                "two sessions",
                Box::pin(exclusion::two_sessions(handles, self.limit / 2)),
            ),
            ("one refresh", Box::pin(refreshes::one(handles))),
            ("sign-out", Box::pin(refreshes::sign_out(handles))),
            ("a change while waiting", Box::pin(leases::change(handles))),
            ("a lease", Box::pin(leases::lasting(handles))),
            ("an optimistic lock", Box::pin(leases::optimistic(handles))),
        ];
        if let Some(corrupt) = &self.corrupt {
            checks.push((
                "corrupt entry",
                Box::pin(sessions::corrupt(handles, corrupt)),
            ));
            if let Some(copies) = &self.copies {
                checks.push((
                    "kept aside",
                    Box::pin(sessions::kept_aside(handles, corrupt, copies)),
                ));
            }
        }
        for (name, check) in checks {
            let ended = timeout(self.limit, check).await;
            let late = |_| Err(format!("it did not end within {:?}", self.limit));
            failures.record(name, ended.unwrap_or_else(late));
        }
        failures.into_result()
    }
}

impl fmt::Debug for StoreContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreContract")
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}
