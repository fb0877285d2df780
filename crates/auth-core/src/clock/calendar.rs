//! Instants as dates, and as values of the standard library.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// Years 1601 to 9999, which every system's clock can hold, in Unix milliseconds.
const EVERYWHERE: (i64, i64) = (-11_644_473_600_000, 253_402_300_799_999);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(DAY_MS));
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let in_day = self.0.rem_euclid(DAY_MS);
        let (second, millis) = (in_day / 1000, in_day % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if f.precision().is_some_and(|digits| digits > 0) {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self:.3})")
    }
}

impl From<SystemTime> for Timestamp {
    /// To the millisecond; an instant out of range becomes the first or the last one.
    fn from(time: SystemTime) -> Self {
        let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        })
    }
}

impl From<Timestamp> for SystemTime {
    /// An instant that the system's clock cannot hold becomes the first of 1601 or the last of
    /// 9999.
    fn from(at: Timestamp) -> Self {
        let (first, last) = EVERYWHERE;
        system_time(at.0)
            .or_else(|| system_time(at.0.clamp(first, last)))
            .unwrap_or(UNIX_EPOCH)
    }
}

fn system_time(millis: i64) -> Option<SystemTime> {
    let length = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 {
        UNIX_EPOCH.checked_sub(length)
    } else {
        UNIX_EPOCH.checked_add(length)
    }
}

/// The proleptic Gregorian date of a day since 1970-01-01 (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`). Years are counted from March.
fn date(days: i64) -> (i64, i64, i64) {
    let from_year_zero = days + 719_468;
    let era = from_year_zero.div_euclid(146_097);
    let day_of_era = from_year_zero.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 {
        months_from_march + 3
    } else {
        months_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_as_a_date() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (999, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (1_795_644_720_000, "2026-11-25T22:12:00Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
        }
        assert_eq!(format!("{:.3}", Timestamp(-1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(
            format!("{:?}", Some(Timestamp(1_795_644_720_007))),
            "Some(Timestamp(2026-11-25T22:12:00.007Z))"
        );
    }

    #[test]
    fn an_absurd_instant_is_shown_and_does_not_panic() {
        for (millis, shown) in [
            (253_402_300_800_000, "+010000-01-01T00:00:00Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59Z"),
            (i64::MAX, "+292278994-08-17T07:12:55Z"),
            (i64::MIN, "-292275055-05-16T16:47:04Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
        }
    }

    #[test]
    fn every_day_of_800_years_has_the_date_that_the_calendar_gives_it() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..292_194 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn there_and_back_is_the_same_instant_and_what_does_not_fit_is_cut() {
        for millis in [0, -1, 1, 1_795_644_720_007, -11_644_473_600_000] {
            let system = SystemTime::from(Timestamp(millis));
            assert_eq!(Timestamp::from(system), Timestamp(millis));
        }
        for millis in [i64::MIN, i64::MAX] {
            let back = Timestamp::from(SystemTime::from(Timestamp(millis)));
            assert_eq!(back.0.signum(), millis.signum());
        }
        let nanosecond_early = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(nanosecond_early), Timestamp(0));
    }
}
