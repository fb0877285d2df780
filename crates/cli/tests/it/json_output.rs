//! JSON from every command.

use std::fs;

use serde_json::Value;

use crate::support::done::Done;
use crate::support::user::User;

/// Every line is an object of this version, and the page on JSON names each member.
fn is_json(done: &Done) {
    assert!(!done.out.is_empty(), "{done:?}");
    for line in done.out.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {done:?}"));
        assert_eq!(value["v"], 1, "{line}");
        is_documented(&value);
    }
}

fn is_documented(value: &Value) {
    let page = include_str!("../../../../docs/cli/json.md");
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let known = [format!("`{name}`"), format!("\"{name}\"")];
                assert!(known.iter().any(|name| page.contains(name)), "{name}");
                // The names in there are the provider's.
                if name != "headers" {
                    is_documented(value);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(is_documented),
        _ => {}
    }
}

#[test]
fn a_tip_that_leads_to_the_next_error_is_not_printed() {
    let user = User::new();
    for (args, what) in [
        (&["token", "nope"][..], "invalid value 'nope'"),
        (&["keep", "qwen", "--json"], "unexpected argument '--json'"),
        (
            &["token", "qwen", "--bogus"],
            "unexpected argument '--bogus'",
        ),
        (&["token", "qwen", "--min-validity", "-1"], "not negative"),
        (&["serve", "qwen", "--port", "99999"], "from 0 to 65535"),
        (
            &["serve", "qwen", "--max-requests", "-1"],
            "not a number of requests",
        ),
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains(what), "{what}: {done:?}");
        assert!(!done.err.contains("tip:"), "{done:?}");
    }
    // One that helps is printed, and is no part of the sentence in JSON.
    let done = user.run(&["token", "qwne", "--json"]);
    assert!(
        done.err.contains("tip:") && done.err.contains("'qwen'"),
        "{done:?}"
    );
    let message = done.json()["error"]["message"].to_string();
    assert!(!message.contains("tip:"), "{message}");
}

#[test]
fn a_usage_error_is_json_if_requested_and_names_the_mistake() {
    let user = User::new();
    for (args, is_response, what) in [
        (&["token", "qwen", "--json", "--bogus"][..], true, "--bogus"),
        (&["-v", "token", "qwne", "--json"], true, "qwne"),
        (&["exec", "qwen", "--json"], true, "<COMMAND>"),
        (&["login", "unknown", "--json"], false, "unknown"),
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        let printed = done.json();
        let printed = if is_response {
            &printed["error"]
        } else {
            &printed
        };
        assert_eq!(printed["kind"], "usage", "{done:?}");
        assert!(
            printed["message"].as_str().unwrap().contains(what),
            "{done:?}"
        );
    }
    // The flag is the program's.
    let done = user.run(&["exec", "qwne", "--", "curl", "--json", "x"]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{done:?}");
    let unusable = user
        .command(&["doctor", "--offline", "--json"])
        .env("LLM_AUTH_LOG", "=x=")
        .output();
    is_json(&Done::from(unusable.unwrap()));
}

#[test]
fn a_call_with_wrong_arguments_advises_the_help_of_its_command() {
    let user = User::new();
    for (args, command) in [
        (&["token", "qwen", "--unknown"][..], "token"),
        (&["login", "unknown"], "login"),
        (&["serve"], "serve"),
    ] {
        let done = user.run(&[args, &["--json"]].concat());
        assert_eq!(done.code, Some(2), "{done:?}");
        let printed: Value = serde_json::from_str(done.out.trim_end()).unwrap();
        let error = printed.get("error").unwrap_or(&printed);
        let advice = format!("see `llm-auth {command} --help`");
        assert_eq!(error["advice"], advice, "{done:?}");
    }
}

#[test]
fn a_token_that_never_expires_has_no_time() {
    let user = User::new();
    let file = user.directory.path().join("key.json");
    let session = r#"{"access":"made-up","expires":253402300799000}"#;
    fs::write(&file, session).unwrap();
    for command in ["token", "status"] {
        let args = [command, "qwen", "--json", "--store", file.to_str().unwrap()];
        let done = user.run(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        let printed = done.json();
        let printed = match command {
            "status" => &printed["sessions"][0],
            _ => &printed,
        };
        for time in ["expires_at", "expires_at_ms"] {
            assert_eq!(printed.get(time), Some(&Value::Null), "{done:?}");
        }
    }
}

#[test]
fn every_command_prints_json_of_this_version_on_success_and_failure() {
    let user = User::new();
    for args in [
        &["token", "qwen"][..],
        &["logout", "qwen"],
        &["switch", "qwen"],
        &["import", "qwen-code"],
        &["status"],
        &["accounts"],
        &["doctor", "--offline"],
        &["login", "gemini", "--client-file", "/nowhere"],
        &["exec", "qwen", "true"],
        &["exec"],
        &["token", "qwen", "--unknown"],
        &["login", "unknown"],
    ] {
        let (command, rest) = args.split_at(1);
        is_json(&user.run(&[command, &["--json"], rest].concat()));
    }
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    let directory = user.directory.path().join(".qwen");
    fs::create_dir(&directory).unwrap();
    let theirs = r#"{"access_token":"made-up","refresh_token":"made-up","expiry_date":1}"#;
    fs::write(directory.join("oauth_creds.json"), theirs).unwrap();
    for args in [
        &["token", "qwen"][..],
        &["switch", "qwen"],
        &["status"],
        &["accounts"],
        &["doctor"],
        &["logout", "qwen"],
        &["login", "minimax"],
        &["import"],
        #[cfg(feature = "demo")]
        &["demo"],
    ] {
        let done = user.run(&[args, &["--json"]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        is_json(&done);
    }
    is_json(&user.sign_in_with_browser(&["login", "gemini", "--json"]));
}
