//! Settings and variables of the user that a tool uses beside what is written, or in place of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{names, setup, signed_in, text, with_file};
use crate::support::done::Done;
use crate::support::user::User;

const SETTINGS: &str = ".claude/settings.json";
const SECRET: &str = "made-up-secret";
const MARK: &str = "started";

/// Where the simulated API is.
fn host(user: &User) -> &str {
    user.kit.base_url().strip_prefix("http://").unwrap()
}

/// `exec --as TOOL` of something that leaves a mark.
fn exec(user: &User, provider: &str, flags: &[&str], directory: &Path) -> Done {
    let mark = user.directory.path().join(MARK);
    let _gone = fs::remove_file(&mark);
    let touch = ["--", "/bin/sh", "-c", "touch \"$HOME/started\""];
    let mut command = user.command(&[&["exec", provider], flags, &touch].concat());
    let done = Done::of(command.current_dir(directory));
    assert_eq!(mark.exists(), done.code == Some(0), "{done:?}");
    done
}

#[test]
fn a_key_of_another_vendor_in_the_settings_goes_first() {
    let user = signed_in();
    for member in [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_CUSTOM_HEADERS",
        "ANTHROPIC_PROFILE",
        "CLAUDE_CODE_USE_BEDROCK",
    ] {
        let before = format!("{{\"env\": {{\"{member}\": \"{SECRET}\"}}}}");
        let file = with_file(&user, SETTINGS, &before);
        for flags in [&["--write"][..], &["--write", "--replace"]] {
            let done = user.run(&[&["setup", "claude-code", "minimax"], flags].concat());
            done.assert_failed(1, &format!("sets env.{member}, which"));
            assert!(
                done.err.contains(&format!("to {} too", host(&user))),
                "{done:?}"
            );
            assert!(done.err.contains(&format!("remove env.{member} from")));
            done.assert_no_secret(&[SECRET]);
        }
        assert_eq!((text(&file), names(&file).len()), (before, 1));
        let printed = setup(&user, &["claude-code", "minimax"]);
        let warning = format!("warning: {} sets env.{member}", file.display());
        assert!(printed.err.contains(&warning), "{printed:?}");
        printed.assert_no_secret(&[SECRET]);
    }
    // Nothing is sent of what is empty.
    with_file(&user, SETTINGS, r#"{"env": {"ANTHROPIC_API_KEY": ""}}"#);
    let done = setup(&user, &["claude-code", "minimax", "--write"]);
    assert!(!done.err.contains("warning"), "{done:?}");
}

#[test]
fn a_key_that_came_later_is_refused_too() {
    let user = signed_in();
    setup(&user, &["claude-code", "minimax", "--write"]);
    let file = user.directory.path().join(SETTINGS);
    let key = r#""env": {"ANTHROPIC_API_KEY": "made-up-secret","#;
    let mine = text(&file).replace("\"env\": {", key);
    fs::write(&file, &mine).unwrap();
    let done = user.run(&["setup", "claude-code", "minimax", "--write"]);
    done.assert_failed(1, "sets env.ANTHROPIC_API_KEY");
    assert_eq!(text(&file), mine);
}

#[test]
fn settings_of_a_provider_of_the_same_name_are_refused_if_they_hold_a_credential() {
    let user = signed_in();
    let opencode = ["opencode", "qwen", "--model", "m"];
    let codex = ["codex", "qwen"];
    for (args, path, before, member) in [
        (
            &codex[..],
            ".codex/config.toml",
            "[model_providers.qwen]\nenv_key = \"made-up-secret\"\n",
            "model_providers.qwen.env_key",
        ),
        (
            &codex[..],
            ".codex/config.toml",
            "[model_providers.qwen.http_headers]\nX-Key = \"made-up-secret\"\n",
            "model_providers.qwen.http_headers",
        ),
        (
            &opencode[..],
            ".config/opencode/opencode.json",
            r#"{"provider": {"qwen": {"options": {"headers": {"x-key": "made-up-secret"}}}}}"#,
            "provider.qwen.options.headers",
        ),
    ] {
        let file = with_file(&user, path, before);
        let done = user.run(&[&["setup"], args, &["--write", "--replace"]].concat());
        done.assert_failed(1, &format!("sets {member}, which"));
        done.assert_no_secret(&[SECRET]);
        assert_eq!(text(&file), before);
    }
}

#[test]
fn a_key_in_the_environment_is_a_warning_that_names_it() {
    let user = signed_in();
    for flags in [&[][..], &["--write"]] {
        let mut command = user.command(&[&["setup", "claude-code", "minimax"], flags].concat());
        let done = Done::of(
            command
                .env("ANTHROPIC_API_KEY", SECRET)
                .env("ANTHROPIC_AUTH_TOKEN", SECRET)
                .env("CLAUDE_CODE_USE_VERTEX", "1"),
        );
        assert_eq!(done.code, Some(0), "{done:?}");
        for name in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
            let warning = format!(
                "unset {name} where Claude Code runs: it would send that key to {} too",
                host(&user)
            );
            assert!(done.err.contains(&warning), "{done:?}");
        }
        assert!(done.err.contains("unset CLAUDE_CODE_USE_VERTEX"));
        done.assert_no_secret(&[SECRET]);
    }
    let quiet = setup(&user, &["claude-code", "minimax"]);
    assert!(!quiet.err.contains("warning"), "{quiet:?}");
}

#[test]
fn a_file_that_the_tool_ignores_for_its_comments_is_left_alone() {
    let user = signed_in();
    for (before, what) in [
        ("// Mine.\n{\"model\": \"opus\"}\n", "comments"),
        ("{\"model\": \"opus\" /* mine */}", "comments"),
        ("{\"model\": \"opus\",}", "trailing commas"),
    ] {
        let file = with_file(&user, SETTINGS, before);
        let done = user.run(&["setup", "claude-code", "minimax", "--write"]);
        done.assert_failed(1, &format!("has {what}, so Claude Code ignores it"));
        assert_eq!((text(&file).as_str(), names(&file).len()), (before, 1));
        let printed = setup(&user, &["claude-code", "minimax"]);
        assert!(printed.err.contains(&format!("has {what}")), "{printed:?}");
    }
}

#[test]
fn a_file_that_is_not_json_leads_to_other_advice_before_and_after_it_is_printed() {
    let user = signed_in();
    let file = with_file(&user, SETTINGS, "{ \"model\": ");
    let printed = setup(&user, &["claude-code", "minimax"]);
    let advice = "correct the file before --write";
    assert!(printed.err.contains(advice), "{printed:?}");
    assert!(!printed.err.contains("without --write"), "{printed:?}");
    let written = user.run(&["setup", "claude-code", "minimax", "--write"]);
    written.assert_failed(1, "cannot be changed");
    assert!(written.err.contains("without --write"), "{written:?}");
    assert_eq!(text(&file), "{ \"model\": ");
}

#[test]
fn exec_starts_no_tool_whose_settings_go_before_its_environment() {
    let user = signed_in();
    let home = user.directory.path();
    let repository = home.join("repository");
    fs::create_dir_all(repository.join(".git")).unwrap();
    fs::create_dir_all(repository.join("below")).unwrap();
    let claude = ("minimax", "claude-code");
    let url = r#"{"env": {"ANTHROPIC_BASE_URL": "https://made-up-secret.example"}}"#;
    for ((provider, tool), path, content, member) in [
        (claude, SETTINGS, url, "env.ANTHROPIC_BASE_URL"),
        (
            claude,
            SETTINGS,
            r#"{"env": {"ANTHROPIC_BASE_URL": ""}} // odd"#,
            "env.ANTHROPIC_BASE_URL",
        ),
        (
            claude,
            SETTINGS,
            r#"{"apiKeyHelper": "echo made-up-secret"}"#,
            "apiKeyHelper",
        ),
        (
            claude,
            SETTINGS,
            r#"{"env": {"ANTHROPIC_API_KEY": "made-up-secret"}}"#,
            "env.ANTHROPIC_API_KEY",
        ),
        (
            claude,
            "repository/.claude/settings.json",
            url,
            "env.ANTHROPIC_BASE_URL",
        ),
        (
            claude,
            "repository/below/.claude/settings.local.json",
            url,
            "env.ANTHROPIC_BASE_URL",
        ),
        (
            ("qwen", "qwen-code"),
            ".qwen/settings.json",
            r#"{"modelProviders": {"openai": [{"id": "m", "baseUrl": "https://made-up-secret.example"}]}}"#,
            "modelProviders.openai",
        ),
        (
            ("qwen", "aider"),
            "repository/.env",
            "export OPENAI_API_BASE=https://made-up-secret.example\n",
            "OPENAI_API_BASE",
        ),
        (
            ("qwen", "aider"),
            ".aider.conf.yml",
            "openai-api-key: made-up-secret\n",
            "openai-api-key",
        ),
    ] {
        let file = with_file(&user, path, content);
        let below = repository.join("below");
        for proxy in [&[][..], &["--proxy"]] {
            let flags = [&["--as", tool], proxy].concat();
            let done = exec(&user, provider, &flags, &below);
            done.assert_failed(1, &format!("{} sets {member}, which", file.display()));
            // The one setting, and not the file.
            let advice = format!("remove {member} from {}", file.display());
            assert!(done.err.contains(&advice), "{done:?}");
            done.assert_no_secret(&[SECRET]);
        }
        let done = Done::of(
            user.command(&["token", provider, "--format", "env", "--as", tool])
                .current_dir(&below),
        );
        done.assert_failed(1, &format!("sets {member}, which"));
        assert_eq!(done.out, "");
        fs::remove_file(&file).unwrap();
        let done = exec(&user, provider, &["--as", tool, "--proxy"], &below);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

#[test]
fn what_setup_wrote_is_taken_back_before_exec_and_the_error_says_how() {
    let user = signed_in();
    let home = user.directory.path();
    setup(&user, &["claude-code", "minimax", "--write"]);
    for proxy in [
        &["--as", "claude-code", "--proxy"][..],
        &["--as", "claude-code"],
    ] {
        let done = exec(&user, "minimax", proxy, home);
        done.assert_failed(1, "sets env.ANTHROPIC_BASE_URL, apiKeyHelper, which");
        assert!(done.err.contains("llm-auth setup claude-code --undo"));
        assert!(done.err.contains("take them back"), "{done:?}");
    }
    setup(&user, &["claude-code", "--undo"]);
    let done = exec(&user, "minimax", &["--as", "claude-code", "--proxy"], home);
    assert_eq!(done.code, Some(0), "{done:?}");
    // Those of opencode name the variables that `exec` sets.
    setup(&user, &["opencode", "qwen", "--model", "m", "--write"]);
    let done = exec(&user, "qwen", &["--as", "opencode", "--proxy"], home);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_variable_that_a_program_must_not_have_is_not_in_its_own_file_either() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let home = user.directory.path();
    let file = with_file(
        &user,
        ".gemini/.env",
        "GOOGLE_GEMINI_BASE_URL=https://x.example\n",
    );
    exec(&user, "gemini", &["--as", "gemini-cli"], home)
        .assert_failed(1, "sets GOOGLE_GEMINI_BASE_URL, which");
    // The environment takes precedence over this one.
    fs::write(&file, "GEMINI_API_KEY=made-up-secret\n").unwrap();
    let done = exec(&user, "gemini", &["--as", "gemini-cli"], home);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn settings_that_cannot_be_read_start_no_tool() {
    let user = signed_in();
    let file = with_file(&user, SETTINGS, "{\"env\": made-up-secret}");
    let flags = ["--as", "claude-code"];
    let done = exec(&user, "minimax", &flags, user.directory.path());
    done.assert_failed(1, file.to_str().unwrap());
    done.assert_no_secret(&[SECRET]);
}

#[test]
fn a_home_directory_behind_a_link_has_one_file_of_settings() {
    let user = signed_in();
    let link = user.directory.path().join("link");
    let home = user.directory.path().join("real");
    fs::create_dir(&home).unwrap();
    symlink(&home, &link).unwrap();
    for changed in [true, false] {
        let mut command = user.command(&["setup", "claude-code", "minimax", "--write", "--json"]);
        let done = Done::of(command.env("HOME", &link).current_dir(&home));
        assert_eq!(done.json()["changed"], changed, "{done:?}");
    }
}
