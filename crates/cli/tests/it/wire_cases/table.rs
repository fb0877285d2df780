//! The lines of the table, and why some are not run.

use llm_auth_testkit::{WireCase, wire_cases};

use super::{ACCESS_OF_LINE, CODE, REFRESH_OF_LINE};

pub(super) const NO_API_CALLS: &str = "the command calls no API";
pub(super) const IN_THE_BROWSER: &str = "Google shows it in the browser, and nothing arrives here";
pub(super) const LIBRARY_ONLY: &str = "the command never asks whether an access token is good";
pub(super) const NO_DEVICE_FLOW: &str =
    "Gemini is not signed in to by device, whose scopes Google restricts";
pub(super) const ANOTHER_DIALECT: &str =
    "MiniMax Code's, while the command speaks as OpenClaw does";

pub(super) fn lines(step: &str) -> Vec<WireCase> {
    table()
        .filter(|case| case.step == step && why_not(case).is_none())
        .collect()
}

pub(super) fn table() -> impl Iterator<Item = WireCase> {
    ["gemini", "minimax", "qwen"]
        .into_iter()
        .flat_map(wire_cases)
        .map(unmistakable)
}

/// Why no command can get this response.
pub(super) fn why_not(case: &WireCase) -> Option<&'static str> {
    // A response to MiniMax Code has no state, and only a token of its scope is good for it.
    let stateless = case.body.contains("\"device_code\"");
    let other_scope = case.body.contains("\"scope\":\"other\"");
    match (case.provider.as_str(), case.step.as_str()) {
        (_, "api") => Some(NO_API_CALLS),
        ("gemini", "authorize") => Some(IN_THE_BROWSER),
        ("gemini", "device_code" | "poll") => Some(NO_DEVICE_FLOW),
        ("gemini", "tokeninfo") => Some(LIBRARY_ONLY),
        ("minimax", "device_code") if stateless => Some(ANOTHER_DIALECT),
        ("minimax", "poll") if other_scope => Some(ANOTHER_DIALECT),
        _ => None,
    }
}

/// The line with secrets that cannot be shown by chance: the table's are words such as `access`.
fn unmistakable(mut case: WireCase) -> WireCase {
    for (name, secret) in [
        ("access_token", ACCESS_OF_LINE),
        ("refresh_token", REFRESH_OF_LINE),
        ("device_code", "made-up-device-of-the-line"),
    ] {
        let before = format!("\"{name}\":\"");
        if let Some((head, tail)) = case.body.split_once(&before)
            && let Some((known, tail)) = tail.split_once('"')
            && !known.is_empty()
        {
            case.body = format!("{head}{before}{secret}\"{tail}");
        }
    }
    case.body = case.body.replace("code=CODE", &format!("code={CODE}"));
    case
}
