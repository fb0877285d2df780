//! Every line of the table of providers' responses, through the command: its exit code, and that
//! it loses no session and shows no secret.

mod scene;
mod table;

use std::collections::BTreeMap;

use scene::play;
use serde_json::{Value, json};
use table::{
    ANOTHER_DIALECT, IN_THE_BROWSER, LIBRARY_ONLY, NO_API_CALLS, NO_DEVICE_FLOW, lines, table,
    why_not,
};

use crate::support::browser::browse;
use crate::support::session_file::read;

/// What every secret begins with, and nothing that may be shown.
const SECRET: &str = "made-up-";
const CODE: &str = "made-up-code";
const OLD_ACCESS: &str = "made-up-old-access";
const OLD_REFRESH: &str = "made-up-old-refresh";
const ACCESS_OF_LINE: &str = "made-up-access-of-the-line";
const REFRESH_OF_LINE: &str = "made-up-refresh-of-the-line";
const ACCESS_AFTERWARDS: &str = "made-up-access-afterwards";

#[test]
fn every_line_of_the_table_is_run_or_has_a_reason_not_to_be() {
    let mut run = BTreeMap::new();
    let mut not_run = BTreeMap::new();
    for case in table() {
        match why_not(&case) {
            None => *run.entry(case.step).or_insert(0) += 1,
            Some(why) => *not_run.entry(why).or_insert(0) += 1,
        }
    }
    let steps = [
        ("callback", 5),
        ("device_code", 13),
        ("exchange", 4),
        ("poll", 31),
        ("refresh", 20),
        ("revoke", 1),
        ("userinfo", 1),
    ];
    let reasons = [
        (ANOTHER_DIALECT, 2),
        (IN_THE_BROWSER, 1),
        (LIBRARY_ONLY, 1),
        (NO_API_CALLS, 6),
        (NO_DEVICE_FLOW, 5),
    ];
    assert_eq!(run, steps.map(|(step, n)| (step.to_owned(), n)).into());
    assert_eq!(not_run, reasons.into());
    assert_eq!(run.values().chain(not_run.values()).sum::<u32>(), 90);
}

#[tokio::test]
async fn the_response_to_a_device_code_request_decides_the_exit_code() {
    play(lines("device_code"), |scene| {
        let done = scene.run(&["login", &scene.case.provider]);
        scene.assert_login(&done, ACCESS_AFTERWARDS);
        assert_eq!(done.out, "");
        let polls = usize::from(scene.exit_code() == 0);
        assert_eq!(scene.server.requests().len(), 1 + polls);
    })
    .await;
}

#[tokio::test]
async fn the_response_to_a_poll_ends_a_login_with_its_exit_code_or_lets_it_continue() {
    play(lines("poll"), |scene| {
        let done = scene.run(&["login", &scene.case.provider]);
        let goes_on = scene.exit_code() == 0 && scene.case.label() != "token";
        let access = if goes_on {
            ACCESS_AFTERWARDS
        } else {
            ACCESS_OF_LINE
        };
        scene.assert_login(&done, access);
        assert_eq!(done.out, "");
        let polls = 1 + usize::from(goes_on);
        assert_eq!(scene.server.requests().len(), 1 + polls);
        let trouble = matches!(scene.case.label(), "transient" | "rate_limited");
        assert_eq!(done.err.contains("the sign-in goes on"), trouble);
    })
    .await;
}

#[tokio::test]
async fn the_response_to_a_refresh_decides_the_exit_code_and_never_costs_the_session() {
    play(lines("refresh"), |scene| {
        let old = json!({"access": OLD_ACCESS, "refresh": OLD_REFRESH, "expires": 1000});
        std::fs::write(scene.file(), old.to_string()).unwrap();
        let done = scene.run(&["token", &scene.case.provider]);
        scene.assert_code(&done);
        let stored = read(&scene.file());
        if scene.exit_code() == 0 {
            assert_eq!(done.out, format!("{ACCESS_OF_LINE}\n"));
            assert_eq!(stored["access"], ACCESS_OF_LINE);
            let rotated = scene.case.body.contains(REFRESH_OF_LINE);
            let refresh = if rotated {
                REFRESH_OF_LINE
            } else {
                OLD_REFRESH
            };
            assert_eq!(stored["refresh"], refresh);
        } else {
            assert_eq!(done.out, "");
            assert_eq!(stored["access"], OLD_ACCESS);
            assert_eq!(stored["refresh"], OLD_REFRESH);
        }
        // Only trouble that passes by itself is worth asking again.
        let asked = scene.server.requests().len();
        assert!(asked == 1 || (scene.exit_code() == 4 && asked > 1));
    })
    .await;
}

#[tokio::test]
async fn a_request_to_the_redirect_listener_ends_a_login_only_if_it_is_the_response() {
    play(lines("callback"), |scene| {
        let not_it = matches!(scene.case.label(), "ignore_request" | "state_mismatch");
        let done = scene.sign_in_with_browser(|event| {
            browse(&scene.callback(event, &scene.case.body));
            if not_it {
                browse(&scene.callback(event, REAL));
            }
        });
        scene.assert_login(&done, ACCESS_AFTERWARDS);
        assert_eq!(done.out.contains(r#""event":"ignored""#), not_it);
        let exchanges = usize::from(scene.exit_code() == 0);
        assert_eq!(scene.server.requests().len(), exchanges);
    })
    .await;
}

#[tokio::test]
async fn the_response_to_an_exchange_decides_the_exit_code() {
    play(lines("exchange"), |scene| {
        let done = scene.sign_in_with_browser(|event| browse(&scene.callback(event, REAL)));
        scene.assert_login(&done, ACCESS_OF_LINE);
        assert_eq!(scene.server.requests().len(), 1, "a code is redeemed once");
    })
    .await;
}

#[tokio::test]
async fn a_login_does_not_depend_on_the_identity() {
    play(lines("userinfo"), |scene| {
        let done = scene.sign_in_with_browser(|event| browse(&scene.callback(event, REAL)));
        scene.assert_login(&done, ACCESS_AFTERWARDS);
        assert_eq!(done.events().pop().unwrap()["identity"], Value::Null);
        assert_eq!(scene.server.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_revocation_that_is_confirmed_forgets_the_session() {
    play(lines("revoke"), |scene| {
        let old = json!({"access": OLD_ACCESS, "refresh": OLD_REFRESH, "expires": 1000});
        std::fs::write(scene.file(), old.to_string()).unwrap();
        let done = scene.run(&["logout", &scene.case.provider]);
        scene.assert_code(&done);
        assert!(done.err.contains("confirmed"), "{done:?}");
        assert!(!scene.file().exists());
        let asked = scene.server.requests();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].parameter("token").as_deref(), Some(OLD_REFRESH));
    })
    .await;
}

/// What becomes of them all the same: the device response lacks the `state` that OpenClaw sends,
/// and OpenClaw's scope is another, so it does not miss the one of MiniMax Code.
#[tokio::test]
async fn a_line_of_another_dialect_is_read_as_a_response_to_ours() {
    let mut cases: Vec<_> = table().collect();
    cases.retain(|case| why_not(case) == Some(ANOTHER_DIALECT));
    play(cases, |scene| {
        let done = scene.run(&["login", "minimax"]);
        if scene.case.step == "device_code" {
            done.assert_failed(1, "state");
        } else {
            assert_eq!(done.code, Some(0), "{done:?}");
        }
        scene.assert_no_secret(&done);
    })
    .await;
}

/// The response that the user gives in the browser.
const REAL: &str = "/oauth2callback?code=made-up-code&state={STATE}";
