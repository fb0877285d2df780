//! Every line of the table of vendors' answers, through the command: the exit code that it
//! gets, and that no session is lost and no secret told over it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use llm_auth_testkit::{ScriptedResponse, ScriptedServer, WireCase, wire_cases};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{browse, with_browser};
use crate::support::command::command;
use crate::support::done::Done;
use crate::support::session_file::read;

/// What every secret begins with, and nothing that may be said.
const SECRET: &str = "made-up-";
const CODE: &str = "made-up-code";
const OLD_ACCESS: &str = "made-up-old-access";
const OLD_REFRESH: &str = "made-up-old-refresh";
const ACCESS_OF_LINE: &str = "made-up-access-of-the-line";
const REFRESH_OF_LINE: &str = "made-up-refresh-of-the-line";
const ACCESS_AFTERWARDS: &str = "made-up-access-afterwards";

/// What a vendor answers when all is well.
const GRANTED: &str = r#"{"access_token":"made-up-access-afterwards","refresh_token":"made-up-refresh-afterwards","expires_in":3600}"#;
const DEVICE_QWEN: &str = r#"{"device_code":"made-up-device","user_code":"CODE","verification_uri":"https://example.com/device","expires_in":60,"interval":0.1}"#;
const DEVICE_MINIMAX: &str = r#"{"user_code":"CODE","verification_uri":"https://example.com/device","expired_in":{NOW_MS+60000},"state":"{STATE}","interval":100}"#;

const NO_API_CALLS: &str = "the command calls no API";
const IN_THE_BROWSER: &str = "Google shows it in the browser, and nothing arrives here";
const LIBRARY_ONLY: &str = "the command never asks whether an access token is good";
const NO_DEVICE_FLOW: &str = "Gemini is not signed in to by device, whose scopes Google restricts";
const ANOTHER_DIALECT: &str = "MiniMax Code's, while the command speaks as OpenClaw does";

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
async fn the_answer_to_a_request_for_a_device_code_decides_the_exit_code() {
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
async fn the_answer_to_a_poll_ends_a_login_with_its_exit_code_or_lets_it_go_on() {
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
async fn the_answer_to_a_renewal_decides_the_exit_code_and_never_costs_the_session() {
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
async fn what_reaches_the_redirect_listener_ends_a_login_only_if_it_is_the_answer() {
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
async fn the_answer_to_an_exchange_decides_the_exit_code() {
    play(lines("exchange"), |scene| {
        let done = scene.sign_in_with_browser(|event| browse(&scene.callback(event, REAL)));
        scene.assert_login(&done, ACCESS_OF_LINE);
        assert_eq!(scene.server.requests().len(), 1, "a code is redeemed once");
    })
    .await;
}

#[tokio::test]
async fn a_login_does_not_depend_on_who_it_is() {
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

/// What becomes of them all the same: the device answer lacks the `state` that OpenClaw sends,
/// and OpenClaw's scope is another, so it does not miss the one of MiniMax Code.
#[tokio::test]
async fn a_line_of_another_dialect_is_read_as_an_answer_to_ours() {
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

/// The answer that the person gives in the browser.
const REAL: &str = "/oauth2callback?code=made-up-code&state={STATE}";

/// One line of the table, a server that says it at the right moment, and a place to store.
struct Scene {
    case: WireCase,
    server: ScriptedServer,
    directory: TempDir,
}

impl Scene {
    async fn set(case: WireCase) -> Self {
        let (line, granted) = (
            ScriptedResponse::from(&case),
            ScriptedResponse::json(200, GRANTED),
        );
        let device = match case.provider.as_str() {
            "minimax" => DEVICE_MINIMAX,
            _ => DEVICE_QWEN,
        };
        let script = match case.step.as_str() {
            "callback" => vec![granted],
            "device_code" => vec![line, granted],
            "poll" => vec![ScriptedResponse::json(200, device), line, granted],
            "userinfo" => vec![granted, line],
            _ => vec![line],
        };
        Self {
            case,
            server: ScriptedServer::start(script).await.unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The exit code that the issue asks for.
    fn exit_code(&self) -> i32 {
        match (self.case.label(), self.case.step.as_str()) {
            ("device_code" | "ignore_request" | "ok" | "pending" | "slow_down" | "token", _)
            | ("rate_limited" | "transient", "poll")
            | ("state_mismatch", "callback") => 0,
            ("config_error" | "policy_denied" | "protocol_error" | "redirect", _)
            | ("state_mismatch", _) => 1,
            ("reauth_required", _) => 3,
            ("rate_limited" | "transient", _) => 4,
            ("denied" | "expired", _) => 5,
            (other, step) => panic!("no exit code for {other} at {step}"),
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("session.json")
    }

    fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().unwrap().into()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.directory.path(), args);
        command.arg("--store").arg(self.file());
        // The sessions of the lines record no server.
        command.args(["--trust-endpoint", self.server.base_url()]);
        if args[0] == "login" {
            // A login that never ends is a failure and no reason to wait.
            command.args(["--timeout", "60"]);
        }
        let vendor = self.case.provider.to_ascii_uppercase();
        command.env(
            format!("LLM_AUTH_{vendor}_BASE_URL"),
            self.server.base_url(),
        );
        if self.case.provider == "gemini" {
            command.env("LLM_AUTH_GEMINI_CLIENT_ID", "client");
            command.env("LLM_AUTH_GEMINI_CLIENT_SECRET", "made-up-client-secret");
        }
        // Who it is, is asked for only where a line is about that.
        let scope = match self.case.step.as_str() {
            "userinfo" => "email",
            _ => "other",
        };
        command.env("LLM_AUTH_GEMINI_SCOPE", scope);
        command
    }

    fn sign_in_with_browser(&self, visit: impl FnOnce(&Value)) -> Done {
        let child = self.command(&["login", "gemini", "--json"]).spawn();
        with_browser(child.unwrap(), visit)
    }

    /// Where the browser is sent with an answer to this sign-in.
    fn callback(&self, event: &Value, target: &str) -> String {
        let (url, redirect_uri) = (&event["url"], &event["redirect_uri"]);
        let (_, rest) = url.as_str().unwrap().split_once("&state=").unwrap();
        let state = rest.split('&').next().unwrap();
        let origin = redirect_uri.as_str().unwrap();
        let origin = origin.strip_suffix("/oauth2callback").unwrap();
        format!("{origin}{}", target.replace("{STATE}", state))
    }

    /// The exit code, the reason on standard error if it failed, and no secret there.
    fn assert_code(&self, done: &Done) {
        match self.exit_code() {
            0 => assert_eq!(done.code, Some(0), "{done:?}"),
            code => done.assert_failed(code, &self.case.provider),
        }
        self.assert_no_secret(done);
    }

    /// The same for a login, which stores its session or leaves nothing behind.
    fn assert_login(&self, done: &Done, access: &str) {
        self.assert_code(done);
        assert!(!done.out.contains(SECRET), "{done:?}");
        if self.exit_code() == 0 {
            assert_eq!(read(&self.file())["access"], access);
        } else {
            assert!(!self.file().exists());
        }
    }

    fn assert_no_secret(&self, done: &Done) {
        assert!(!done.err.contains(SECRET), "{done:?}");
    }
}

/// Plays all lines at once, since some of them make the command wait.
async fn play(cases: Vec<WireCase>, act: fn(&Scene)) {
    let mut plays = Vec::new();
    for case in cases {
        let name = format!("{case:?}");
        let scene = Scene::set(case).await;
        plays.push((name, tokio::task::spawn_blocking(move || act(&scene))));
    }
    let mut failed = Vec::new();
    for (name, play) in plays {
        if play.await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn lines(step: &str) -> Vec<WireCase> {
    table()
        .filter(|case| case.step == step && why_not(case).is_none())
        .collect()
}

fn table() -> impl Iterator<Item = WireCase> {
    ["gemini", "minimax", "qwen"]
        .into_iter()
        .flat_map(wire_cases)
        .map(unmistakable)
}

/// Why no command can get this answer.
fn why_not(case: &WireCase) -> Option<&'static str> {
    // An answer to MiniMax Code has no state, and a token of its own scope only is good for it.
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

/// The line with secrets that cannot be said by chance: the table's are words such as `access`.
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
