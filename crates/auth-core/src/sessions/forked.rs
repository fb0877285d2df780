//! A forked child of a process with many sessions, which has none of its parent's tasks.

use super::inner::Inner;
use super::live::SHARDS;

impl Inner {
    /// Puts back what was about to be refreshed when this process was forked: that work goes on in its
    /// parent only.
    pub(super) fn queue_again(&self) {
        for home in &self.homes {
            for shard in 0..SHARDS {
                for member in home.live.taken(shard) {
                    self.put_back(&member, Some(self.clock.now()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::Sessions;
    use super::super::schedule::{Due, Work};
    use super::*;
    use crate::admission::Room;
    use crate::oauth::OAuthConfig;
    use crate::{ProviderSpec as _, SecureUrl};

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_forked_child_does_what_its_parent_had_begun() {
        let server = SecureUrl::known("https://auth.example/token");
        let provider = OAuthConfig::new("example", server).provider();
        let sessions = Sessions::builder().provider(provider).build().unwrap();
        // No driver looks at the session meanwhile.
        assert!(sessions.inner.has_driver.take());
        let manager = sessions.session("example", "one").unwrap();
        let inner = &sessions.inner;
        let (shared, now) = (manager.shared(), inner.clock.now().after(HOUR));
        // As in a child of a process that has begun to look at it.
        inner.put_back(shared, Some(now));
        assert!(inner.homes[0].live.take(shared, now.as_unix_millis()));
        let due = Due {
            at: 0,
            member: Arc::downgrade(shared),
        };
        {
            let mut schedule = inner.schedule();
            schedule.wait_for(Work::Look, due);
            assert!(schedule.begin(|_| Room::For(1)).is_some());
            schedule.fork();
        }
        // It hangs unless the work is the parent's.
        inner.finished().await;
        inner.queue_again();
        let taken = (0..SHARDS).flat_map(|shard| inner.homes[0].live.taken(shard));
        assert_eq!(taken.count(), 0);
        let next = inner.schedule().next_at();
        assert!(
            next.is_some_and(|at| at < now.as_unix_millis()),
            "it is due"
        );
    }
}
