//! The server's wall clock, which a test may set wrong on purpose.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    pub(crate) fn set_offset_seconds(&self, seconds: i64) {
        self.offset_seconds.store(seconds, Ordering::Relaxed);
    }

    /// Milliseconds since the Unix epoch, with the offset.
    pub(crate) fn now_ms(&self) -> i64 {
        let shift = self.offset_seconds.load(Ordering::Relaxed);
        real_now_ms().saturating_add(shift.saturating_mul(1000))
    }

    /// The instant as a `Date` header writes it (RFC 9110 section 5.6.7).
    pub(crate) fn http_date(&self) -> String {
        http_date(self.now_ms().div_euclid(1000))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the simulated providers read the time of day"
)]
fn real_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Instants before 1970 and after 9999 have no such form; they become the nearest that does.
fn http_date(seconds: i64) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_rfc_shows_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn dates_out_of_range_become_the_first_or_the_last_one() {
        assert_eq!(http_date(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn the_clock_can_be_set_wrong() {
        let clock = Clock::default();
        let before = clock.now_ms();
        clock.set_offset_seconds(-3600);
        assert!(clock.now_ms() < before - 3_500_000);
    }
}
