//! Instants and durations as text.

use std::time::Duration;

use llm_auth_core::{Clock as _, OAuthToken, SystemClock, Timestamp};

/// RFC 3339 in UTC, to the second; `None` for what no calendar holds (years after 9999).
pub(crate) fn rfc3339(at: Timestamp) -> Option<String> {
    let second = at.as_unix_millis().div_euclid(1000);
    let instant = jiff::Timestamp::from_second(second).ok()?;
    Some(instant.to_string())
}

/// Whether the access token has expired.
pub(crate) fn has_expired(token: &OAuthToken) -> bool {
    !token.is_valid_for(Duration::ZERO, SystemClock.now())
}

/// The message on a fresh token that is over: MiniMax has sent instants in the past.
pub(crate) fn expired_on_arrival(token: &OAuthToken) -> String {
    let at = token.expires_at.and_then(rfc3339);
    let at = at.unwrap_or_else(|| "an out-of-range date".into());
    format!(
        "according to the provider, this new access token expired at {at}; check the clock of this \
         computer"
    )
}

/// A length as a user says it.
pub(crate) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7199 => (seconds / 60, "minute"),
        7200..=172_799 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Reads a flag's seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_not_a_number| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_no_time| match seconds < 0.0 {
        true => "a time is not negative".to_owned(),
        false => "not a duration".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339_says() {
        for (millis, text) in [
            (0, Some("1970-01-01T00:00:00Z")),
            (951_782_400_000, Some("2000-02-29T00:00:00Z")),
            (1_795_480_323_456, Some("2026-11-24T00:32:03Z")),
            (4_102_444_800_000, Some("2100-01-01T00:00:00Z")),
            (-1000, Some("1969-12-31T23:59:59Z")),
            (253_402_300_800_000, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            let at = Timestamp::from_unix_millis(millis);
            assert_eq!(rfc3339(at).as_deref(), text, "{millis}");
        }
    }

    #[test]
    fn lengths_are_rounded_down_to_one_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7200, "2 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), text);
        }
    }
}
