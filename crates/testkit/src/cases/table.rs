//! The table of answers that vendors have been seen to send, and what each of them means.

use std::collections::BTreeMap;

use serde::Deserialize;

const TABLE: &str = include_str!("../../wire-cases.jsonl");

/// One answer of a vendor, from the table that every client of this workspace is held to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WireCase {
    /// `gemini`, `minimax` or `qwen`.
    pub vendor: String,
    /// What was asked: `device_code`, `poll`, `exchange`, `refresh`, `revoke`, `api`, `callback`,
    /// `authorize`, `tokeninfo` or `userinfo`.
    pub step: String,
    /// The HTTP status; 0 where no answer came. For a `callback`, `body` is the request target
    /// that reaches the redirect listener.
    pub status: u16,
    /// Headers beside `Content-Type: application/json`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, with `{STATE}` for the `state` of the request and `{NOW_MS+n}` for an instant.
    pub body: String,
    /// The label of what it means.
    pub expect: String,
    /// What this workspace makes of it, where that differs.
    #[serde(default)]
    pub ours: Option<String>,
    /// Why it differs.
    #[serde(default)]
    pub reason: Option<String>,
    /// Where it was seen.
    pub source: String,
    /// What else is known of it.
    #[serde(default)]
    pub note: Option<String>,
}

impl WireCase {
    /// The label that a client of this workspace must arrive at.
    #[must_use]
    pub fn label(&self) -> &str {
        self.ours.as_deref().unwrap_or(&self.expect)
    }
}

/// The cases of one vendor, in the order of the table.
///
/// # Panics
///
/// If a line of the table is not a case: the table is part of this crate.
#[must_use]
#[expect(clippy::expect_used, reason = "the table is compiled in and tested")]
pub fn wire_cases(vendor: &str) -> Vec<WireCase> {
    let read = |line| serde_json::from_str(line).expect("a line of the table is a case");
    let cases = TABLE.lines().map(read);
    cases
        .filter(|case: &WireCase| case.vendor == vendor)
        .collect()
}

/// The label for what a client made of an answer, given the `Debug` name of its error kind, of
/// its verdict on an API answer or of its poll result; the name itself if there is no label.
#[must_use]
pub fn label_of(name: &str) -> &str {
    match name {
        "Config" => "config_error",
        "Denied" => "denied",
        "Expired" => "expired",
        "Fine" => "ok",
        "Pending" => "pending",
        "PolicyDenied" => "policy_denied",
        "Protocol" => "protocol_error",
        "Quota" => "quota",
        "RateLimited" => "rate_limited",
        "Ready" => "token",
        "Redirected" => "redirect",
        "RefreshNeeded" => "refresh_needed",
        "RefreshRejected" => "reauth_required",
        "SlowDown" => "slow_down",
        "StateMismatch" => "state_mismatch",
        "Transient" => "transient",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_table_is_lost() {
        let count = |vendor| wire_cases(vendor).len();
        assert_eq!(TABLE.lines().count(), 90);
        assert_eq!(
            [count("gemini"), count("minimax"), count("qwen")],
            [27, 39, 24]
        );
    }

    #[test]
    fn whoever_differs_from_the_table_says_why() {
        for vendor in ["gemini", "minimax", "qwen"] {
            for case in wire_cases(vendor) {
                assert_eq!(case.ours.is_some(), case.reason.is_some(), "{case:?}");
                assert_ne!(case.ours.as_ref(), Some(&case.expect), "{case:?}");
            }
        }
    }
}
