//! Leases: locks that end by themselves, because their holder may be on another computer.
//!
//! See decision 0061.

use std::time::Duration;

tokio::task_local! {
    /// The lease under which this task refreshes a session.
    static CURRENT: Lease;
}

/// The right to send a refresh token, until a time.
///
/// A store whose lock ends with its holder, such as the lock of a file, has none. One whose holder
/// may be on another computer cannot see its death, so the lock ends by itself, and a holder that
/// was paused must not send any more. [`HttpClient`](crate::HttpClient) checks the lease of
/// [`StoreGuard::lease`](super::StoreGuard::lease) right before the first byte of a body leaves: what
/// is left of it must last as long as the request may.
///
/// The clock goes on while the computer sleeps, except on systems whose clock of the standard library
/// stops then.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::store::LeaseRequest;
///
/// let request = LeaseRequest::now();
/// // ... the store grants 30 s, counted by its own clock from some time after that ...
/// let lease = request.granted(Duration::from_secs(30));
/// assert!(lease.remaining() <= Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// In the time of [`now`].
    until: Duration,
}

/// The time at which a lease is requested: it counts from then on, however long the store takes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::store::LeaseRequest;
///
/// let lease = LeaseRequest::now().granted(Duration::ZERO);
/// assert_eq!(lease.remaining(), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeaseRequest(Duration);

impl LeaseRequest {
    /// Call it before the store is asked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::store::LeaseRequest;
    ///
    /// let request = LeaseRequest::now();
    /// assert!(request.granted(Duration::from_secs(30)).remaining() > Duration::ZERO);
    /// ```
    #[must_use]
    pub fn now() -> Self {
        Self(now())
    }

    /// The lease that the store has granted, with its length.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::store::LeaseRequest;
    ///
    /// let lease = LeaseRequest::now().granted(Duration::from_secs(30));
    /// assert!(lease.remaining() > Duration::ZERO);
    /// ```
    #[must_use]
    pub fn granted(self, length: Duration) -> Lease {
        Lease {
            until: self.0.saturating_add(length),
        }
    }
}

impl Lease {
    /// How long it lasts from now on; zero once it is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::store::LeaseRequest;
    ///
    /// let lease = LeaseRequest::now().granted(Duration::from_secs(30));
    /// assert!(lease.remaining() <= Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.until.saturating_sub(now())
    }

    /// The lease under which the calling task refreshes a session, for a provider that sends its
    /// requests without [`HttpClient`](crate::HttpClient), or from another task: send a refresh
    /// token only if the lease lasts longer than the request may. `None` if the lock ends with its
    /// holder.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::Lease;
    ///
    /// assert!(Lease::current().is_none());
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|lease| *lease).ok()
    }

    /// Runs a refresh under a lease.
    pub(crate) async fn scope<T>(lease: Option<Self>, work: impl Future<Output = T>) -> T {
        match lease {
            Some(lease) => CURRENT.scope(lease, work).await,
            None => work.await,
        }
    }
}

/// The time since the computer started, or since the process first asked.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_sees_its_own_lease_and_no_other() {
        let lease = LeaseRequest::now().granted(Duration::from_secs(30));
        let inside = Lease::scope(Some(lease), async { Lease::current() }).await;
        assert!(inside.unwrap().remaining() > Duration::ZERO);
        let elsewhere = Lease::scope(Some(lease), tokio::spawn(async { Lease::current() })).await;
        assert!(elsewhere.unwrap().is_none());
        assert!(Lease::current().is_none());
    }

    #[test]
    fn a_lease_counts_from_the_request_and_its_end_saturates() {
        let request = LeaseRequest::now();
        let lease = request.granted(Duration::from_secs(30));
        assert!(lease.remaining() <= Duration::from_secs(30));
        assert!(request.granted(Duration::MAX).remaining() > Duration::from_secs(1 << 40));
    }
}
