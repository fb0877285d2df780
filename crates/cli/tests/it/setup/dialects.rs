//! A tool is set up only for an API that it can call.

use super::{setup, signed_in};
use crate::support::done::Done;
use crate::support::user::User;

fn files(user: &User) -> Vec<bool> {
    let names = [".claude", ".codex", ".config", ".gemini", ".qwen"];
    let places = names.map(|name| user.directory.path().join(name));
    places.iter().map(|place| place.exists()).collect()
}

/// The names after `for NAME: `.
fn advised(done: &Done, name: &str) -> Vec<String> {
    let begin = format!("for {name}: ");
    let Some((_, rest)) = done.err.split_once(&begin) else {
        return Vec::new();
    };
    let end = rest.find([';', '\n']).unwrap_or(rest.len());
    let names = rest[..end].split(", ");
    let names = names.map(|name| name.trim_end_matches(" (signed in)"));
    names.map(str::to_owned).collect()
}

#[test]
fn another_dialect_is_refused_before_anything_is_printed_or_written() {
    let user = signed_in();
    for (tool, provider, why) in [
        (
            "claude-code",
            "qwen",
            "an Anthropic-style API, and Qwen's is OpenAI-style",
        ),
        ("codex", "minimax", "an OpenAI-style API, and MiniMax's is"),
        (
            "opencode",
            "minimax",
            "an OpenAI-style API, and MiniMax's is",
        ),
        ("claude-code", "github", "and GitHub's is of another kind"),
    ] {
        for flags in [&[][..], &["--write"], &["--write", "--replace"]] {
            let model = match tool {
                "opencode" => &["--model", "m"][..],
                _ => &[],
            };
            let done = user.run(&[&["setup", tool, provider], flags, model].concat());
            done.assert_failed(2, why);
            assert_eq!(done.out, "", "{tool} {provider}");
        }
    }
    assert!(!files(&user).contains(&true));
}

#[test]
fn the_error_names_providers_for_the_tool_and_tools_for_the_provider() {
    let user = signed_in();
    let done = user.run(&["setup", "claude-code", "qwen"]);
    assert_eq!(advised(&done, "claude-code"), ["minimax"], "{done:?}");
    assert_eq!(advised(&done, "qwen"), ["codex", "opencode"], "{done:?}");
    setup(&user, &["codex", "qwen"]);
    setup(&user, &["claude-code", "minimax"]);
    let done = user.run(&["setup", "codex", "minimax"]);
    assert_eq!(advised(&done, "minimax"), ["claude-code"], "{done:?}");
    let providers = advised(&done, "codex");
    assert!(providers.contains(&"qwen".to_owned()), "{done:?}");
    // It signs in no user of the command.
    assert!(!providers.contains(&"openai".to_owned()), "{done:?}");
    // No settings of this tool are for the API of a provider.
    let done = user.run(&["setup", "qwen-code", "minimax"]);
    assert_eq!(advised(&done, "minimax"), ["claude-code"], "{done:?}");
    assert!(advised(&done, "qwen-code").is_empty(), "{done:?}");

    let of_aider = ["token", "minimax", "--format", "env", "--as", "aider"];
    let done = user.run(&of_aider);
    done.assert_failed(2, "needs an OpenAI-style API");
    assert!(!done.err.contains("llm-auth help"), "{done:?}");
    let tools = advised(&done, "minimax");
    assert_eq!(tools, ["anthropic", "claude-code"], "{done:?}");
    for tool in &tools {
        let done = user.run(&["token", "minimax", "--format", "env", "--as", tool]);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    assert!(advised(&done, "aider").contains(&"qwen".to_owned()));
}

#[test]
fn a_call_without_a_provider_names_those_that_would_do_and_first_those_signed_in() {
    let user = signed_in();
    let done = user.run(&["setup", "codex"]);
    done.assert_failed(2, "name what codex is to use");
    assert!(
        done.err
            .contains("for the API of a provider: qwen (signed in), "),
        "{done:?}"
    );
    assert!(!done.err.contains("minimax"), "{done:?}");
    let done = user.run(&["setup", "codex", "minimax"]);
    assert!(
        done.err.contains("for codex: qwen (signed in), "),
        "{done:?}"
    );
    let done = user.run(&["setup", "cursor"]);
    done.assert_failed(2, "name what Cursor is to use");
    assert!(done.err.contains("llm-auth login mcp URL"), "{done:?}");
}
