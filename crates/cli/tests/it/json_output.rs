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
                // The names in there are the vendor's.
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
fn a_usage_error_is_json_where_that_was_asked_for_and_says_what_is_wrong() {
    let user = User::new();
    for (args, is_answer, what) in [
        (&["token", "qwen", "--json", "--bogus"][..], true, "--bogus"),
        (&["-v", "token", "qwne", "--json"], true, "qwne"),
        (&["exec", "qwen", "--json"], true, "<COMMAND>"),
        (&["login", "nobody", "--json"], false, "nobody"),
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        let said = done.json();
        let said = if is_answer { &said["error"] } else { &said };
        assert_eq!(said["kind"], "usage", "{done:?}");
        assert!(said["message"].as_str().unwrap().contains(what), "{done:?}");
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
fn every_command_speaks_json_of_this_version_in_good_times_and_bad() {
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
        &["login", "nobody"],
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
