//! What a damaged or strange file holds reaches no terminal, no header and no program as it is.

use std::fs;

use serde_json::{Value, json};

use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

/// What steers a terminal, ends a header, or is not seen.
const ODD: [&str; 6] = [
    "\u{1b}]0;made-up\u{7}",
    "made-up\r\nX-Header: made-up",
    "made\u{200b}-up",
    "made\u{202e}-up",
    "made-up\u{9b}2J",
    "made\0-up",
];

fn is_plain(done: &Done) {
    for printed in [&done.out, &done.err] {
        let is_odd = |c: &char| (c.is_control() && *c != '\n') || "\u{200b}\u{202e}".contains(*c);
        let odd = printed.chars().find(is_odd);
        assert_eq!(odd, None, "{done:?}");
    }
}

/// A user with this stored session, which is the provider's own.
fn with_session(provider: &str, change: impl Fn(&mut Value)) -> User {
    let user = User::new();
    let mut session = json!({
        "access": "made-up-access",
        "refresh": "made-up-refresh",
        "expires": 4_102_444_800_000_i64,
        "llm_auth": {"provider": provider, "server": user.kit.base_url(), "context": {}},
    });
    change(&mut session);
    let file = user.file(provider, "default");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, session.to_string()).unwrap();
    user
}

#[test]
fn an_invalid_access_token_is_not_handed_out() {
    let long = "x".repeat(100_000);
    for odd in ODD.into_iter().chain(["made up", "made-üp", &long]) {
        let user = with_session("qwen", |session| session["access"] = odd.into());
        for args in [
            &["token", "qwen"][..],
            &["token", "qwen", "--json"],
            &["exec", "qwen", "--", "/usr/bin/env"],
        ] {
            let done = user.run(args);
            done.assert_failed(1, "the stored access token");
            assert!(!done.out.contains("made"), "{done:?}");
            assert!(done.out.len() + done.err.len() < 2000, "{args:?}");
            is_plain(&done);
        }
    }
}

#[test]
fn a_quota_project_of_a_file_is_a_valid_header_or_left_out() {
    for odd in ODD.into_iter().chain(["a b", ""]) {
        let user = with_session("gemini", |session| {
            session["llm_auth"]["context"]["quota_project"] = odd.into();
        });
        let mut command = user.command(&["token", "gemini", "--json"]);
        let done = Done::of(command.env_remove("LLM_AUTH_GEMINI_QUOTA_PROJECT"));
        if odd.is_empty() {
            assert_eq!(done.json()["headers"], json!({}));
        } else {
            done.assert_failed(1, "the stored quota project");
            is_plain(&done);
        }
        let mut command = user.command(&["token", "gemini", "--force-refresh"]);
        if odd.contains('\0') || odd.is_empty() {
            continue;
        }
        let done: Done = command
            .env("LLM_AUTH_GEMINI_QUOTA_PROJECT", odd)
            .output()
            .unwrap()
            .into();
        done.assert_failed(1, "LLM_AUTH_GEMINI_QUOTA_PROJECT");
        is_plain(&done);
    }
}

#[test]
fn names_and_messages_of_a_file_are_sanitized_and_cut() {
    let long = "x".repeat(100_000);
    for odd in ODD.into_iter().chain([long.as_str()]) {
        let user = with_session("qwen", |session| {
            session["scope"] = odd.into();
            session["resourceUrl"] = odd.into();
            session["notification_message"] = odd.into();
            let metadata = &mut session["llm_auth"];
            metadata["identity"] = odd.into();
            metadata["context"]["imported_from"] = odd.into();
            metadata["last_failure"] = json!({
                "refresh_fingerprint": odd, "at": 1000, "reason": odd,
            });
        });
        for args in [
            &["status"][..],
            &["status", "--json"],
            &["accounts"],
            &["accounts", "--json"],
            &["token", "qwen", "--json"],
            &["logout", "qwen", "--local", "--json"],
        ] {
            let done = user.run(args);
            assert_eq!(done.code, Some(0), "{done:?}");
            assert!(done.out.len() + done.err.len() < 10_000, "{args:?}");
            is_plain(&done);
        }
    }
}

#[test]
fn the_name_of_an_account_is_one_that_can_be_seen() {
    let user = User::new();
    let long = "x".repeat(300);
    for odd in ODD.into_iter().chain([long.as_str()]) {
        if odd.contains('\0') {
            continue;
        }
        for args in [
            &["token", "qwen", "--account", odd][..],
            &["status", "--account", odd],
            &["login", "qwen", "--account", odd],
        ] {
            let done = user.run(args);
            assert_eq!(done.code, Some(2), "{done:?}");
            is_plain(&done);
        }
        let mut command = user.command(&["token", "qwen"]);
        let done: Done = command
            .env("LLM_AUTH_QWEN_ACCOUNT", odd)
            .output()
            .unwrap()
            .into();
        done.assert_failed(1, "LLM_AUTH_QWEN_ACCOUNT");
        is_plain(&done);
    }
}

#[test]
fn a_foreign_session_with_an_invalid_token_or_client_is_not_imported() {
    for odd in ODD {
        for (member, name) in [
            ("refresh_token", "refresh token"),
            ("client_secret", "client secret"),
            ("client_id", "client"),
            ("quota_project_id", "client"),
        ] {
            let user = User::new();
            let mut file = json!({
                "type": "authorized_user",
                "client_id": "made-up.apps.googleusercontent.com",
                "client_secret": "made-up-secret",
                "refresh_token": "made-up-refresh",
                "account": odd,
            });
            file[member] = odd.into();
            let path = user.directory.path().join("adc.json");
            fs::write(&path, file.to_string()).unwrap();
            let args = [
                "import",
                "gcloud",
                "--take-over",
                "--file",
                path.to_str().unwrap(),
            ];
            let done = user.run(&args);
            done.assert_failed(1, name);
            is_plain(&done);
            assert!(!user.file("gemini", "default").exists());
            is_plain(&user.run(&["import", "gcloud", "--file", path.to_str().unwrap()]));
        }
    }
}

#[test]
fn an_api_that_a_foreign_file_names_is_qwen_s_or_left_aside() {
    for (named, base) in [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
        (
            "evil.example",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        (
            "https://bucket.oss-cn-beijing.aliyuncs.com/v1",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
    ] {
        let user = User::new();
        user.trust(&[]);
        let path = user.directory.path().join("oauth_creds.json");
        let file = json!({
            "access_token": "made-up-access", "refresh_token": "made-up-refresh",
            "resource_url": named, "expiry_date": 4_102_444_800_000_i64,
        });
        fs::write(&path, file.to_string()).unwrap();
        let run = |args: &[&str]| -> Done {
            let mut command = user.command(args);
            command
                .env_remove("LLM_AUTH_QWEN_BASE_URL")
                .output()
                .unwrap()
                .into()
        };
        let import_session = [
            "import",
            "qwen-code",
            "--take-over",
            "--file",
            path.to_str().unwrap(),
        ];
        let done = run(&import_session);
        assert_eq!(done.code, Some(0), "{done:?}");
        let is_foreign = !named.ends_with("qwen.ai");
        assert_eq!(
            done.err.contains("not a host of Qwen"),
            is_foreign,
            "{done:?}"
        );
        let stored = read(&user.file("qwen", "default"));
        assert_eq!(stored["llm_auth"]["server"], "https://chat.qwen.ai");
        let done = run(&["token", "qwen", "--json"]);
        assert_eq!(done.json()["api_base"], base);
        assert_eq!(
            done.err.contains("not a host of Qwen"),
            is_foreign,
            "{done:?}"
        );
        let exec = [
            "exec",
            "qwen",
            "--api-base-env",
            "BASE",
            "--",
            "/usr/bin/env",
        ];
        let done = run(&exec);
        assert!(done.out.contains(&format!("BASE={base}\n")), "{done:?}");
        assert_eq!(
            done.err.contains("not a host of Qwen"),
            is_foreign,
            "{done:?}"
        );
        let done = run(&["status", "qwen", "--json"]);
        assert_eq!(done.json()["sessions"][0]["api_base"], base);
        assert_eq!(
            done.json()["sessions"][0]["api_ignored"].is_string(),
            is_foreign
        );
        if named == "evil.example" {
            let done = run(&["token", "qwen", "--json", "--trust-endpoint", named]);
            assert_eq!(done.json()["api_base"], "https://evil.example/v1");
        }
    }
}
