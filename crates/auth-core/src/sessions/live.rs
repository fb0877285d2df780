//! The sessions of one provider that are in memory, by account.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::manager::Shared;

/// So many parts have a lock of their own.
pub(super) const SHARDS: usize = 64;

/// It is in no queue, because only a sign-in helps, or it never expires.
const OUT: i64 = i64::MAX;
/// It is about to be looked at or refreshed.
const TAKEN: i64 = i64::MIN;

/// One session in memory. It is its own key, so that no name is kept twice.
pub(super) struct Member {
    shared: Arc<Shared>,
    /// When a caller looked it up, in seconds since the start.
    used: AtomicU32,
    /// When it is due, in Unix milliseconds, or [`OUT`] or [`TAKEN`]. Another entry of the queue is
    /// outdated.
    due: AtomicI64,
}

impl Borrow<str> for Member {
    fn borrow(&self) -> &str {
        self.shared.key().account()
    }
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<str>::borrow(self).hash(state);
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Borrow::<str>::borrow(self) == Borrow::<str>::borrow(other)
    }
}

impl Eq for Member {}

impl Member {
    /// Whether no caller has it, nothing is in progress, and nothing would be lost: whatever is in
    /// progress holds it too.
    fn may_leave(&self) -> bool {
        Arc::strong_count(&self.shared) == 1 && !self.shared.must_stay()
    }
}

type Shard = RwLock<HashSet<Member>>;

#[derive(Default)]
pub(super) struct Live {
    shards: Box<[Shard]>,
    count: AtomicUsize,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            count: AtomicUsize::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A session in memory, which is used at `now`.
    pub(super) fn get(&self, account: &str, now: u32) -> Option<Arc<Shared>> {
        self.with(account, |member| {
            // Most look-ups are in the same second, and need not write.
            if member.used.load(Ordering::Relaxed) != now {
                member.used.store(now, Ordering::Relaxed);
            }
            Arc::clone(&member.shared)
        })
    }

    /// Adds a session, unless there is one already; returns the one in memory, and whether it is
    /// new.
    pub(super) fn insert(&self, shared: Arc<Shared>, now: u32, due: i64) -> (Arc<Shared>, bool) {
        let shard = self.shard(shared.key().account());
        let mut members = write(shard);
        if let Some(member) = members.get(shared.key().account()) {
            member.used.store(now, Ordering::Relaxed);
            return (Arc::clone(&member.shared), false);
        }
        members.insert(Member {
            shared: Arc::clone(&shared),
            used: AtomicU32::new(now),
            due: AtomicI64::new(due),
        });
        self.count.fetch_add(1, Ordering::Relaxed);
        (shared, true)
    }

    /// Removes the session, if it may leave.
    pub(super) fn remove(&self, account: &str) -> bool {
        let shard = self.shard(account);
        let removed = {
            let mut members = write(shard);
            let may_leave = members.get(account).is_some_and(Member::may_leave);
            may_leave.then(|| members.take(account)).flatten()
        };
        if removed.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        removed.is_some()
    }

    /// Removes from one part the sessions that were last used before `cutoff` and may leave.
    pub(super) fn evict(&self, shard: usize, cutoff: u32, now: u32) -> Vec<Member> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let removed: Vec<Member> = {
            let mut members = write(shard);
            let leaving = members.extract_if(|member| {
                if Arc::strong_count(&member.shared) > 1 {
                    member.used.store(now, Ordering::Relaxed);
                }
                member.used.load(Ordering::Relaxed) < cutoff && member.may_leave()
            });
            leaving.collect()
        };
        self.count.fetch_sub(removed.len(), Ordering::Relaxed);
        removed
    }

    /// Removes the session that was unused for the longest time, of those in the part of `account`
    /// that may leave.
    pub(super) fn evict_one(&self, account: &str) -> bool {
        let oldest = {
            let members = read(self.shard(account));
            let leaving = members.iter().filter(|member| member.may_leave());
            let oldest = leaving.min_by_key(|member| member.used.load(Ordering::Relaxed));
            oldest.map(|member| member.shared.key().account().to_owned())
        };
        oldest.is_some_and(|account| self.remove(&account))
    }

    /// Moves a session to another time in the queue, if that is earlier. It returns `false` if the
    /// session is about to be refreshed, or is due before.
    pub(super) fn bring_forward(&self, account: &str, due: i64) -> bool {
        let moved = self.with(account, |member| {
            let earlier = |current: i64| (due < current).then_some(due);
            let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
            member.due.fetch_update(set, fetch, earlier).is_ok()
        });
        moved.unwrap_or(false)
    }

    /// Takes a session out of the queue, if it is due at this time and no other.
    pub(super) fn take(&self, account: &str, due: i64) -> bool {
        let taken = self.with(account, |member| {
            let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
            member.due.compare_exchange(due, TAKEN, set, fetch).is_ok()
        });
        taken.unwrap_or(false)
    }

    /// Puts a session that was taken back into the queue, or leaves it out. It returns whether it is
    /// in memory.
    pub(super) fn put_back(&self, account: &str, due: Option<i64>) -> bool {
        let put = self.with(account, |member| {
            member.due.store(due.unwrap_or(OUT), Ordering::Release);
        });
        put.is_some()
    }

    /// The sessions of one part.
    pub(super) fn members(&self, shard: usize) -> Vec<Arc<Shared>> {
        let shard = self.shards.get(shard).map(read);
        let members = shard.iter().flat_map(|members| members.iter());
        members.map(|member| Arc::clone(&member.shared)).collect()
    }

    fn with<T>(&self, account: &str, look: impl FnOnce(&Member) -> T) -> Option<T> {
        let members = read(self.shard(account));
        members.get(account).map(look)
    }

    fn shard(&self, account: &str) -> &Shard {
        // Only a spread, by FNV-1a: the sets hash with a secret.
        let hash = account.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        &self.shards[hash as usize % SHARDS]
    }
}

fn read(shard: &Shard) -> RwLockReadGuard<'_, HashSet<Member>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &Shard) -> RwLockWriteGuard<'_, HashSet<Member>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::Sessions;
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::token::OAuthToken;
    use crate::{ProviderSpec as _, SecureUrl};

    #[test]
    fn a_session_that_the_store_does_not_have_never_leaves() {
        let server = SecureUrl::known("https://auth.example/token");
        let provider = OAuthConfig::new("example", server).provider();
        let sessions = Sessions::builder().provider(provider).build().unwrap();
        let key = SessionKey::new("example", "one");
        let manager = sessions.get(&key).unwrap();
        let token = OAuthToken::new("made-up".into(), None);
        manager.shared().keep_unsaved(Some(token));
        drop(manager);
        let live = &sessions.inner.homes[0].live;
        for shard in 0..super::SHARDS {
            assert!(live.evict(shard, u32::MAX, 0).is_empty());
        }
        assert!(!live.evict_one("one"));
        assert!(!live.remove("one"));
        let manager = sessions.get(&key).unwrap();
        manager.shared().keep_unsaved(None);
        drop(manager);
        assert!(live.remove("one"));
    }
}
