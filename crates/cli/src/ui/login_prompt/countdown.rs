//! The time that is left for a sign-in, and the line that counts it down.

use std::time::Duration;

use tokio::time::Instant;

/// How often the time that is left is printed if no line changes by itself.
const REMINDER: Duration = Duration::from_secs(60);
/// The same when the end is near.
const LAST_REMINDERS: Duration = Duration::from_secs(20);
/// After this time of waiting a hint is printed.
const LONG: Duration = Duration::from_secs(90);
/// How many ignored responses are reported.
const MOST_IGNORED: u32 = 8;
/// A terminal as wide as this has room for more words.
const WIDE: usize = 61;

/// What is known of the waiting.
#[derive(Debug, Default)]
pub(super) struct Countdown {
    ends: Option<Instant>,
    began: Option<Instant>,
    last_told: Option<Duration>,
    /// What to check after a long time; taken when it is printed.
    hint: Option<&'static str>,
    answered: bool,
    takes_pastes: bool,
    /// No address that is pasted is tried any more.
    exhausted: bool,
    ignored: u32,
    /// How many events of what is not the answer a program was not told of.
    pub(super) dropped: u64,
}

/// How an ignored response is reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ignored {
    Tell,
    TellTheLast,
    Silent,
}

impl Countdown {
    /// What to say after a long time, and whether the user can paste.
    pub(super) fn prepare(&mut self, hint: &'static str, takes_pastes: bool) {
        self.hint = Some(hint);
        self.takes_pastes = takes_pastes;
    }

    /// Takes in how much time is left; whether it is to be told where no line changes by itself.
    pub(super) fn remind(&mut self, left: Duration, now: Instant) -> bool {
        self.began.get_or_insert(now);
        self.answered = false;
        self.ends = now.checked_add(left);
        let pause = if left <= REMINDER {
            LAST_REMINDERS
        } else {
            REMINDER
        };
        let is_due = self
            .last_told
            .is_none_or(|told| told.saturating_sub(left) >= pause);
        if is_due {
            self.last_told = Some(left);
        }
        is_due
    }

    /// Asks for no more pastes.
    pub(super) fn exhaust(&mut self) {
        self.exhausted = true;
        self.takes_pastes = false;
        self.hint = None;
    }

    /// Whether only the browser or a new sign-in helps.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// The line that changes; `None` before the waiting begins.
    pub(super) fn line(&self, now: Instant, columns: usize) -> Option<String> {
        let left = self.ends?.saturating_duration_since(now);
        if self.answered {
            return Some("Received the response; finishing the sign-in...".to_owned());
        }
        let clock = format!("{} left. Ctrl-C stops.", countdown(rounded(left)));
        Some(match self.takes_pastes {
            true if columns >= WIDE => format!("Paste here and press Enter, or wait: {clock}"),
            true => format!("Paste or wait: {clock}"),
            false => format!("Waiting: {clock}"),
        })
    }

    /// What to check, once, after a long time or half of a short one.
    pub(super) fn take_hint(&mut self, now: Instant) -> Option<&'static str> {
        let (began, ends) = (self.began?, self.ends?);
        let waited = now.duration_since(began);
        let left = ends.saturating_duration_since(now);
        let is_long = waited >= LONG.min((waited + left) / 2);
        if is_long && !self.answered {
            self.hint.take()
        } else {
            None
        }
    }

    /// Counts what is not the answer: a flood of it is not told to the end.
    pub(super) fn ignored(&mut self) -> Ignored {
        self.ignored = self.ignored.saturating_add(1);
        match self.ignored {
            ..=MOST_IGNORED => Ignored::Tell,
            count if count == MOST_IGNORED + 1 => Ignored::TellTheLast,
            _ => Ignored::Silent,
        }
    }
}

/// Whole seconds, rounded up: the first reminder comes a moment after the code, and says
/// "30 minutes", not "29".
pub(super) fn rounded(left: Duration) -> u64 {
    left.saturating_add(Duration::from_millis(999)).as_secs()
}

/// As a clock shows it: 14:05, 1:00:00.
fn countdown(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_time_that_is_left_reads_like_a_clock() {
        for (seconds, text) in [(0, "0:00"), (65, "1:05"), (899, "14:59"), (3600, "1:00:00")] {
            assert_eq!(countdown(seconds), text);
        }
    }

    #[test]
    fn the_line_fits_and_says_what_can_be_done() {
        let (mut countdown, now) = (Countdown::default(), Instant::now());
        assert_eq!(countdown.line(now, 80), None);
        countdown.prepare("", true);
        countdown.remind(300 * SECOND, now);
        assert_eq!(
            countdown.line(now + SECOND, 40).unwrap(),
            "Paste or wait: 4:59 left. Ctrl-C stops."
        );
        assert!(countdown.line(now, 80).unwrap().starts_with("Paste here"));
        countdown.answered();
        assert!(
            countdown
                .line(now, 40)
                .unwrap()
                .starts_with("Received the response")
        );
        // A code that was none: the waiting goes on.
        countdown.remind(200 * SECOND, now);
        assert!(countdown.line(now, 40).unwrap().contains("3:20 left"));
        // No more of them is tried, so none is asked for.
        countdown.prepare("Paste it", true);
        countdown.exhaust();
        for columns in [40, 80] {
            let line = countdown.line(now, columns).unwrap();
            assert_eq!(line, "Waiting: 3:20 left. Ctrl-C stops.");
        }
        assert_eq!(countdown.take_hint(now + 150 * SECOND), None);
    }

    #[test]
    fn what_to_check_is_said_once_after_a_long_time_or_half_of_a_short_one() {
        for (whole, early, late) in [(1800, 89, 90), (60, 29, 30)] {
            let (mut countdown, now) = (Countdown::default(), Instant::now());
            countdown.prepare("look", false);
            countdown.remind(whole * SECOND, now);
            assert_eq!(countdown.take_hint(now + early * SECOND), None);
            assert_eq!(countdown.take_hint(now + late * SECOND), Some("look"));
            assert_eq!(countdown.take_hint(now + (late + 1) * SECOND), None);
        }
    }

    #[test]
    fn a_flood_is_not_told_to_the_end() {
        let mut countdown = Countdown::default();
        let told: Vec<_> = (0..12).map(|_| countdown.ignored()).collect();
        assert_eq!(
            told.iter().filter(|told| **told == Ignored::Tell).count(),
            8
        );
        assert_eq!(told[8], Ignored::TellTheLast);
        assert_eq!(told[11], Ignored::Silent);
    }
}
