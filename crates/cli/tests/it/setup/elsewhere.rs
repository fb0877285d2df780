//! Records of files in other directories, and writes that fail.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::{backup, names, setup, signed_in, text, with_file};
use crate::support::done::Done;
use crate::support::user::User;

const UNDO: [&str; 3] = ["setup", "claude-code", "--undo"];

/// Writes the settings of Claude Code in another directory.
fn write_in(user: &User, directory: &Path) {
    let mut command = user.command(&["setup", "claude-code", "minimax", "--write"]);
    let done = Done::of(command.env("CLAUDE_CONFIG_DIR", directory));
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn undo_changes_the_files_of_this_directory_and_names_the_command_for_others() {
    let user = signed_in();
    let elsewhere = user.directory.path().join("else where");
    write_in(&user, &elsewhere);
    setup(&user, &["claude-code", "minimax", "--write"]);
    let (here, there) = (
        user.directory.path().join(".claude/settings.json"),
        elsewhere.join("settings.json"),
    );
    let before = text(&there);
    let done = setup(&user, &UNDO[1..]);
    let removed = format!("{} is removed", here.display());
    assert!(done.err.contains(&removed), "{done:?}");
    assert!(!here.exists());
    assert_eq!(text(&there), before);

    let wanted = format!(
        "CLAUDE_CONFIG_DIR='{}' llm-auth setup claude-code --undo",
        elsewhere.display()
    );
    assert!(done.err.contains(&format!("`{wanted}`")), "{done:?}");
    let json = setup(&user, &["claude-code", "--undo", "--json"]).json();
    assert_eq!(json["files"], json!([]));
    assert_eq!(json["skipped"], json!([{"file": there, "command": wanted}]));
    let of_one = setup(&user, &["claude-code", "minimax", "--undo"]);
    assert!(
        of_one.err.contains("claude-code minimax --undo`"),
        "{of_one:?}"
    );

    let line = wanted.replace("llm-auth", "\"$0\"");
    let undone = Done::of(&mut user.shell(&line));
    assert!(undone.err.contains("is removed"), "{undone:?}");
    assert!(!there.exists());
    let nothing = setup(&user, &UNDO[1..]);
    assert!(nothing.err.contains("nothing to undo"), "{nothing:?}");
}

#[test]
fn the_line_that_undoes_it_names_the_variable_that_moves_the_settings() {
    let user = signed_in();
    let elsewhere = user.directory.path().join("else where");
    let mut command = user.command(&["setup", "claude-code", "minimax", "--write"]);
    let done = Done::of(command.env("CLAUDE_CONFIG_DIR", &elsewhere));
    let wanted = format!(
        "CLAUDE_CONFIG_DIR='{}' llm-auth setup claude-code minimax --undo",
        elsewhere.display()
    );
    let (_run, undo) = done.err.split_once("undo: ").unwrap();
    assert_eq!(undo.lines().next(), Some(wanted.as_str()), "{done:?}");
    let undone = Done::of(&mut user.shell(&wanted.replace("llm-auth", "\"$0\"")));
    assert!(undone.err.contains("is removed"), "{undone:?}");
    assert!(!elsewhere.exists());
    // Where the tool's own variable is not set, the line needs none.
    let done = setup(&user, &["claude-code", "minimax", "--write"]);
    assert!(
        done.err.contains("undo: llm-auth setup claude-code"),
        "{done:?}"
    );
}

#[test]
fn another_account_in_settings_that_are_there_is_named() {
    let user = signed_in();
    user.sign_in(&["minimax", "--account", "work"]);
    let first = setup(&user, &["claude-code", "minimax", "--write"]);
    assert!(
        first
            .err
            .contains("is new, and lets Claude Code use minimax\n"),
        "{first:?}"
    );
    let work = ["claude-code", "minimax", "--account", "work", "--write"];
    let second = setup(&user, &work);
    assert!(
        second
            .err
            .contains("now lets Claude Code use minimax (work)\n"),
        "{second:?}"
    );
}

#[test]
fn a_home_directory_that_is_another_now_is_named_with_that_of_the_record() {
    let user = signed_in();
    user.sign_in(&["qwen"]);
    let record = user.directory.path().join("home");
    let elsewhere = user.directory.path().join("other");
    let file = elsewhere.join(".cursor/mcp.json");
    with_file(&user, "other/.cursor/mcp.json", "{}");
    let entry = json!({"v": 1, "files": [{
        "tool": "cursor", "file": file, "format": "json", "original": null, "sha256": [],
        "leaves": [{"path": ["a"], "values": [1], "vendor": "work"}],
    }]});
    fs::write(record.join("setup.json"), entry.to_string()).unwrap();
    let done = setup(&user, &["cursor", "--undo"]);
    let wanted = format!(
        "`HOME={} llm-auth setup cursor --undo --home {}`",
        elsewhere.display(),
        record.display()
    );
    assert!(done.err.contains(&wanted), "{done:?}");
    assert_eq!(text(&file), "{}");
}

#[test]
fn a_record_of_a_file_in_another_directory_that_is_gone_is_dropped() {
    let user = signed_in();
    let elsewhere = user.directory.path().join("elsewhere");
    write_in(&user, &elsewhere);
    fs::remove_dir_all(&elsewhere).unwrap();
    let done = setup(&user, &UNDO[1..]);
    assert!(done.err.contains("no longer in"), "{done:?}");
    let done = setup(&user, &UNDO[1..]);
    assert!(done.err.contains("nothing to undo"), "{done:?}");
}

#[test]
fn a_write_that_fails_leaves_the_record_as_it_was_and_no_copy() {
    let user = signed_in();
    let write = ["setup", "codex", "qwen", "--write"];
    let record = user.directory.path().join("home/setup.json");
    // A temporary file beside it would have a name that is too long.
    let real = user.directory.path().join("x".repeat(250));
    let link = with_file(&user, ".codex/config.toml", "");
    fs::remove_file(&link).unwrap();
    symlink(&real, &link).unwrap();
    for content in [None, Some("model = \"x\"\n")] {
        if let Some(content) = content {
            fs::write(&real, content).unwrap();
        }
        user.run(&write)
            .assert_failed(1, "cannot change the settings");
        assert!(!text(&record).contains("config.toml"), "{}", text(&record));
        assert_eq!(names(&link), ["config.toml"]);
        assert_eq!(content.map(str::to_owned), fs::read_to_string(&real).ok());
    }
    // What was written before is remembered.
    fs::remove_file(&link).unwrap();
    fs::write(&link, "model = \"x\"\n").unwrap();
    setup(&user, &write[1..]);
    let before = text(&record);
    let written = text(&link);
    fs::rename(&link, &real).unwrap();
    symlink(&real, &link).unwrap();
    fs::write(&real, written.replace("30000", "1")).unwrap();
    let replace = [&write[..], &["--replace"]].concat();
    user.run(&replace)
        .assert_failed(1, "cannot change the settings");
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(same(&text(&record)), same(&before));
    assert_eq!(text(&backup(&link)), "model = \"x\"\n");
}

#[test]
fn a_file_with_a_second_name_is_refused_since_that_would_keep_the_old_settings() {
    let user = signed_in();
    let file = with_file(&user, ".codex/config.toml", "a = 1\n");
    let second = user.directory.path().join("second");
    fs::hard_link(&file, &second).unwrap();
    let printed = setup(&user, &["codex", "qwen"]);
    assert!(printed.err.contains("warning: "), "{printed:?}");
    let write = ["setup", "codex", "qwen", "--write"];
    user.run(&write)
        .assert_failed(1, "a second name (a hard link)");
    assert_eq!((text(&file), names(&file).len()), ("a = 1\n".into(), 1));
    fs::remove_file(&second).unwrap();
    setup(&user, &write[1..]);
    fs::hard_link(&file, &second).unwrap();
    let undone = user.run(&["setup", "codex", "--undo"]);
    undone.assert_failed(1, "a second name (a hard link)");
    assert_eq!(text(&file), text(&second));
}
