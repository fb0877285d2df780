//! `keep`: a file that follows the session.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command};

use serde_json::Value;

use crate::support::done::Done;
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
        self.line_with(what);
    }

    /// The next line with these words.
    fn line_with(&mut self, what: &str) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        let line = lines.find(|line| line.contains(what));
        line.unwrap_or_else(|| panic!("it has ended"))
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
    // The token is left there, and that is printed.
    let expires = user.stored("qwen")["expires"].as_i64().unwrap();
    let expires = jiff::Timestamp::from_second(expires.div_euclid(1000)).unwrap();
    let rest = format!("stopped; {place} stays, with a token that is valid until {expires}");
    keeper.wait_for(&rest);
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
    // Of a file that is gone nothing is remembered.
    let mut left = fs::read_dir(user.directory.path().join("home/written")).unwrap();
    assert!(left.next().is_none());
}

#[test]
fn what_llm_auth_has_not_written_is_never_replaced() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["minimax"]);
    user.expire("qwen");
    user.expire("minimax");
    let directory = user.directory.path();
    let mine = directory.join("mine");
    let large = directory.join("large");
    let credentials = directory.join(".config/anthropic/credentials/minimax.json");
    fs::create_dir_all(credentials.parent().unwrap()).unwrap();
    for (file, content) in [
        (&mine, "of the user"),
        (&large, &"x".repeat(2 * 1024 * 1024)),
        (&credentials, r#"{"access_token":"made-up-other"}"#),
    ] {
        fs::write(file, content).unwrap();
        let keep = match file == &credentials {
            true => ["minimax", "--as", "anthropic-profile"],
            false => ["qwen", "--file", file.to_str().unwrap()],
        };
        let done = user.run(&[&["keep", "--once"], &keep[..]].concat());
        done.assert_failed(1, "exists, and llm-auth has not written it");
        assert!(done.err.contains("move it away, or "), "{done:?}");
        assert_eq!(read(file), content);
    }
    assert!(!directory.join(".config/anthropic/configs").exists());
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
    assert_eq!(user.kit.minimax().counters().refreshes, 0);
}

#[test]
fn a_kept_file_is_replaced_after_any_end_unless_another_program_has_changed_it() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("token");
    let place = file.to_str().unwrap();
    let mut killed = Keeper::start(&user, &["qwen", "--file", place]);
    killed.wait_for("holds the token of");
    drop(killed);
    let keep = ["keep", "qwen", "--once", "--file", place];
    for _ in 0..2 {
        user.run(&["token", "qwen", "--force-refresh"]);
        let done = user.run(&keep);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(read(&file), user.stored("qwen")["access"]);
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, "of the user").unwrap();
    let changed = format!("another program changed {place} after llm-auth had written it");
    user.run(&keep).assert_failed(1, &changed);
    assert_eq!(read(&file), "of the user");
}

#[test]
fn an_empty_file_is_of_no_other_program_until_it_is_kept() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("made-by-mktemp");
    let place = file.to_str().unwrap();
    fs::write(&file, "").unwrap();
    let mut keeper = Keeper::start(&user, &["qwen", "--file", place]);
    keeper.wait_for("holds the token of");
    assert_eq!(read(&file), user.stored("qwen")["access"]);
    // The one that is kept is emptied by a program that is about to write it.
    user.run(&["token", "qwen", "--force-refresh"]);
    let fresh = user.stored("qwen")["access"].clone();
    while read(&file) != fresh {
        std::thread::yield_now();
    }
    fs::write(&file, "").unwrap();
    keeper.wait_for("another program changed");
    assert_eq!(read(&file), "");
    // A link to one is no file of the user's.
    let link = user.directory.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let done = user.run(&["keep", "qwen", "--once", "--file", link.to_str().unwrap()]);
    assert_eq!(done.code, Some(1), "{done:?}");
}

#[test]
fn a_file_that_another_program_takes_is_left_to_it() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("token");
    let place = file.to_str().unwrap();
    let mut keeper = Keeper::start(&user, &["qwen", "--file", place]);
    keeper.wait_for("holds the token of");
    fs::write(&file, "of the user").unwrap();
    let about = keeper.line_with(place);
    let changed = format!("another program changed {place}; trying again");
    assert!(about.contains(&changed), "{about}");
    let advice = keeper.line_with("");
    assert!(advice.contains("move it away"), "{advice}");
    keeper.terminate();
    keeper.wait_for("no longer holds what was written");
    assert_eq!(read(&file), "of the user");
}

#[test]
fn two_processes_do_not_keep_one_file_by_whatever_name() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["minimax"]);
    let directory = user.directory.path();
    let link = directory.join("link");
    std::os::unix::fs::symlink(directory, &link).unwrap();
    let file = directory.join("token");
    let mut keeper = Keeper::start(&user, &["qwen", "--file", file.to_str().unwrap()]);
    keeper.wait_for("holds the token of");
    for other in [&file, &directory.join("home/../token"), &link.join("token")] {
        let place = other.to_str().unwrap();
        let done = user.run(&["keep", "minimax", "--once", "--file", place]);
        done.assert_failed(1, "another llm-auth process keeps");
    }
    let mut command = user.command(&["keep", "minimax", "--once", "--file", "token"]);
    let done = Done::of(command.current_dir(directory));
    done.assert_failed(1, "another llm-auth process keeps token");
    assert_eq!(read(&file), user.stored("qwen")["access"]);
    drop(keeper);
    let keep = ["keep", "minimax", "--once", "--file"];
    let done = user.run(&[&keep[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn no_file_among_the_sessions_is_kept_and_none_named_like_standard_output() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let directory = user.directory.path();
    let link = directory.join("link");
    std::os::unix::fs::symlink(directory.join("home/sessions"), &link).unwrap();
    let session = user.file("qwen", "default");
    let before = read(&session);
    for place in [
        session,
        link.join("qwen/default.json"),
        directory.join("home/new"),
        directory.join("home/new/new"),
    ] {
        let done = user.run(&["keep", "qwen", "--once", "--file", place.to_str().unwrap()]);
        done.assert_failed(2, "must not be below");
    }
    assert_eq!(read(&user.file("qwen", "default")), before);
    assert!(!directory.join("home/new").exists());
    let mut command = user.command(&["keep", "qwen", "--once", "--file", "-"]);
    let done = Done::of(command.current_dir(directory));
    done.assert_failed(2, "`llm-auth token` prints the token");
    assert!(!directory.join("-").exists());
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
    profile.assert_failed(
        2,
        "needs an Anthropic-style API, and Qwen's is OpenAI-style",
    );
    let signed_out = user.run(&["keep", "minimax", "--file", "x"]);
    signed_out.assert_failed(3, "minimax");
}
