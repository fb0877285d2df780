//! `keep`: a file that follows the session.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::user::User;

/// The process, which ends with the test.
struct Keeper(Child);

impl Keeper {
    fn start(user: &User, args: &[&str]) -> Self {
        Self(user.start(&[&["keep"], args].concat()))
    }

    fn terminate(&self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Waits until the file holds it.
fn until(what: &str, is_there: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_there() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
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
    until("the first token", || read(&file) == access());
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another process refreshes.
    let first = access();
    user.run(&["token", "qwen", "--force-refresh"]);
    assert_ne!(access(), first);
    until("the second token", || read(&file) == access());
    let second = access();
    // It expires, and `keep` refreshes it.
    user.expire("qwen");
    until("the third token", || {
        access() != second && read(&file) == access()
    });
    keeper.terminate();
    let ended = keeper.0.wait().unwrap();
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
    until("the token", || file.exists());
    assert_eq!(user.run(&["logout", "qwen"]).code, Some(0));
    let ended = keeper.0.wait().unwrap();
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
        (
            &["--as", "anthropic-profile", "--name", "../x"],
            2,
            "named by",
        ),
    ] {
        let done = user.run(&[&["keep", "qwen"], args].concat());
        done.assert_failed(code, why);
    }
    let signed_out = user.run(&["keep", "minimax", "--file", "x"]);
    signed_out.assert_failed(3, "minimax");
}
