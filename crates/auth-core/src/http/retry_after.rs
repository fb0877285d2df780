//! `Retry-After` (RFC 9110 section 10.2.3): a number of seconds, or a date.

use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Timestamp;

/// The longest wait that counts: a day. After that, a server that asks for longer gets another
/// request, because an outage planned for longer is rare and a wrong unit is not.
// See decision 0057.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The wait that a header asks for; `None` without one, or if it is senseless.
///
/// Some servers send fractions of a second. A date counts from `now`: the server's own `Date`,
/// otherwise our clock.
pub(super) fn wait(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    let wait = match seconds(header) {
        Some(seconds) => seconds,
        None => instant(header)?.since(now),
    };
    Some(wait.min(LONGEST)).filter(|wait| !wait.is_zero())
}

/// Digits, with or without a fraction: not everything that Rust parses as a number (`1e3`, `inf`,
/// `-5`).
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(Duration::try_from_secs_f64(number).unwrap_or(LONGEST))
}

/// A date in one of the three forms of RFC 9110 section 5.6.7.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::default().after(since_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of the standard.
    const NOW: Timestamp = Timestamp::from_unix_millis(784_111_777_000);

    #[test]
    fn seconds_fractions_and_dates_are_read() {
        for (header, millis) in [
            ("120", 120_000),
            (" 7 ", 7_000),
            ("1.5", 1_500),
            ("0.25", 250),
            ("3600.000", 3_600_000),
            ("Sun, 06 Nov 1994 08:49:47 GMT", 10_000),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60_000),
            ("Sun Nov  6 09:49:37 1994", 3_600_000),
            ("86401", 86_400_000),
            ("99999999999999999999999999", 86_400_000),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400_000),
        ] {
            let found = wait(header, NOW);
            assert_eq!(found, Some(Duration::from_millis(millis)), "{header}");
        }
    }

    #[test]
    fn what_makes_no_sense_or_is_past_asks_for_no_wait() {
        for header in [
            "",
            "0",
            "0.0",
            "-5",
            "+5",
            "1e3",
            "inf",
            "NaN",
            "1.",
            ".5",
            "1,5",
            "5 s",
            "0x10",
            "soon",
            "1.2.3",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sat, 05 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:50:37 CET",
            "Sun, 99 Nov 1994 08:50:37 GMT",
        ] {
            assert_eq!(wait(header, NOW), None, "{header}");
        }
    }
}
