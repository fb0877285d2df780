//! Several providers, and several processes.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::done::Done;

use super::{PROGRAM, at_mcp_server, backup, names, setup, signed_in, text, with_file};

#[test]
fn two_providers_are_in_one_file_and_each_can_be_taken_out() {
    let user = signed_in();
    user.sign_in(&["huggingface"]);
    let file = with_file(&user, ".codex/config.toml", "# Mine.\n");
    setup(&user, &["codex", "qwen", "--write"]);
    let done = setup(&user, &["codex", "huggingface", "--write"]);
    assert!(
        done.err.contains("llm-auth setup codex huggingface --undo"),
        "{done:?}"
    );
    let has = |name: &str| text(&file).contains(&format!("[model_providers.{name}]"));
    assert!(has("qwen") && has("huggingface"), "{}", text(&file));
    setup(&user, &["codex", "qwen", "--undo"]);
    assert!(!has("qwen") && has("huggingface"), "{}", text(&file));
    setup(&user, &["codex", "--undo"]);
    assert_eq!(text(&file), "# Mine.\n");
    assert_eq!(names(&file), ["config.toml"]);
}

#[test]
fn a_tool_with_one_place_changes_from_one_provider_to_another() {
    let user = signed_in();
    let file = with_file(&user, ".claude/settings.json", "{}");
    // A gateway may speak another dialect than the vendor.
    let mut command = user.command(&["setup", "claude-code", "qwen", "--write"]);
    let gateway = format!("{}/gateway", user.kit.base_url());
    let done = Done::of(command.env("LLM_AUTH_QWEN_API_BASE", gateway));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(text(&file).contains("token qwen") && text(&file).contains("/gateway"));
    setup(&user, &["claude-code", "minimax", "--write"]);
    assert!(text(&file).contains("token minimax") && !text(&file).contains("token qwen"));
    setup(&user, &["claude-code", "--undo"]);
    assert_eq!(text(&file), "{}");
}

#[test]
fn processes_at_once_lose_no_settings() {
    let user = signed_in();
    let before = "{\"a\": 1}";
    let names: Vec<String> = (0..12).map(|number| format!("model-{number}")).collect();
    let file = with_file(&user, ".config/opencode/opencode.json", before);
    let start =
        |name: &String| user.start(&["setup", "opencode", "qwen", "--write", "--model", name]);
    let children: Vec<Child> = names.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let after: serde_json::Value = serde_json::from_str(&text(&file)).unwrap();
    for name in &names {
        assert_eq!(after["provider"]["qwen"]["models"][name]["name"], **name);
    }
    setup(&user, &["opencode", "--undo"]);
    assert_eq!(text(&file), before);
}

#[test]
fn processes_with_sessions_elsewhere_lose_no_settings_either() {
    let user = signed_in();
    let file = with_file(&user, ".config/opencode/opencode.json", "{}");
    let homes: Vec<_> = (0..6).map(|number| format!("home-{number}")).collect();
    let start = |name: &String| {
        let from = user
            .directory
            .path()
            .join("home/sessions/qwen/default.json");
        let home = user.directory.path().join(name);
        let to = home.join("sessions/qwen/default.json");
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        let mut command = user.command(&["setup", "opencode", "qwen", "--write", "--model", name]);
        command.env("LLM_AUTH_HOME", home).spawn().unwrap()
    };
    let children: Vec<Child> = homes.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for name in &homes {
        assert!(
            text(&file).contains(&format!("\"{name}\"")),
            "{}",
            text(&file)
        );
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_old_settings_or_the_new() {
    let user = at_mcp_server();
    let before = "{\n  \"a\": 1\n}\n";
    let file = with_file(&user, ".cursor/mcp.json", before);
    let kept = backup(&file);
    for _ in 0..15 {
        let mut child = user.start(&["setup", "cursor", "work", "--write"]);
        let end = Instant::now() + Duration::from_secs(60);
        while !kept.exists() {
            assert!(Instant::now() < end, "no copy was made");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let after = text(&file);
        assert!(after == before || after.contains(PROGRAM), "{after}");
        assert_eq!(text(&kept), before);
        setup(&user, &["cursor", "work", "--write"]);
        assert!(text(&file).contains(PROGRAM));
        setup(&user, &["cursor", "--undo"]);
        assert_eq!(text(&file), before);
        assert!(!kept.exists());
    }
}
