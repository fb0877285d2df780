//! What MiniMax's answers mean, in both of their shapes.
//!
//! MiniMax's own shape says `status`, `base_resp` and `expired_in`, mostly with HTTP 200;
//! MiniMax Code gets the shape of RFC 8628 (`error`, `expires_in`). What an answer holds
//! decides, not who asked.

use std::time::Duration;

use llm_auth_core::{
    Answer, ApiAnswer, ApiVerdict, DEFAULT_LIFETIME, Error, ErrorKind, Fields, Poll, Refusal,
    Result, Step, Timestamp, TokenAnswer, refusal_error,
};

/// The members of an answer that is no refusal.
pub(crate) fn read_answer(step: Step, answer: &Answer) -> Result<Fields> {
    let fields = answer.json()?;
    match refusal(answer, &fields) {
        Some(refusal) => Err(refusal_error(step, answer, &refusal)),
        None => Ok(fields),
    }
}

pub(crate) fn read_poll(answer: &Answer, now: Timestamp) -> Result<Poll> {
    let fields = answer.json()?;
    if let Some(refusal) = refusal(answer, &fields) {
        return match refusal.code() {
            "authorization_pending" | "pending" => Ok(Poll::Pending),
            "slow_down" => Ok(Poll::SlowDown),
            _ => Err(refusal_error(Step::Poll, answer, &refusal)),
        };
    }
    match status(&fields).as_deref() {
        Some("success") => read_token(&fields, now).map(Poll::Ready),
        None if fields.has("access_token") => read_token(&fields, now).map(Poll::Ready),
        Some("slow_down") => Ok(Poll::SlowDown),
        // An unknown status, or none, is "not yet", as OpenClaw has it: the code's own
        // expiry ends the waiting.
        _ => Ok(Poll::Pending),
    }
}

/// The answer to a renewal.
///
/// The old refresh token is spent by now. So an answer that does not say until when the new
/// access token lives is still kept, with the default lifetime, for the sake of the refresh
/// token in it.
pub(crate) fn read_renewal(answer: &Answer, now: Timestamp) -> Result<TokenAnswer> {
    let fields = read_answer(Step::Refresh, answer)?;
    if let Some(status) = status(&fields).filter(|status| status != "success") {
        let words = answer.words(&status);
        return Err(answer.error(
            ErrorKind::Protocol,
            format!(
                "{} answered the renewal with the status {words}",
                answer.host()
            ),
        ));
    }
    let expires_at =
        expiry(&fields, now).unwrap_or_else(|_| fields.now(now).after(DEFAULT_LIFETIME));
    granted(&fields, expires_at, now)
}

fn read_token(fields: &Fields, now: Timestamp) -> Result<TokenAnswer> {
    granted(fields, expiry(fields, now)?, now)
}

fn granted(fields: &Fields, expires_at: Timestamp, now: Timestamp) -> Result<TokenAnswer> {
    // A token that has expired already is stale and not an error: any length passes here.
    let mut answer = TokenAnswer::read_with_lifetime(fields, DEFAULT_LIFETIME)?;
    answer.expires_in = expires_at.since(fields.now(now));
    answer.expires_at = Some(expires_at);
    Ok(answer)
}

/// Until when an access token lives. `expired_in` has been seen in three units: below 10⁹ it
/// is seconds from now, below 10¹² Unix seconds, from there on Unix milliseconds (OpenClaw's
/// rule; openclaw#83480, hermes-agent#20374). `expires_in` is seconds from now.
fn expiry(fields: &Fields, now: Timestamp) -> Result<Timestamp> {
    let now = fields.now(now);
    let Some(value) = positive(fields, "expired_in")? else {
        return match fields.seconds("expires_in")? {
            Some(length) if !length.is_zero() => Ok(now.after(length)),
            _ => Err(odd(
                "the token answer does not say how long the token lives",
            )),
        };
    };
    let epoch = Timestamp::default();
    Ok(match value {
        0..=999_999_999 => now.after(Duration::from_secs(value)),
        1_000_000_000..=999_999_999_999 => epoch.after(Duration::from_secs(value)),
        _ => epoch.after(Duration::from_millis(value)),
    })
}

/// A positive whole number that survives JSON (at most 2⁵³ − 1); a string of digits will do.
pub(crate) fn positive(fields: &Fields, name: &str) -> Result<Option<u64>> {
    const SAFE: f64 = 9_007_199_254_740_991.0;
    match fields.number(name)? {
        None => Ok(None),
        Some(value) if value.fract() == 0.0 && (1.0..=SAFE).contains(&value) => {
            Ok(Some(value as u64))
        }
        Some(_) => Err(odd(&format!(
            "{name} in MiniMax's answer is not a positive whole number"
        ))),
    }
}

pub(crate) fn odd(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

/// What an API answer says about the session: mmx-cli's and platform.minimax.io's codes,
/// which come with HTTP 200.
pub(crate) fn judge(answer: &ApiAnswer<'_>) -> ApiVerdict {
    match answer.member(&["base_resp", "status_code"]).as_deref() {
        Some("1000" | "1001" | "1024") => ApiVerdict::Transient,
        Some("1002") => ApiVerdict::RateLimited,
        Some("1004") => ApiVerdict::RefreshNeeded,
        Some("1008" | "1028" | "1030") => ApiVerdict::Quota,
        Some("2061") => ApiVerdict::PolicyDenied,
        _ => answer.verdict_by_status(),
    }
}

/// The reason of a failure, in the words of RFC 6749 where there are any.
fn refusal(answer: &Answer, fields: &Fields) -> Option<Refusal> {
    if let Some(refusal) = Refusal::read(fields) {
        return Some(standard(refusal.code(), refusal.description()));
    }
    let status = status(fields);
    let base = fields.object("base_resp");
    let base_code = base
        .as_ref()
        .and_then(|base| positive(base, "status_code").ok().flatten());
    match status.as_deref() {
        Some("access_denied" | "denied") => return Some(standard("access_denied", None)),
        Some("expired" | "expired_token") => return Some(standard("expired_token", None)),
        Some("error") => {}
        _ if base_code.is_some() || !answer.is_success() => {}
        _ => return None,
    }
    let words = base
        .as_ref()
        .and_then(|base| base.text("status_msg"))
        .or_else(|| fields.text("message"));
    match base_code {
        Some(1001 | 1024) => return Some(standard("temporarily_unavailable", words)),
        Some(1002) => return Some(standard("rate_limit_exceeded", words)),
        Some(40_004) => return Some(standard("invalid_grant", words)),
        _ => {}
    }
    let (head, rest) = match words.and_then(|words| words.split_once(": ")) {
        Some((head, rest)) => (Some(head), Some(rest)),
        None => (words, None),
    };
    if let Some(code) = head.filter(|head| is_code(head)) {
        return Some(standard(code, rest));
    }
    let code = match base_code {
        Some(number) => format!("status code {number}"),
        None => status.unwrap_or_else(|| "request failed".into()),
    };
    Some(standard(&code, words))
}

/// MiniMax's names for what the standard calls `invalid_grant`, `access_denied` and
/// `expired_token` (hermes-agent, MiniMax Code; openclaw#82056).
fn standard(code: &str, description: Option<&str>) -> Refusal {
    match code.to_ascii_lowercase().as_str() {
        "denied" => Refusal::new("access_denied", description),
        "expired" => Refusal::new("expired_token", description),
        own @ ("invalid_refresh_token" | "refresh_token_reused") => {
            Refusal::new("invalid_grant", Some(own))
        }
        other => Refusal::new(other, description),
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn status(fields: &Fields) -> Option<String> {
    fields.text("status").map(str::to_ascii_lowercase)
}
