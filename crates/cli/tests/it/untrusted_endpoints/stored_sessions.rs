//! A stored session stays with the server that issued it.

use std::fs;

use serde_json::{Value, json};

use super::stranger::{Stranger, set, variable};
use super::{FOR_SESSIONS, FOR_SIGN_INS, PROVIDERS, assert_holds_no_secret, secrets};
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

/// Whether a provider has this endpoint, so that its variable means anything.
fn has(provider: &str, last: &str) -> bool {
    match last {
        "USERINFO_ENDPOINT" | "REVOCATION_ENDPOINT" => provider == "gemini",
        _ => true,
    }
}

const COMMANDS: [&[&str]; 5] = [
    &["token"],
    &["token", "--json"],
    &["token", "--force-refresh"],
    &["exec", "--api-base-env", "BASE"],
    &["logout"],
];

/// The words of a command about a provider.
fn words<'a>(command: &[&'a str], provider: &'a str) -> Vec<&'a str> {
    let mut words = vec![command[0], provider];
    words.extend(&command[1..]);
    if command[0] == "exec" {
        words.extend(["--", "/bin/true"]);
    }
    words
}

#[test]
fn a_stored_session_goes_to_no_server_that_the_environment_names() {
    for provider in PROVIDERS {
        for expired in [true, false] {
            let (user, stranger) = (User::new(), Stranger::new());
            user.sign_in(&[provider]);
            if expired {
                user.expire(provider);
            }
            let file = user.file(provider, "default");
            let before = fs::read(&file).unwrap();
            let every = [&FOR_SESSIONS[..], &FOR_SIGN_INS].concat();
            let alone = FOR_SESSIONS.iter().filter(|last| has(provider, last));
            let mut sets: Vec<Vec<&str>> = alone.map(|last| vec![*last]).collect();
            sets.push(every);
            for names in &sets {
                for command in COMMANDS {
                    let mut command = user.command(&words(command, provider));
                    set(&mut command, provider, names, &stranger);
                    let done = Done::of(&mut command);
                    done.assert_failed(1, &stranger.host);
                    let kit = user.kit.base_url().trim_start_matches("http://");
                    let flag = format!("add --trust-endpoint {}, or", stranger.host);
                    for printed in [kit, &variable(provider, names[0]), &flag] {
                        assert!(done.err.contains(printed), "{printed}: {done:?}");
                    }
                }
                let mut command = user.command(&["status", provider]);
                set(&mut command, provider, names, &stranger);
                let done = Done::of(&mut command);
                assert_eq!(done.code, Some(0), "{done:?}");
                assert!(done.out.contains("it was not sent to"), "{done:?}");
                assert!(done.out.contains(&stranger.host), "{done:?}");
            }
            assert_eq!(fs::read(&file).unwrap(), before, "{provider}");
            assert_eq!(stranger.seen(), "", "{provider}");
        }
    }
}

#[test]
fn the_server_and_the_variable_that_are_at_fault_are_named_and_no_others() {
    let (user, stranger) = (User::new(), Stranger::new());
    user.sign_in(&["minimax"]);
    let base = variable("minimax", "BASE_URL");
    for is_base_set in [true, false] {
        let mut command = user.command(&["token", "minimax"]);
        set(&mut command, "minimax", &["API_BASE"], &stranger);
        if !is_base_set {
            command.env_remove(&base);
        }
        let done = Done::of(&mut command);
        let fault = format!(
            "it was not sent to http://{} (set by LLM_AUTH_MINIMAX_API_BASE)",
            stranger.host
        );
        done.assert_failed(1, &fault);
        assert!(!done.err.contains(&base), "{done:?}");
        assert!(!done.err.contains("account.minimax.io"), "{done:?}");
        assert!(
            done.err.contains("unset LLM_AUTH_MINIMAX_API_BASE; or"),
            "{done:?}"
        );
    }
    // The default is at fault.
    let mut command = user.command(&["token", "minimax"]);
    set(
        &mut command,
        "minimax",
        &["AUTHORIZATION_ENDPOINT"],
        &stranger,
    );
    let done = Done::of(command.env_remove(&base));
    done.assert_failed(
        1,
        "it was not sent to account.minimax.io (the default, since",
    );
    assert!(
        done.err
            .contains(&format!("set {base} as when you signed in"))
    );
    assert!(!done.err.contains(&stranger.host), "{done:?}");
    assert_eq!(stranger.seen(), "");
}

#[test]
fn endpoints_of_sign_ins_alone_do_not_stop_a_session() {
    for provider in PROVIDERS {
        let (user, stranger) = (User::new(), Stranger::new());
        user.sign_in(&[provider]);
        user.expire(provider);
        let mut command = user.command(&["token", provider]);
        set(&mut command, provider, &FOR_SIGN_INS, &stranger);
        assert_eq!(Done::of(&mut command).code, Some(0), "{provider}");
        assert_eq!(stranger.seen(), "");
    }
}

#[test]
fn a_session_that_records_no_server_belongs_to_the_provider_s_own_unless_a_flag_trusts_another() {
    for (provider, own) in [
        ("qwen", "chat.qwen.ai"),
        ("minimax", "account.minimax.io"),
        ("gemini", "oauth2.googleapis.com"),
    ] {
        let user = User::new();
        user.sign_in(&[provider]);
        user.expire(provider);
        let file = user.file(provider, "default");
        let mut session = read(&file);
        let kit = user.kit.base_url();
        assert_eq!(session["llm_auth"]["server"], kit);
        session["llm_auth"]
            .as_object_mut()
            .unwrap()
            .remove("server");
        fs::write(&file, session.to_string()).unwrap();
        // From here on nothing is trusted but by flags.
        user.trust(&[]);
        let done = user.run(&["token", provider]);
        done.assert_failed(1, own);
        assert!(
            done.err.contains(kit.trim_start_matches("http://")),
            "{done:?}"
        );
        let elsewhere = ["token", provider, "--trust-endpoint", "relay.example"];
        user.run(&elsewhere).assert_failed(1, own);
        assert_eq!(fs::read(&file).unwrap(), session.to_string().as_bytes());
        let done = user.run(&["token", provider, "--trust-endpoint", kit]);
        assert_eq!(done.code, Some(0), "{done:?}");
        // It has responded, so it is recorded, and the next call needs no flag.
        assert_eq!(read(&file)["llm_auth"]["server"], kit);
        let done = user.run(&["token", provider, "--force-refresh"]);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

#[test]
fn a_session_of_an_older_version_with_host_and_port_alone_goes_on() {
    for provider in PROVIDERS {
        let user = User::with_expired_session(provider);
        user.trust(&[]);
        let file = user.file(provider, "default");
        let mut session = read(&file);
        let kit = user.kit.base_url();
        session["llm_auth"]["server"] = kit.trim_start_matches("http://").into();
        fs::write(&file, session.to_string()).unwrap();
        let done = user.run(&["token", provider]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(read(&file)["llm_auth"]["server"], kit);
    }
}

#[test]
fn an_imported_session_belongs_to_the_provider_whatever_the_environment_sets() {
    let (user, stranger) = (User::new(), Stranger::new());
    let file = user.directory.path().join("session.json");
    let tokens = json!({"access": "made-up", "refresh": "made-up-refresh", "expires": 1});
    fs::write(&file, tokens.to_string()).unwrap();
    let file = file.to_str().unwrap();
    for (provider, own) in [
        ("qwen", "https://chat.qwen.ai"),
        ("minimax", "https://account.minimax.io"),
    ] {
        let import_session = ["import", "gochat", "--take-over", "--vendor", provider];
        let mut command = user.command(&[&import_session[..], &["--file", file]].concat());
        command.env(variable(provider, "CLIENT_ID"), "made-up-client");
        set(&mut command, provider, &FOR_SESSIONS, &stranger);
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        let stored = read(&user.file(provider, "default"));
        assert_eq!(stored["llm_auth"]["server"], own);
        // The client is that of the program which made the session.
        let client = &stored["llm_auth"]["context"]["client_id"];
        assert_ne!(client, "made-up-client");
        let mut command = user.command(&["token", provider]);
        set(&mut command, provider, &FOR_SESSIONS, &stranger);
        Done::of(&mut command).assert_failed(1, &stranger.host);
    }
    assert_eq!(stranger.seen(), "");
}

#[test]
fn a_proxy_sees_only_the_name_of_the_provider_s_host() {
    for (provider, own) in [
        ("qwen", "chat.qwen.ai"),
        ("minimax", "account.minimax.io"),
        ("gemini", "oauth2.googleapis.com"),
    ] {
        for name in ["HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            let (user, stranger) = (User::with_expired_session(provider), Stranger::new());
            let file = user.file(provider, "default");
            // At the simulated provider on this computer no proxy is asked.
            let mut command = user.command(&["token", provider]);
            let done = Done::of(command.env(name, stranger.url("")));
            assert_eq!(done.code, Some(0), "{done:?}");
            user.expire(provider);
            let secrets = secrets(&user, &file);
            let mut session = read(&file);
            session["llm_auth"]
                .as_object_mut()
                .unwrap()
                .remove("server");
            fs::write(&file, session.to_string()).unwrap();
            let mut command = user.command(&["logout", provider, "--timeout", "5"]);
            if provider != "gemini" {
                command = user.command(&["token", provider, "--timeout", "5"]);
            }
            command.env_remove(variable(provider, "BASE_URL"));
            let done = Done::of(command.env(name, stranger.url("")));
            assert!(done.err.contains(own) || provider == "gemini", "{done:?}");
            let seen = stranger.seen();
            assert!(seen.starts_with(&format!("CONNECT {own}:443")), "{seen}");
            assert_holds_no_secret(&seen, &secrets);
        }
    }
}

#[test]
fn status_shows_the_api_of_each_session() {
    for provider in PROVIDERS {
        let user = User::new();
        user.sign_in(&[provider]);
        let done = user.run(&["status", provider]);
        let api = done
            .out
            .lines()
            .find(|line| line.trim_start().starts_with("API"));
        assert!(
            api.is_some_and(|line| line.contains(user.kit.base_url())),
            "{done:?}"
        );
        let status = user.run(&["status", provider, "--json"]).json();
        assert_eq!(status["sessions"][0]["endpoints_refused"], Value::Null);
    }
}

#[test]
fn a_variable_of_an_endpoint_that_a_provider_lacks_stops_no_session() {
    for (provider, last) in [
        ("qwen", "REVOCATION_ENDPOINT"),
        ("qwen", "USERINFO_ENDPOINT"),
        ("minimax", "REVOCATION_ENDPOINT"),
        ("minimax", "USERINFO_ENDPOINT"),
    ] {
        let (user, stranger) = (User::new(), Stranger::new());
        user.sign_in(&[provider]);
        let mut command = user.command(&["token", provider]);
        set(&mut command, provider, &[last], &stranger);
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(stranger.seen(), "");
    }
}

#[test]
fn a_revocation_endpoint_of_the_environment_is_for_the_sessions_that_have_one() {
    let (user, stranger) = (User::new(), Stranger::new());
    user.sign_in(&["minimax"]);
    let file = user.file("minimax", "default");
    let mut session = read(&file);
    session["llm_auth"]["context"]["dialect"] = "mcode".into();
    fs::write(&file, session.to_string()).unwrap();
    let revocation = ["REVOCATION_ENDPOINT"];
    for command in [&["token"][..], &["logout"]] {
        let mut command = user.command(&words(command, "minimax"));
        set(&mut command, "minimax", &revocation, &stranger);
        let done = Done::of(&mut command);
        done.assert_failed(1, &stranger.host);
        let flag = format!("add --trust-endpoint {}, or", stranger.host);
        assert!(done.err.contains(&flag), "{done:?}");
    }
    let mut command = user.command(&["status", "minimax"]);
    set(&mut command, "minimax", &revocation, &stranger);
    let done = Done::of(&mut command);
    assert!(done.out.contains("it was not sent to"), "{done:?}");
    // The user trusts the server, which rejects the request.
    let trusting = ["logout", "minimax", "--trust-endpoint", &stranger.host];
    let mut command = user.command(&trusting);
    set(&mut command, "minimax", &revocation, &stranger);
    let done = Done::of(&mut command);
    let seen = stranger.seen();
    assert!(seen.starts_with("POST /x"), "{done:?}: {seen}");
}

#[test]
fn a_quota_project_of_the_environment_does_not_stay_with_a_session() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let file = user.file("gemini", "default");
    let mut session = read(&file);
    let context = session["llm_auth"]["context"].as_object_mut().unwrap();
    context.remove("quota_project");
    session["expires"] = 1.into();
    fs::write(&file, session.to_string()).unwrap();
    let mut command = user.command(&["token", "gemini"]);
    command.env("LLM_AUTH_GEMINI_QUOTA_PROJECT", "made-up-project");
    assert_eq!(Done::of(&mut command).code, Some(0));
    let stored = read(&file);
    assert_eq!(stored["llm_auth"]["context"]["quota_project"], json!(null));
}

#[test]
fn a_gateway_that_the_user_trusts_is_the_api_of_the_session() {
    let (user, gateway) = (User::new(), Stranger::new());
    user.sign_in(&["qwen"]);
    let run = |words: &[&str]| {
        let mut command = user.command(words);
        set(&mut command, "qwen", &["API_BASE"], &gateway);
        Done::of(&mut command)
    };
    run(&["token", "qwen"]).assert_failed(1, "LLM_AUTH_QWEN_API_BASE");
    let trusted = ["token", "qwen", "--json", "--trust-endpoint", &gateway.host];
    let done = run(&trusted);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["api_base"], gateway.url("/x/v1"));
    // It may verify the token too.
    let verified = [&trusted[..], &["--verify"]].concat();
    assert_eq!(run(&verified).code, Some(0));
    let seen = gateway.seen();
    assert!(seen.starts_with("GET /x/v1/models "), "{seen}");
}

#[test]
fn a_session_of_another_server_stays_with_it_when_the_variable_has_gone() {
    let user = User::new();
    for provider in ["qwen", "minimax", "gemini", "huggingface", "github"] {
        user.sign_in(&[provider]);
    }
    for provider in ["openrouter", "poe"] {
        let done = user.sign_in_with_browser(&["login", provider, "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let names = user.kit.env().into_iter().map(|(name, _)| name);
    let names: Vec<_> = names.filter(|name| name.ends_with("_BASE_URL")).collect();
    let without = |args: &[&str]| {
        let mut command = user.command(args);
        for name in &names {
            command.env_remove(name);
        }
        Done::of(&mut command)
    };
    for provider in [
        "qwen",
        "minimax",
        "gemini",
        "huggingface",
        "github",
        "openrouter",
        "poe",
    ] {
        let done = without(&["token", provider, "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let api = done.json()["api_base"].as_str().unwrap().to_owned();
        assert!(api.starts_with(user.kit.base_url()), "{provider}: {api}");
        // Nothing but this computer can be reached from here.
        let done = without(&["token", provider, "--verify", "--timeout", "2"]);
        if provider == "huggingface" {
            // It asks the server that issued the session.
            done.assert_failed(1, "it was not sent to huggingface.co");
            let advice = "set LLM_AUTH_HUGGINGFACE_BASE_URL as when you signed in";
            assert!(done.err.contains(advice), "{done:?}");
            continue;
        }
        assert_eq!(done.code, Some(0), "{provider}: {done:?}");
    }
}
