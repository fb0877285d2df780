//! What `--undo` leaves.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::done::Done;

use super::{PROGRAM, at_mcp_server, backup, names, setup, signed_in, text, with_file};

#[test]
fn the_original_comes_back_byte_for_byte_whatever_it_is() {
    let user = at_mcp_server();
    for (tool, path, before) in [
        ("cursor", ".cursor/mcp.json", "{\r\n  \"a\": 1\r\n}\r\n"),
        ("cursor", ".cursor/mcp.json", "\u{feff}{\"a\":1}"),
        ("cursor", ".cursor/mcp.json", "{ \"mcpServers\" : { } , }"),
        ("cursor", ".cursor/mcp.json", ""),
        ("cursor", ".cursor/mcp.json", "// none yet"),
        ("codex", ".codex/config.toml", "a = 1\r\nb = \"x\"\r\n"),
        ("codex", ".codex/config.toml", "\u{feff}a = 1"),
        ("codex", ".codex/config.toml", "# none yet"),
        ("codex", ".codex/config.toml", ""),
    ] {
        let file = with_file(&user, path, before);
        setup(&user, &[tool, "work", "--write"]);
        let after = text(&file);
        assert!(after.contains(PROGRAM), "{after}");
        assert_eq!(
            after.starts_with('\u{feff}'),
            before.starts_with('\u{feff}')
        );
        if before.contains('\r') {
            assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
        }
        let done = setup(&user, &[tool, "--undo"]);
        assert!(done.err.contains("is as it was"), "{done:?}");
        assert_eq!(text(&file), before);
        assert_eq!(names(&file).len(), 1, "{:?}", names(&file));
    }
    let again = setup(&user, &["cursor", "--undo"]);
    assert!(again.err.contains("nothing to undo"), "{again:?}");
}

#[test]
fn a_file_with_a_history_of_megabytes_is_no_obstacle() {
    let user = at_mcp_server();
    let before = format!("{{\"history\": \"{}\"}}\n", "x".repeat(3_000_000));
    let file = with_file(&user, ".claude.json", &before);
    setup(&user, &["claude-code", "work", "--write"]);
    assert!(text(&file).contains(PROGRAM));
    setup(&user, &["claude-code", "--undo"]);
    assert!(text(&file) == before);
}

#[test]
fn a_file_that_did_not_exist_goes_again_and_a_link_to_it_stays() {
    let user = at_mcp_server();
    let link = user.directory.path().join(".cursor/mcp.json");
    setup(&user, &["cursor", "work", "--write"]);
    setup(&user, &["cursor", "--undo"]);
    assert!(!link.parent().unwrap().exists());

    fs::create_dir(link.parent().unwrap()).unwrap();
    let real = user.directory.path().join("dotfiles/cursor.json");
    symlink(&real, &link).unwrap();
    setup(&user, &["cursor", "work", "--write"]);
    assert!(text(&real).contains(PROGRAM));
    setup(&user, &["cursor", "--undo"]);
    assert!(!real.exists() && fs::symlink_metadata(&link).unwrap().is_symlink());

    with_file(&user, "dotfiles/cursor.json", "{}\n");
    setup(&user, &["cursor", "work", "--write"]);
    setup(&user, &["cursor", "--undo"]);
    assert_eq!(text(&real), "{}\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(&link), ["mcp.json"]);
}

#[test]
fn directories_that_were_made_go_again_unless_another_program_uses_them() {
    let user = at_mcp_server();
    let directory = user.directory.path().join(".config");
    let (zed, code) = (directory.join("zed"), directory.join("Code"));
    setup(&user, &["zed", "work", "--write"]);
    setup(&user, &["vscode", "work", "--write"]);
    fs::write(code.join("of-the-user"), "x").unwrap();
    setup(&user, &["vscode", "--undo"]);
    assert!(!code.join("User").exists() && code.join("of-the-user").exists());
    assert!(zed.exists());
    // The outermost was made for this one.
    setup(&user, &["zed", "--undo"]);
    assert!(!zed.exists() && directory.exists());
    // One that the user made stays, empty as it is.
    fs::create_dir(&zed).unwrap();
    setup(&user, &["zed", "work", "--write"]);
    setup(&user, &["zed", "--undo"]);
    assert!(zed.exists());
}

#[test]
fn a_call_that_is_refused_leaves_no_directory() {
    let user = signed_in();
    let project = user.directory.path().join("project");
    let settings = with_file(
        &user,
        "project/.claude/settings.json",
        r#"{"env": {"ANTHROPIC_API_KEY": "sk-made-up"}}"#,
    );
    let mut command = user.command(&["setup", "claude-code", "minimax", "--write"]);
    let done = Done::of(command.current_dir(&project));
    done.assert_failed(1, settings.to_str().unwrap());
    assert!(!user.directory.path().join(".claude").exists());
}

#[test]
fn of_a_file_that_was_changed_since_only_the_settings_are_taken_out() {
    let user = signed_in();
    let before = "{\n  \"env\": {\"MINE\": \"1\"}\n}\n";
    let file = with_file(&user, ".claude/settings.json", before);
    setup(&user, &["claude-code", "minimax", "--write"]);
    let mut changed: Value = serde_json::from_str(&text(&file)).unwrap();
    changed["model"] = "opus".into();
    fs::write(&file, changed.to_string()).unwrap();
    let done = setup(&user, &["claude-code", "--undo"]);
    let kept = backup(&file);
    assert!(done.err.contains(kept.to_str().unwrap()), "{done:?}");
    assert_eq!(text(&kept), before);
    let after: Value = serde_json::from_str(&text(&file)).unwrap();
    assert_eq!(after, json!({"env": {"MINE": "1"}, "model": "opus"}));
    // A later run keeps the copy that is there, and makes its own.
    setup(&user, &["claude-code", "minimax", "--write"]);
    assert_eq!(text(&kept), before);
    setup(&user, &["claude-code", "--undo"]);
    assert_eq!(serde_json::from_str::<Value>(&text(&file)).unwrap(), after);
    assert_eq!(text(&kept), before);
}

#[test]
fn objects_that_become_empty_go_and_comments_of_others_stay() {
    let user = at_mcp_server();
    let toml = with_file(&user, ".codex/config.toml", "# Mine.\nmodel = \"x\"\n");
    setup(&user, &["codex", "work", "--write"]);
    let changed = text(&toml).replace("\"x\"", "\"y\"");
    fs::write(&toml, changed).unwrap();
    setup(&user, &["codex", "--undo"]);
    assert_eq!(text(&toml).trim_end(), "# Mine.\nmodel = \"y\"");

    let json = with_file(
        &user,
        ".cursor/mcp.json",
        "// Mine.\n{\n  \"a\": 1 // one\n}\n",
    );
    setup(&user, &["cursor", "work", "--write"]);
    let changed = text(&json).replace("\"a\": 1", "\"a\": 2");
    fs::write(&json, changed).unwrap();
    setup(&user, &["cursor", "--undo"]);
    let after = text(&json);
    assert!(
        after.contains("// Mine.") && after.contains("// one"),
        "{after}"
    );
    assert!(
        after.contains("\"a\": 2") && !after.contains("mcpServers"),
        "{after}"
    );
}

#[test]
fn a_change_of_the_user_between_two_runs_is_not_lost() {
    let user = signed_in();
    let file = with_file(&user, ".codex/config.toml", "a = 1\n");
    setup(&user, &["codex", "qwen", "--write"]);
    fs::write(&file, format!("b = 2\n{}", text(&file))).unwrap();
    user.sign_in(&["huggingface"]);
    setup(&user, &["codex", "huggingface", "--write"]);
    setup(&user, &["codex", "--undo"]);
    assert_eq!(text(&file).trim_end(), "b = 2\na = 1");
}

#[test]
fn a_file_that_the_user_removed_or_restored_is_left_so() {
    let user = at_mcp_server();
    let file = with_file(&user, ".cursor/mcp.json", "{}");
    setup(&user, &["cursor", "work", "--write"]);
    fs::remove_file(&file).unwrap();
    setup(&user, &["cursor", "--undo"]);
    assert_eq!(names(&file), ["mcp.json.before-llm-auth"]);

    fs::rename(backup(&file), &file).unwrap();
    setup(&user, &["cursor", "work", "--write"]);
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    setup(&user, &["cursor", "--undo"]);
    assert!(!file.parent().unwrap().exists());

    with_file(&user, ".cursor/mcp.json", "{}");
    setup(&user, &["cursor", "work", "--write"]);
    fs::write(&file, "{}").unwrap();
    setup(&user, &["cursor", "--undo"]);
    assert_eq!((text(&file).as_str(), names(&file).len()), ("{}", 1));
}

#[test]
fn a_credential_never_stays_without_its_url_nor_the_url_without_it() {
    let user = signed_in();
    let undo = ["setup", "claude-code", "--undo"];
    let wanted = [
        ("360", "400", "apiKeyHelper", "env.ANTHROPIC_BASE_URL"),
        ("http:", "https:", "env.ANTHROPIC_BASE_URL", "apiKeyHelper"),
    ];
    for before in [None, Some("{\"model\": \"opus\"}")] {
        for (is, becomes, changed, other) in wanted {
            let file = user.directory.path().join(".claude/settings.json");
            match before {
                Some(before) => drop(with_file(&user, ".claude/settings.json", before)),
                None => assert!(!file.exists()),
            }
            setup(&user, &["claude-code", "minimax", "--write"]);
            let written = text(&file);
            let mine = written.replace(is, becomes);
            assert_ne!(mine, written);
            fs::write(&file, &mine).unwrap();
            for args in [&undo[..], &["setup", "claude-code", "minimax", "--undo"]] {
                let done = user.run(args);
                done.assert_failed(1, &format!("another value for {changed}, which"));
                assert!(done.err.contains(other), "{done:?}");
                assert_eq!(text(&file), mine);
            }
            fs::write(&file, &written).unwrap();
            setup(&user, &undo[1..]);
            assert_eq!(file.exists().then(|| text(&file)).as_deref(), before);
            let _removed = fs::remove_file(&file);
        }
    }
}

#[test]
fn settings_that_the_user_replaced_or_removed_together_stay_so() {
    let user = signed_in();
    let file = user.directory.path().join(".claude/settings.json");
    for mine in [
        r#"{"apiKeyHelper": "mine", "env": {"ANTHROPIC_BASE_URL": "https://mine.example"}}"#,
        r#"{"apiKeyHelper": "mine"}"#,
        "{}",
    ] {
        setup(&user, &["claude-code", "minimax", "--write"]);
        fs::write(&file, mine).unwrap();
        let done = setup(&user, &["claude-code", "--undo"]);
        assert!(done.err.contains("no longer in"), "{done:?}");
        assert_eq!(text(&file), mine);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn one_changed_file_keeps_the_others_of_the_tool_from_being_undone() {
    let user = at_mcp_server();
    user.sign_in(&["minimax"]);
    setup(&user, &["claude-code", "work", "--write"]);
    setup(&user, &["claude-code", "minimax", "--write"]);
    let (first, second) = (".claude.json", ".claude/settings.json");
    let files = [first, second].map(|name| user.directory.path().join(name));
    let changed = text(&files[1]).replace("360", "400");
    fs::write(&files[1], changed).unwrap();
    let before = files.each_ref().map(|file| text(file));
    let done = user.run(&["setup", "claude-code", "--undo"]);
    done.assert_failed(1, "nothing was taken out");
    assert_eq!(files.each_ref().map(|file| text(file)), before);
    setup(&user, &["claude-code", "work", "--undo"]);
    assert!(!files[0].exists() && files[1].exists());
}

#[test]
fn another_file_of_that_name_comes_back_byte_for_byte_too() {
    let user = signed_in();
    let mine = "{ \"model\" :\t\"opus\" }";
    for before in [None, Some("{\"model\":\"sonnet\"}\n")] {
        let file = user.directory.path().join(".claude/settings.json");
        if let Some(before) = before {
            fs::write(&file, before).unwrap();
        }
        setup(&user, &["claude-code", "minimax", "--write"]);
        fs::remove_file(&file).unwrap();
        fs::write(&file, mine).unwrap();
        let done = setup(&user, &["claude-code", "minimax", "--write"]);
        assert!(done.err.contains("the original is kept in"), "{done:?}");
        let kept = names(&file).into_iter();
        let kept = kept.filter(|name| text(&file.with_file_name(name)) == mine);
        assert_eq!(kept.count(), 1);
        setup(&user, &["claude-code", "--undo"]);
        assert_eq!(text(&file), mine);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn the_undo_that_is_named_takes_back_what_was_written() {
    let user = signed_in();
    let home = user.directory.path().join("else where");
    let from = user.file("minimax", "default");
    let to = home.join("sessions/minimax/default.json");
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
    let write = ["claude-code", "minimax", "--write", "--home"];
    let done = setup(&user, &[&write[..], &[home.to_str().unwrap()]].concat());
    let (_, undo) = done.err.split_once("undo: llm-auth ").unwrap();
    let undone = Done::of(&mut user.shell(&format!("\"$0\" {undo}")));
    assert!(undone.err.contains("is removed"), "{undone:?}");
}

#[test]
fn nothing_is_taken_out_with_which_the_tool_would_not_start() {
    let user = signed_in();
    let codex = ["setup", "codex", "qwen"];
    let opencode = ["setup", "opencode", "qwen", "--model", "m"];
    let path = ".codex/config.toml";
    for (write, path, before, is, becomes, left) in [
        // A default that names the provider, a member of its table, and one at the end of the file.
        (
            &codex[..],
            path,
            "a = 1\n",
            "a = 1\n",
            "model_provider = \"qwen\"\na = 1\n",
            "model_provider",
        ),
        (
            &codex,
            path,
            "a = 1\n",
            "wire_api = \"responses\"\n",
            "wire_api = \"responses\"\nrequest_max_retries = 3\n",
            "model_providers.qwen.request_max_retries",
        ),
        (
            &codex,
            path,
            "",
            "timeout_ms = 30000\n",
            "timeout_ms = 30000\nodd = true\n",
            "model_providers.qwen.auth.odd",
        ),
        (
            &opencode,
            ".config/opencode/opencode.json",
            "{\"theme\": \"x\"}",
            "\"x\"",
            "\"x\", \"model\": \"qwen/m\"",
            "model",
        ),
    ] {
        let file = with_file(&user, path, before);
        setup(&user, &[&write[1..], &["--write"]].concat());
        let written = text(&file);
        let mine = written.replacen(is, becomes, 1);
        assert_ne!(mine, written);
        fs::write(&file, &mine).unwrap();
        let undo = ["setup", write[1], "--undo"];
        let done = user.run(&undo);
        done.assert_failed(1, "nothing was taken out");
        assert!(
            done.err.contains(&format!("remove {left} from")),
            "{done:?}"
        );
        assert_eq!(text(&file), mine);
        // What the original has too may stay.
        fs::write(&file, &written).unwrap();
        setup(&user, &undo[1..]);
        assert_eq!(text(&file), before);
    }
    let before = "model_provider = \"qwen\"\n";
    let file = with_file(&user, path, before);
    setup(&user, &[&codex[1..], &["--write"]].concat());
    fs::write(&file, format!("b = 2\n{}", text(&file))).unwrap();
    setup(&user, &["codex", "--undo"]);
    assert_eq!(text(&file).trim_end(), "b = 2\nmodel_provider = \"qwen\"");
}
