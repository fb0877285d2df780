//! What is written, and what is left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::{PROGRAM, at_mcp_server, backup, names, setup, signed_in, text, with_file};

const SETTINGS: &str = ".claude/settings.json";

#[test]
fn comments_order_and_every_other_setting_of_json_stay() {
    let user = at_mcp_server();
    let before = r#"// Mine.
{
    "zeta": [1, 2,], // odd
    /* servers */
    "servers": {
        "other": { "command": "x" }, // keep
    },
    "alpha": 1.50
}
"#;
    let file = with_file(&user, ".config/Code/User/mcp.json", before);
    setup(&user, &["vscode", "work", "--write"]);
    let after = text(&file);
    let mut rest = after.as_str();
    for line in before.lines() {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("{line} is not in {after}"));
        rest = &rest[at + line.len()..];
    }
    assert!(
        after.contains(PROGRAM) && after.contains("\n        \"work\": {\n"),
        "{after}"
    );
}

#[test]
fn comments_and_order_of_toml_stay_and_nothing_before_the_new_tables_moves() {
    let user = at_mcp_server();
    let before = "# Mine.\nmodel = \"x\" # odd\n\n[mcp_servers.other]\ncommand='y'\n\n# The end.";
    let file = with_file(&user, ".codex/config.toml", before);
    setup(&user, &["codex", "work", "--write"]);
    assert!(text(&file).starts_with(before), "{}", text(&file));
    assert!(
        text(&file).contains("\n\n[mcp_servers.work]\n"),
        "{}",
        text(&file)
    );
}

#[test]
fn settings_in_an_inline_table_get_the_new_ones_too() {
    let user = at_mcp_server();
    let before = "mcp_servers = { other = { command = \"y\" } } # odd\nmodel = \"x\"\n";
    let file = with_file(&user, ".codex/config.toml", before);
    setup(&user, &["codex", "work", "--write"]);
    let after = text(&file);
    let table: toml_edit::DocumentMut = after.parse().unwrap();
    assert_eq!(
        table["mcp_servers"]["work"]["command"].as_str(),
        Some(PROGRAM)
    );
    assert!(
        after.starts_with("mcp_servers = { other = { command = \"y\" }"),
        "{after}"
    );
    assert!(after.ends_with(" # odd\nmodel = \"x\"\n"), "{after}");
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let user = signed_in();
    let file = with_file(&user, SETTINGS, "{\"model\": \"opus\"}");
    setup(&user, &["claude-code", "minimax", "--write"]);
    let (first, record) = (
        text(&file),
        text(&user.directory.path().join("home/setup.json")),
    );
    let changed = fs::metadata(&file).unwrap().modified().unwrap();
    let done = setup(&user, &["claude-code", "minimax", "--write"]);
    assert!(done.err.contains("nothing was changed"), "{done:?}");
    assert_eq!(text(&file), first);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), changed);
    assert_eq!(text(&user.directory.path().join("home/setup.json")), record);
    assert_eq!(text(&backup(&file)), "{\"model\": \"opus\"}");
}

#[test]
fn a_setting_of_the_user_is_a_conflict_that_names_the_member_and_never_its_value() {
    let user = signed_in();
    for (before, member) in [
        (r#"{"apiKeyHelper": "echo made-up-secret"}"#, "apiKeyHelper"),
        (
            r#"{"env": {"ANTHROPIC_BASE_URL": "https://made-up-secret.example"}}"#,
            "env.ANTHROPIC_BASE_URL",
        ),
        (r#"{"env": "made-up-secret"}"#, "env"),
    ] {
        let file = with_file(&user, SETTINGS, before);
        let done = user.run(&["setup", "claude-code", "minimax", "--write"]);
        done.assert_failed(1, &format!("another value for {member};"));
        done.assert_no_secret(&["made-up-secret"]);
        assert_eq!(text(&file), before);
        assert_eq!(names(&file), ["settings.json"]);

        setup(&user, &["claude-code", "minimax", "--write", "--replace"]);
        assert!(!text(&file).contains("made-up-secret"));
        assert_eq!(text(&backup(&file)), before);
        setup(&user, &["claude-code", "--undo"]);
        assert_eq!(text(&file), before);
    }
}

#[test]
fn a_setting_that_the_user_changed_since_is_a_conflict_again() {
    let user = signed_in();
    let file = with_file(&user, SETTINGS, "{}");
    setup(&user, &["claude-code", "minimax", "--write"]);
    let mine = text(&file).replace(PROGRAM, "my-wrapper");
    fs::write(&file, &mine).unwrap();
    let done = user.run(&["setup", "claude-code", "minimax", "--write"]);
    done.assert_failed(1, "another value for apiKeyHelper;");
    assert_eq!(text(&file), mine);
}

#[test]
fn a_file_that_cannot_be_read_stays_and_its_place_is_named_without_its_content() {
    let user = at_mcp_server();
    let json = ".cursor/mcp.json";
    let toml = ".codex/config.toml";
    for (tool, path, before, why) in [
        (
            "cursor",
            json,
            "{\n  \"made-up-secret\" 1\n}",
            "line 2, column 20",
        ),
        (
            "cursor",
            json,
            "{\n  'a': 'made-up-secret'}",
            "line 2, column 3",
        ),
        (
            "cursor",
            json,
            "[\"made-up-secret\"]",
            "does not hold an object",
        ),
        (
            "cursor",
            json,
            "{\"made-up\": 1, \"made-up\": 2}",
            "made-up occurs twice",
        ),
        (
            "cursor",
            json,
            "{\n  \"made-up\": {\"a\": \"made-up-secret\"\n}",
            "the object that begins at line 1, column 1 is not closed",
        ),
        (
            "cursor",
            json,
            "{\n  \"made-up\": [\"made-up-secret\"",
            "the array that begins at line 2, column 14 is not closed",
        ),
        (
            "cursor",
            json,
            "{\n  \"made-up\": \"made-up-secret\n}",
            "the string that begins at line 2, column 14 is not closed",
        ),
        (
            "codex",
            toml,
            "a = 1\nb = made-up-secret\n",
            "line 2, column 5",
        ),
        (
            "codex",
            toml,
            "a = 1\na = 'made-up-secret'\n",
            "the name at line 2, column 1 occurs twice",
        ),
    ] {
        let file = with_file(&user, path, before);
        let done = user.run(&["setup", tool, "work", "--write"]);
        done.assert_failed(1, why);
        done.assert_no_secret(&["made-up-secret"]);
        assert_eq!(text(&file), before);
        assert_eq!(names(&file).len(), 1);
    }
    let latin = b"{\"a\": \"\xe9\"}";
    let file = with_file(&user, json, latin);
    let done = user.run(&["setup", "cursor", "work", "--write"]);
    done.assert_failed(1, "it is not UTF-8");
    assert_eq!(fs::read(&file).unwrap(), latin);
}

#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_written() {
    let user = at_mcp_server();
    let real = with_file(&user, "dotfiles/cursor.json", "{}\n");
    let link = user.directory.path().join(".cursor/mcp.json");
    fs::create_dir(link.parent().unwrap()).unwrap();
    symlink("../dotfiles/cursor.json", &link).unwrap();
    setup(&user, &["cursor", "work", "--write"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(text(&real).contains(PROGRAM));
    assert_eq!(names(&real), ["cursor.json"]);
    assert_eq!(text(&backup(&link)), "{}\n");
}

#[test]
fn the_permissions_of_the_file_stay_and_the_copy_is_for_its_user_alone() {
    let user = at_mcp_server();
    let file = with_file(&user, ".cursor/mcp.json", "{}");
    let mode = |file: &std::path::Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    for wanted in [0o644, 0o640, 0o400] {
        fs::set_permissions(&file, fs::Permissions::from_mode(wanted)).unwrap();
        setup(&user, &["cursor", "work", "--write"]);
        assert_eq!((mode(&file), mode(&backup(&file))), (wanted, 0o600));
        setup(&user, &["cursor", "--undo"]);
        assert_eq!(mode(&file), wanted);
    }
}

#[test]
fn what_a_killed_process_left_beside_a_file_is_removed_and_no_other_file() {
    let user = at_mcp_server();
    let file = with_file(&user, ".cursor/mcp.json", "{}");
    // As `Temporary` names them; a process that lives would hold a lock.
    let left = [
        ".cursor/.mcp.json.made-up.llm-auth.tmp",
        ".cursor/.mcp.json.before-llm-auth.made-up.llm-auth.tmp",
    ];
    for path in left {
        with_file(&user, path, "made-up");
    }
    let other = with_file(&user, ".cursor/.mcp.json.made-up.tmp", "of the user");
    setup(&user, &["cursor", "work", "--write"]);
    for path in left {
        assert!(!user.directory.path().join(path).exists(), "{path}");
    }
    assert!(other.exists());
    assert_eq!(text(&backup(&file)), "{}");
}
