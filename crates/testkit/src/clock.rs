//! The server's wall clock, which a test may set wrong on purpose.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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
    reason = "the one place where the simulated vendors read the time of day"
)]
fn real_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = seconds.div_euclid(86_400);
    let clock = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[weekday],
        MONTHS[month],
        clock / 3600,
        clock % 3600 / 60,
        clock % 60
    )
}

/// Year, month (0 to 11) and day of a count of days since 1970-01-01.
fn civil(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while first_day(year + 1) <= days {
        year += 1;
    }
    let mut rest = days - first_day(year);
    let mut month = 0;
    while rest >= month_days(year, month) {
        rest -= month_days(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

fn first_day(year: i64) -> i64 {
    let y = year - 1;
    let leaps = |y: i64| y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    (year - 1970) * 365 + leaps(y) - leaps(1969)
}

fn month_days(year: i64, month: usize) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 if leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_rfc_shows_them() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_709_164_800), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(http_date(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
        assert_eq!(http_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
    }

    #[test]
    fn the_clock_can_be_set_wrong() {
        let clock = Clock::default();
        let before = clock.now_ms();
        clock.set_offset_seconds(-3600);
        assert!(clock.now_ms() < before - 3_500_000);
    }
}
