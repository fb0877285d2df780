//! `setup`: settings of other programs, written and taken back.

mod dialects;
mod elsewhere;
mod recipes;
mod rivals;
mod together;
mod undo;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use llm_auth_testkit::{Approval, StandardProvider, Testkit};
use serde_json::Value;

use crate::support::done::Done;
use crate::support::user::User;

/// The program as settings name it, since no `PATH` finds it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_llm-auth");

/// A user with sessions at qwen and minimax.
fn signed_in() -> User {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["minimax"]);
    user
}

/// A user with a session at the MCP server `work`.
fn at_mcp_server() -> User {
    let provider = StandardProvider::default().registers_clients();
    let kit = Testkit::builder().approval(Approval::Auto);
    let user = User {
        kit: kit.standard(provider).start_blocking().unwrap(),
        directory: tempfile::tempdir().unwrap(),
    };
    user.trust(&[user.kit.base_url()]);
    let url = format!("{}/standard/mcp", user.kit.base_url());
    let done = user.sign_in_with_browser(&["login", "mcp", &url, "--name", "work", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    user
}

fn setup(user: &User, args: &[&str]) -> Done {
    let done = user.run(&[&["setup"], args].concat());
    assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
    done
}

/// A file below the home directory, with this content.
fn with_file(user: &User, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let file = user.directory.path().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    file
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

/// The copy of the file as it was.
fn backup(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".before-llm-auth");
    name.into()
}

/// What is beside a file, and the file itself.
fn names(file: &Path) -> Vec<String> {
    let entries = fs::read_dir(file.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_record_that_names_other_files_removes_and_changes_nothing() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    assert_eq!(
        user.run(&["setup", "codex", "qwen", "--write"]).code,
        Some(0)
    );
    let home = user.directory.path();
    let record = home.join("home/setup.json");
    let written = fs::read_to_string(&record).unwrap();
    let victim = home.join("victim");
    fs::write(&victim, "made-up").unwrap();
    let of_codex = home.join(".codex/config.toml");
    let settings = fs::read(&of_codex).unwrap();
    for (member, place) in [("file", &victim), ("backup", &victim)] {
        let mut entries: Value = serde_json::from_str(&written).unwrap();
        let entry = &mut entries["files"][0];
        match member {
            "file" => entry["file"] = place.to_str().unwrap().into(),
            _ => {
                let digest = "0".repeat(64);
                entry["original"] =
                    serde_json::json!({"backup": place, "sha256": digest, "mode": 0o6777});
            }
        }
        fs::write(&record, entries.to_string()).unwrap();
        let done = user.run(&["setup", "codex", "--undo"]);
        match member {
            "file" => {
                assert!(done.err.contains("is no file of codex"), "{done:?}");
                let json = setup(&user, &["codex", "--undo", "--json"]).json();
                let skipped = serde_json::json!([{"file": place, "command": null}]);
                assert_eq!(json["skipped"], skipped);
                assert_eq!(json["files"], serde_json::json!([]));
            }
            _ => done.assert_failed(1, "nothing was changed"),
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "made-up", "{member}");
        assert_eq!(fs::read(&of_codex).unwrap(), settings, "{member}");
    }
}

#[test]
fn a_record_of_a_later_version_or_a_damaged_one_changes_nothing() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let record = user.directory.path().join("home/setup.json");
    for (content, why) in [
        (
            r#"{"v": 2, "files": "in a new form"}"#,
            "a later version of llm-auth",
        ),
        (r#"{"v": 1, "files": ["#, "cannot be read: line 1"),
    ] {
        fs::write(&record, content).unwrap();
        for flag in ["--write", "--undo"] {
            user.run(&["setup", "codex", "qwen", flag])
                .assert_failed(1, why);
        }
        assert_eq!(fs::read_to_string(&record).unwrap(), content);
    }
    assert!(!user.directory.path().join(".codex/config.toml").exists());
}

#[test]
fn what_is_not_known_in_a_record_stays_in_it() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let write = ["setup", "codex", "qwen", "--write"];
    assert_eq!(user.run(&write).code, Some(0));
    let record = user.directory.path().join("home/setup.json");
    let mut written: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
    written["later"] = 1.into();
    written["files"][0]["later"] = 2.into();
    written["files"][0]["leaves"][0]["later"] = 3.into();
    fs::write(&record, written.to_string()).unwrap();
    let file = user.directory.path().join(".codex/config.toml");
    let less = text(&file).replace("timeout_ms = 30000", "");
    fs::write(&file, less).unwrap();
    assert_eq!(user.run(&write).code, Some(0));
    let kept = fs::read_to_string(&record).unwrap();
    for number in 1..=3 {
        assert!(kept.contains(&format!("\"later\": {number}")), "{kept}");
    }
}
