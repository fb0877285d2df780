//! One line of the table, with a server that plays it.

use std::path::PathBuf;
use std::process::Command;

use llm_auth_testkit::{ScriptedResponse, ScriptedServer, WireCase};
use serde_json::Value;
use tempfile::TempDir;

use super::SECRET;
use crate::support::browser::with_browser;
use crate::support::command::command;
use crate::support::done::Done;
use crate::support::session_file::read;

/// The response of a provider to a request that succeeds.
const GRANTED: &str = r#"{"access_token":"made-up-access-afterwards","refresh_token":"made-up-refresh-afterwards","expires_in":3600}"#;
const DEVICE_QWEN: &str = r#"{"device_code":"made-up-device","user_code":"CODE","verification_uri":"https://example.com/device","expires_in":60,"interval":0.1}"#;
const DEVICE_MINIMAX: &str = r#"{"user_code":"CODE","verification_uri":"https://example.com/device","expired_in":{NOW_MS+60000},"state":"{STATE}","interval":100}"#;

/// One line of the table, a server that sends it at the right moment, and a place to store.
pub(super) struct Scene {
    pub(super) case: WireCase,
    pub(super) server: ScriptedServer,
    directory: TempDir,
}

impl Scene {
    pub(super) async fn set(case: WireCase) -> Self {
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
    pub(super) fn exit_code(&self) -> i32 {
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

    pub(super) fn file(&self) -> PathBuf {
        self.directory.path().join("session.json")
    }

    pub(super) fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().unwrap().into()
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.directory.path(), args);
        command.arg("--store").arg(self.file());
        // The sessions of the lines record no server.
        command.args(["--trust-endpoint", self.server.base_url()]);
        if args[0] == "login" {
            // A login that never ends is a failure and no reason to wait.
            command.args(["--timeout", "60"]);
        }
        let provider = self.case.provider.to_ascii_uppercase();
        command.env(
            format!("LLM_AUTH_{provider}_BASE_URL"),
            self.server.base_url(),
        );
        if self.case.provider == "gemini" {
            command.env("LLM_AUTH_GEMINI_CLIENT_ID", "client");
            command.env("LLM_AUTH_GEMINI_CLIENT_SECRET", "made-up-client-secret");
        }
        // The command asks for the user's identity only if a line is about that.
        let scope = match self.case.step.as_str() {
            "userinfo" => "email",
            _ => "other",
        };
        command.env("LLM_AUTH_GEMINI_SCOPE", scope);
        command
    }

    pub(super) fn sign_in_with_browser(&self, visit: impl FnOnce(&Value)) -> Done {
        let child = self.command(&["login", "gemini", "--json"]).spawn();
        with_browser(child.unwrap(), visit)
    }

    /// Where the browser is sent with a response to this sign-in.
    pub(super) fn callback(&self, event: &Value, target: &str) -> String {
        let (url, redirect_uri) = (&event["url"], &event["redirect_uri"]);
        let (_, rest) = url.as_str().unwrap().split_once("&state=").unwrap();
        let state = rest.split('&').next().unwrap();
        let origin = redirect_uri.as_str().unwrap();
        let origin = origin.strip_suffix("/oauth2callback").unwrap();
        format!("{origin}{}", target.replace("{STATE}", state))
    }

    /// The exit code, the reason on standard error if it failed, and no secret there.
    pub(super) fn assert_code(&self, done: &Done) {
        match self.exit_code() {
            0 => assert_eq!(done.code, Some(0), "{done:?}"),
            code => done.assert_failed(code, &self.case.provider),
        }
        self.assert_no_secret(done);
    }

    /// The same for a login, which stores its session or leaves nothing behind.
    pub(super) fn assert_login(&self, done: &Done, access: &str) {
        self.assert_code(done);
        assert!(!done.out.contains(SECRET), "{done:?}");
        if self.exit_code() == 0 {
            assert_eq!(read(&self.file())["access"], access);
        } else {
            assert!(!self.file().exists());
        }
    }

    pub(super) fn assert_no_secret(&self, done: &Done) {
        assert!(!done.err.contains(SECRET), "{done:?}");
    }
}

/// Plays all lines at once, since some of them make the command wait.
pub(super) async fn play(cases: Vec<WireCase>, act: fn(&Scene)) {
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
