//! What each tool's settings are.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{PROGRAM, at_mcp_server, setup, signed_in, text, with_file};
use crate::support::done::Done;
use crate::support::user::User;

/// Each tool that takes MCP servers, its file, and its settings for the server `work`.
fn of_mcp() -> [(&'static str, &'static str, Value); 8] {
    let args = json!(["mcp", "bridge", "work"]);
    let plain = json!({"work": {"command": PROGRAM, "args": args}});
    let typed = json!({"work": {"type": "stdio", "command": PROGRAM, "args": args}});
    let words = json!([PROGRAM, "mcp", "bridge", "work"]);
    let local = json!({"work": {"type": "local", "command": words, "enabled": true}});
    [
        (
            "claude-code",
            ".claude.json",
            json!({ "mcpServers": typed }),
        ),
        (
            "codex",
            ".codex/config.toml",
            json!({ "mcp_servers": plain }),
        ),
        (
            "opencode",
            ".config/opencode/opencode.json",
            json!({ "mcp": local }),
        ),
        (
            "gemini-cli",
            ".gemini/settings.json",
            json!({ "mcpServers": plain }),
        ),
        (
            "qwen-code",
            ".qwen/settings.json",
            json!({ "mcpServers": plain }),
        ),
        ("cursor", ".cursor/mcp.json", json!({ "mcpServers": plain })),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            json!({ "servers": typed }),
        ),
        (
            "zed",
            ".config/zed/settings.json",
            json!({ "context_servers": plain }),
        ),
    ]
}

fn read(text: &str) -> Value {
    if text.starts_with('{') {
        return serde_json::from_str(text).unwrap();
    }
    let table: toml_edit::DocumentMut = text.parse().unwrap();
    of_toml(table.as_item())
}

fn of_toml(item: &toml_edit::Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let members = table.iter();
        return members
            .map(|(name, item)| (name.to_owned(), of_toml(item)))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    if let Some(values) = item.as_array() {
        return values.iter().map(|value| value.as_str().unwrap()).collect();
    }
    match item.as_integer() {
        Some(number) => number.into(),
        None => item.as_str().unwrap().into(),
    }
}

/// Prints the settings, writes them, and checks both.
fn check(user: &User, args: &[&str], file: &str, wanted: &Value) -> Done {
    let printed = setup(user, args);
    assert_eq!(read(&printed.out), *wanted, "{printed:?}");
    assert!(printed.err.contains(file), "{printed:?}");
    let place = user.directory.path().join(file);
    assert!(!place.exists(), "{args:?}");
    let done = setup(user, &[args, &["--write"]].concat());
    assert_eq!(text(&place), printed.out, "{done:?}");
    printed
}

#[test]
fn each_tool_gets_the_bridge_of_an_mcp_server_in_its_own_file() {
    let user = at_mcp_server();
    for (tool, file, wanted) in of_mcp() {
        check(&user, &[tool, "work"], file, &wanted);
    }
}

#[test]
fn claude_code_gets_a_helper_that_prints_the_token_and_the_api() {
    let user = signed_in();
    let api = user.run(&["token", "minimax", "--json"]).json()["api_base"].clone();
    let wanted = json!({
        "apiKeyHelper": format!("{PROGRAM} token minimax --verify --min-validity 360"),
        "env": {"ANTHROPIC_BASE_URL": api},
    });
    check(
        &user,
        &["claude-code", "minimax"],
        ".claude/settings.json",
        &wanted,
    );
}

#[test]
fn codex_gets_a_provider_with_a_command_and_keeps_its_default_provider() {
    let user = signed_in();
    let api = user.run(&["token", "qwen", "--json"]).json()["api_base"].clone();
    let args = ["token", "qwen", "--verify", "--min-validity", "360"];
    let wanted = json!({"model_providers": {"qwen": {
        "name": "Qwen",
        "base_url": api,
        "wire_api": "responses",
        "auth": {"command": PROGRAM, "args": args, "timeout_ms": 30000},
    }}});
    let printed = check(&user, &["codex", "qwen"], ".codex/config.toml", &wanted);
    let run = "codex -c model_provider=qwen";
    assert!(printed.err.contains(run), "{printed:?}");
}

#[test]
fn opencode_gets_a_provider_with_the_model_that_is_named() {
    let user = signed_in();
    let wanted = json!({"provider": {"qwen": {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Qwen",
        "options": {
            "baseURL": "{env:LLM_AUTH_API_BASE}",
            "apiKey": "{env:LLM_AUTH_ACCESS_TOKEN}",
        },
        "models": {"coder": {"name": "coder"}},
    }}});
    let args = [
        "opencode",
        "qwen",
        "--model",
        "coder",
        "--account",
        "default",
    ];
    let printed = check(&user, &args, ".config/opencode/opencode.json", &wanted);
    let run = "exec qwen --proxy --as opencode --account default -- opencode --model qwen/coder";
    assert!(printed.err.contains(run), "{printed:?}");
    let nameless = user.run(&["setup", "opencode", "qwen"]);
    nameless.assert_failed(2, "--model");
}

#[test]
fn variables_of_the_tool_move_its_file() {
    let user = at_mcp_server();
    for (tool, variable, file) in [
        ("claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("codex", "CODEX_HOME", "config.toml"),
        ("opencode", "XDG_CONFIG_HOME", "opencode/opencode.json"),
        ("gemini-cli", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("qwen-code", "QWEN_HOME", "settings.json"),
    ] {
        let directory = user.directory.path().join(format!("moved-{tool}"));
        let mut command = user.command(&["setup", tool, "work", "--write"]);
        let done = Done::of(command.env(variable, &directory));
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(directory.join(file).is_file(), "{tool}");
    }
}

#[test]
fn a_file_of_the_other_name_that_the_tool_reads_is_used_if_it_is_the_only_one() {
    let user = at_mcp_server();
    let file = with_file(&user, ".config/opencode/opencode.jsonc", "{} // mine\n");
    setup(&user, &["opencode", "work", "--write"]);
    assert!(text(&file).contains(PROGRAM), "{}", text(&file));
    assert!(!file.with_file_name("opencode.json").exists());
}

#[test]
fn another_home_directory_has_settings_of_its_own() {
    let user = at_mcp_server();
    let other = user.directory.path().join("other");
    let mut command = user.command(&["setup", "cursor", "work", "--write"]);
    let done = Done::of(command.env("HOME", &other));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(other.join(".cursor/mcp.json").is_file());
    assert!(!user.directory.path().join(".cursor").exists());
}

#[test]
fn the_command_is_named_by_its_path_unless_path_finds_this_program() {
    let user = at_mcp_server();
    let bin = user.directory.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let command_in = |path: &std::path::Path| {
        let mut command = user.command(&["setup", "cursor", "work"]);
        let done = Done::of(command.env("PATH", path));
        read(&done.out)["mcpServers"]["work"]["command"].clone()
    };
    symlink("/bin/sh", bin.join("llm-auth")).unwrap();
    assert_eq!(command_in(&bin), PROGRAM);
    std::fs::remove_file(bin.join("llm-auth")).unwrap();
    symlink(PROGRAM, bin.join("llm-auth")).unwrap();
    assert_eq!(command_in(&bin), "llm-auth");
}

#[test]
fn flags_of_the_call_that_name_the_session_go_into_the_command() {
    let user = signed_in();
    let home = user.directory.path().join("home");
    let home = home.to_str().unwrap();
    let args = [
        "claude-code",
        "minimax",
        "--account",
        "it's mine",
        "--home",
        home,
    ];
    user.sign_in(&["minimax", "--account", "it's mine"]);
    let printed = setup(&user, &args);
    let line = format!(
        r"{PROGRAM} token minimax --verify --min-validity 360 --account 'it'\''s mine' --home {home}"
    );
    assert_eq!(read(&printed.out)["apiKeyHelper"], line, "{printed:?}");
}

#[test]
fn a_tool_that_needs_an_api_or_a_command_and_has_none_is_a_clear_error() {
    let user = User::new();
    let signed_out = user.run(&["setup", "claude-code", "minimax", "--write"]);
    signed_out.assert_failed(3, "not signed in");
    assert!(!user.directory.path().join(".claude").exists());
    for (tool, provider, what) in [
        (
            "gemini-cli",
            "gemini",
            "exec gemini --as gemini-cli --account work -- gemini`",
        ),
        (
            "qwen-code",
            "qwen",
            "exec qwen --proxy --as qwen-code --account work -- qwen ",
        ),
        ("cursor", "qwen", "login mcp"),
    ] {
        let done = user.run(&["setup", tool, provider, "--account", "work"]);
        done.assert_failed(1, "cannot name a command");
        assert!(done.err.contains(what), "{done:?}");
    }
    // What hands out no token is no advice.
    for tool in ["qwen-code", "claude-code"] {
        let done = user.run(&["setup", tool, "openai"]);
        done.assert_failed(1, "the application that the user connected");
    }
    let without_name = user.run(&["setup", "codex"]);
    assert_eq!(without_name.code, Some(2), "{without_name:?}");
}

#[test]
fn json_output_has_the_settings_and_what_was_done() {
    let user = at_mcp_server();
    let printed = setup(&user, &["cursor", "work", "--json"]).json();
    let args = json!(["mcp", "bridge", "work"]);
    assert_eq!(
        printed["settings"]["mcpServers"]["work"],
        json!({"command": PROGRAM, "args": args})
    );
    let first = setup(&user, &["cursor", "work", "--write", "--json"]).json();
    let second = setup(&user, &["cursor", "work", "--write", "--json"]).json();
    assert_eq!(
        (&first["changed"], &second["changed"]),
        (&json!(true), &json!(false))
    );
    let undone = setup(&user, &["cursor", "--undo", "--json"]).json();
    assert_eq!(undone["files"][0]["undone"], "removed");
    let page = include_str!("../../../../../docs/cli/json.md");
    for object in [&printed, &first, &undone] {
        for name in object.as_object().unwrap().keys() {
            let known = [format!("`{name}`"), format!("\"{name}\"")];
            assert!(known.iter().any(|name| page.contains(name)), "{name}");
        }
    }
}

#[test]
fn the_first_refusal_is_the_last_and_what_it_names_works() {
    let user = signed_in();
    for (tool, provider, what) in [
        ("qwen-code", "minimax", "for minimax: claude-code; or"),
        ("gemini-cli", "qwen", "for qwen: codex, opencode; or"),
        ("cursor", "qwen", "for qwen: codex, opencode; or"),
    ] {
        let done = user.run(&["setup", tool, provider]);
        done.assert_failed(1, "cannot name a command");
        assert!(done.err.contains(what), "{done:?}");
        assert!(!done.err.contains(&format!("for {tool}:")), "{done:?}");
    }
    for (tool, provider) in [("claude-code", "minimax"), ("codex", "qwen")] {
        setup(&user, &[tool, provider]);
    }
    setup(&user, &["opencode", "qwen", "--model", "m"]);
    let alone = user.run(&["setup", "cursor", "gemini"]);
    assert!(alone.err.contains("→ name an MCP server"), "{alone:?}");
}

#[test]
fn a_server_of_the_user_that_names_no_api_is_refused_with_the_flag_that_names_one() {
    let user = User::new();
    let issuer = format!("{}/standard", user.kit.base_url());
    let login = [
        "login", "oidc", "--issuer", &issuer, "--name", "mine", "--device",
    ];
    let done = user.run(&[&login[..], &["--client-id", "testkit-client"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    for (tool, why) in [
        ("claude-code", "names no API"),
        ("codex", "names no API"),
        ("opencode", "names no API"),
        ("qwen-code", "cannot name a command"),
        ("gemini-cli", "cannot name a command"),
    ] {
        let model = ["--model", "m"].into_iter().filter(|_| tool == "opencode");
        let words: Vec<&str> = ["setup", tool, "mine"].into_iter().chain(model).collect();
        let done = user.run(&words);
        done.assert_failed(1, why);
        assert!(done.err.contains("--api-base URL`"), "{done:?}");
    }
    // What does not work is named nowhere.
    for args in [&["setup", "claude-code", "qwen"][..], &["setup", "codex"]] {
        let done = user.run(args);
        done.assert_failed(2, "");
        assert!(!done.err.contains("mine"), "{done:?}");
    }
}
