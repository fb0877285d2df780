//! The table of responses that providers have been seen to send, and what each of them means.

use std::collections::BTreeMap;

use serde::Deserialize;

const TABLE: &str = include_str!("../../wire-cases.jsonl");

/// One response of a provider, from the table that every client of this workspace is held to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WireCase {
    /// The provider's name, such as `qwen`.
    #[serde(rename = "vendor")]
    pub provider: String,
    /// The step of the flow: `device_code`, `poll`, `exchange`, `refresh`, `revoke`, `api`, `callback`,
    /// `authorize`, `tokeninfo` or `userinfo`.
    pub step: String,
    /// The HTTP status; 0 if no response came. For a `callback`, `body` is the request target
    /// that reaches the redirect listener.
    pub status: u16,
    /// Headers beside `Content-Type: application/json`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, with `{STATE}` for the `state` of the request and `{NOW_MS+n}` for an instant.
    pub body: String,
    /// The label of its meaning.
    pub expect: String,
    /// The label in this workspace, if that differs.
    #[serde(default)]
    pub ours: Option<String>,
    /// Why it differs.
    #[serde(default)]
    pub reason: Option<String>,
    /// The source of the observation.
    pub source: String,
    /// Further remarks.
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

/// The cases of one provider, in the order of the table.
///
/// # Panics
///
/// If a line of the table is not a case: the table is part of this crate.
#[must_use]
#[expect(clippy::expect_used, reason = "the table is compiled in and tested")]
pub fn wire_cases(provider: &str) -> Vec<WireCase> {
    let read = |line| serde_json::from_str(line).expect("a line of the table is a case");
    let cases = TABLE.lines().map(read);
    cases
        .filter(|case: &WireCase| case.provider == provider)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn providers() -> impl Iterator<Item = String> {
        let read = |line| serde_json::from_str::<WireCase>(line).unwrap().provider;
        let names: BTreeSet<_> = TABLE.lines().map(read).collect();
        names.into_iter()
    }

    #[test]
    fn no_line_of_the_table_is_lost() {
        let count: usize = providers().map(|name| wire_cases(&name).len()).sum();
        assert_eq!(TABLE.lines().count(), count);
        assert!(count > 90);
    }

    #[test]
    fn a_label_that_differs_has_a_reason() {
        for provider in providers() {
            for case in wire_cases(&provider) {
                assert_eq!(case.ours.is_some(), case.reason.is_some(), "{case:?}");
                assert_ne!(case.ours.as_ref(), Some(&case.expect), "{case:?}");
            }
        }
    }
}
