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
            let leaving = may_leave.then(|| members.take(account)).flatten();
            leaving.and_then(|member| let_go(&mut members, member))
        };
        if removed.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        removed.is_some()
    }

    /// Removes from one part the sessions that were last used before `cutoff` and may leave.
    pub(super) fn evict(&self, shard: usize, cutoff: u32, now: u32) -> Vec<Shared> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let removed: Vec<Shared> = {
            let mut members = write(shard);
            let leaving = members.extract_if(|member| {
                if Arc::strong_count(&member.shared) > 1 {
                    member.used.store(now, Ordering::Relaxed);
                }
                member.used.load(Ordering::Relaxed) < cutoff && member.may_leave()
            });
            let leaving: Vec<Member> = leaving.collect();
            let gone = leaving.into_iter();
            gone.filter_map(|member| let_go(&mut members, member))
                .collect()
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
    pub(super) fn bring_forward(&self, shared: &Arc<Shared>, due: i64) -> bool {
        let moved = self.with_same(shared, |member| {
            let earlier = |current: i64| (due < current).then_some(due);
            let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
            member.due.fetch_update(set, fetch, earlier).is_ok()
        });
        moved.unwrap_or(false)
    }

    /// Takes a session out of the queue, if it is due at this time and no other.
    pub(super) fn take(&self, shared: &Arc<Shared>, due: i64) -> bool {
        let taken = self.with_same(shared, |member| {
            let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
            member.due.compare_exchange(due, TAKEN, set, fetch).is_ok()
        });
        taken.unwrap_or(false)
    }

    /// Puts a session that was taken back into the queue, or leaves it out. It returns whether it is
    /// in memory.
    pub(super) fn put_back(&self, shared: &Arc<Shared>, due: Option<i64>) -> bool {
        let put = self.with_same(shared, |member| {
            member.due.store(due.unwrap_or(OUT), Ordering::Release);
        });
        put.is_some()
    }

    /// The sessions of one part that are about to be looked at or refreshed.
    pub(super) fn taken(&self, shard: usize) -> Vec<Arc<Shared>> {
        let shard = self.shards.get(shard).map(read);
        let members = shard.iter().flat_map(|members| members.iter());
        let taken = members.filter(|member| member.due.load(Ordering::Acquire) == TAKEN);
        taken.map(|member| Arc::clone(&member.shared)).collect()
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

    /// The same for this session only: another one of the account may have come after it left.
    fn with_same<T>(&self, shared: &Arc<Shared>, look: impl FnOnce(&Member) -> T) -> Option<T> {
        let same = self.with(shared.key().account(), |member| {
            Arc::ptr_eq(&member.shared, shared).then(|| look(member))
        });
        same.flatten()
    }

    fn shard(&self, account: &str) -> &Shard {
        // Only a spread, by FNV-1a: the sets hash with a secret.
        let hash = account.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        &self.shards[hash as usize % SHARDS]
    }
}

/// The session of a member that has been taken out, unless the schedule has found it meanwhile: then
/// it goes back. From here on no one finds it.
#[expect(
    clippy::mutable_key_type,
    reason = "it is compared by its account, which does not change"
)]
fn let_go(members: &mut HashSet<Member>, member: Member) -> Option<Shared> {
    let Member { shared, used, due } = member;
    let (shared, due) = match Arc::try_unwrap(shared) {
        Err(shared) => (shared, due),
        Ok(gone) if !gone.must_stay() => return Some(gone),
        // The schedule has lost it, and gets it back once it is stored.
        Ok(unsaved) => (Arc::new(unsaved), AtomicI64::new(OUT)),
    };
    members.insert(Member { shared, used, due });
    None
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
    use super::*;
    use crate::manager::AuthManager;
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::token::OAuthToken;
    use crate::{ProviderSpec as _, SecureUrl};

    /// A session of an account, which its caller holds.
    fn held() -> (Sessions, AuthManager) {
        let server = SecureUrl::known("https://auth.example/token");
        let provider = OAuthConfig::new("example", server).provider();
        let sessions = Sessions::builder().provider(provider).build().unwrap();
        let manager = sessions.get(&SessionKey::new("example", "one")).unwrap();
        (sessions, manager)
    }

    #[test]
    fn a_session_that_the_store_does_not_have_never_leaves() {
        let (sessions, manager) = held();
        let token = OAuthToken::new("made-up".into(), None);
        manager.shared().keep_unsaved(Some(token));
        drop(manager);
        let live = &sessions.inner.homes[0].live;
        for shard in 0..SHARDS {
            assert!(live.evict(shard, u32::MAX, 0).is_empty());
        }
        assert!(!live.evict_one("one"));
        assert!(!live.remove("one"));
        let manager = sessions.get(&SessionKey::new("example", "one")).unwrap();
        manager.shared().keep_unsaved(None);
        drop(manager);
        assert!(live.remove("one"));
    }

    #[test]
    fn a_session_that_is_found_or_unsaved_after_it_was_taken_out_goes_back() {
        let (sessions, manager) = held();
        let live = &sessions.inner.homes[0].live;
        let mut members = write(live.shard("one"));
        let member = members.take("one").unwrap();
        assert!(let_go(&mut members, member).is_none(), "it is found");
        let token = OAuthToken::new("made-up".into(), None);
        manager.shared().keep_unsaved(Some(token));
        drop(manager);
        let member = members.take("one").unwrap();
        assert!(let_go(&mut members, member).is_none(), "it is unsaved");
        let member = members.take("one").unwrap();
        member.shared.keep_unsaved(None);
        assert!(let_go(&mut members, member).is_some());
        assert!(members.is_empty());
    }

    #[test]
    fn the_schedule_of_a_session_that_has_left_does_not_touch_the_next_one_of_its_account() {
        let ((sessions, next), (_others, left)) = (held(), held());
        let live = &sessions.inner.homes[0].live;
        let (next, left) = (next.shared(), left.shared());
        assert!(!live.put_back(left, Some(5)));
        assert!(live.put_back(next, Some(5)));
        assert!(!live.bring_forward(left, 3));
        assert!(!live.take(left, 5));
        assert!(live.take(next, 5));
    }
}
