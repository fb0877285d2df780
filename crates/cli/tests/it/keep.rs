//! `keep`: a file that follows the session.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command};

use serde_json::Value;

use crate::support::user::User;

/// The process, which ends with the test.
struct Keeper {
    process: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Keeper {
    fn start(user: &User, args: &[&str]) -> Self {
        let mut process = user.start(&[&["keep", "-v"], args].concat());
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits until it prints that the file is written.
    fn wait_for(&mut self, what: &str) {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(what)), "it has ended");
    }

    fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn a_kept_file_follows_every_refresh_and_is_for_its_user_alone() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("token");
    let place = file.to_str().unwrap();
    let mut keeper = Keeper::start(&user, &["qwen", "--file", place]);
    let access = || user.stored("qwen")["access"].as_str().unwrap().to_owned();
    keeper.wait_for("holds the token of");
    assert_eq!(read(&file), access());
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another process refreshes.
    let first = access();
    user.run(&["token", "qwen", "--force-refresh"]);
    assert_ne!(access(), first);
    keeper.wait_for("holds another token of");
    assert_eq!(read(&file), access());
    let second = access();
    // It expires, and `keep` refreshes it.
    user.expire("qwen");
    keeper.wait_for("holds another token of");
    assert_ne!(access(), second);
    assert_eq!(user.kit.qwen().counters().refreshes, 2);
    keeper.terminate();
    let ended = keeper.process.wait().unwrap();
    assert_eq!(ended.code(), Some(143));
    assert_eq!(read(&file), access());
}

#[test]
fn a_kept_file_goes_with_its_session() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("token");
    let place = file.to_str().unwrap();
    let mut keeper = Keeper::start(&user, &["qwen", "--file", place]);
    keeper.wait_for("holds the token of");
    assert_eq!(user.run(&["logout", "qwen"]).code, Some(0));
    let ended = keeper.process.wait().unwrap();
    assert_eq!(ended.code(), Some(3));
    assert!(!file.exists());
}

#[test]
fn a_profile_of_anthropics_sdks_is_made_once_and_never_replaced() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let keep = ["keep", "minimax", "--as", "anthropic-profile", "--once"];
    let done = user.run(&keep);
    assert_eq!(done.code, Some(0), "{done:?}");
    let directory = user.directory.path().join(".config/anthropic");
    let json =
        |file: &str| -> Value { serde_json::from_str(&read(&directory.join(file))).unwrap() };
    assert_eq!(
        json("configs/minimax.json")["authentication"],
        serde_json::json!({"type": "user_oauth"})
    );
    let credentials = json("credentials/minimax.json");
    assert_eq!(
        credentials["access_token"],
        user.stored("minimax")["access"]
    );
    assert!(credentials["expires_at"].is_i64());

    let config = directory.join("configs/minimax.json");
    let of_user = r#"{"authentication":{"type":"oidc_federation"}}"#;
    fs::write(&config, of_user).unwrap();
    user.run(&keep).assert_failed(1, "another way");
    assert_eq!(read(&config), of_user);
}

#[test]
fn a_file_that_cannot_be_written_and_flags_that_make_no_sense_are_clear_errors() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let directory = user.directory.path().to_str().unwrap();
    let mistyped = format!("{directory}/mistyped/token");
    for (args, code, why) in [
        (&["--file", directory, "--once"][..], 1, "cannot write"),
        (&["--file", &mistyped, "--once"], 1, "cannot write"),
        (&["--once"], 2, "--file"),
        (&["--file", "x", "--force-refresh"], 2, "--verify"),
        (&["--file", "x", "--env", "X"], 2, "--as env"),
    ] {
        let done = user.run(&[&["keep", "qwen"], args].concat());
        done.assert_failed(code, why);
    }
    let outside = [
        "keep",
        "minimax",
        "--as",
        "anthropic-profile",
        "--name",
        "../x",
    ];
    user.run(&outside).assert_failed(2, "named by");
    let profile = user.run(&["keep", "qwen", "--as", "anthropic-profile", "--once"]);
    profile.assert_failed(2, "wants an API like that of Anthropic");
    let signed_out = user.run(&["keep", "minimax", "--file", "x"]);
    signed_out.assert_failed(3, "minimax");
}
