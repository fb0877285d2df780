//! What a sign-in sends, and to which server.

use std::fs;

use serde_json::json;

use super::stranger::{Stranger, set};
use super::{FOR_SESSIONS, FOR_SIGN_INS, assert_holds_no_secret, secrets};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_sign_in_at_another_server_prints_that_and_sends_nothing_of_the_session() {
    for provider in ["qwen", "minimax"] {
        let (user, stranger) = (User::new(), Stranger::new());
        user.sign_in(&[provider]);
        let file = user.file(provider, "default");
        let (before, secrets) = (fs::read(&file).unwrap(), secrets(&user, &file));
        let mut command = user.command(&["login", provider, "--json"]);
        let every = [&FOR_SESSIONS[..], &FOR_SIGN_INS].concat();
        set(&mut command, provider, &every, &stranger);
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(1), "{done:?}");
        let lines = done.err.lines();
        let printed = lines.filter(|line| line.contains("own servers.")).count();
        assert_eq!(printed, 1, "{done:?}");
        let event = &done.events()[0];
        assert_eq!(event["event"], "foreign_endpoints");
        let shown = event["endpoints"][0]["endpoint"].as_str().unwrap();
        assert_eq!(shown, stranger.url("/x"));
        assert_eq!(fs::read(&file).unwrap(), before);
        let seen = stranger.seen();
        assert!(seen.starts_with("POST /x"), "it is a new sign-in: {seen}");
        assert_holds_no_secret(&seen, &secrets);
    }
}

#[test]
fn a_code_or_token_of_one_server_is_not_sent_to_another() {
    for (provider, set_by) in [
        ("qwen", &["TOKEN_ENDPOINT"][..]),
        ("minimax", &["TOKEN_ENDPOINT"]),
        ("gemini", &["TOKEN_ENDPOINT"]),
        ("gemini", &["USERINFO_ENDPOINT"]),
        // An endpoint that the sign-in does not begin at changes nothing.
        ("qwen", &["AUTHORIZATION_ENDPOINT", "TOKEN_ENDPOINT"]),
        ("huggingface", &["AUTHORIZATION_ENDPOINT", "TOKEN_ENDPOINT"]),
    ] {
        let (user, stranger) = (User::new(), Stranger::new());
        let mut command = user.command(&["login", provider]);
        command.env("LLM_AUTH_HUGGINGFACE_CLIENT_ID", "made-up");
        set(&mut command, provider, set_by, &stranger);
        let done = Done::of(&mut command);
        done.assert_failed(1, &stranger.host);
        let flag = format!("add --trust-endpoint {}, or", stranger.host);
        assert!(done.err.contains(&flag), "{done:?}");
        let kit = user.kit.base_url().trim_start_matches("http://");
        let home = [kit, "oauth2.googleapis.com", "huggingface.co"];
        assert!(home.iter().any(|home| done.err.contains(home)), "{done:?}");
        assert_eq!(user.kit.qwen().counters().device_requests, 0);
        assert_eq!(user.kit.minimax().counters().device_requests, 0);
        assert_eq!(stranger.seen(), "");
    }
}

#[test]
fn the_secret_of_the_user_s_client_goes_to_the_provider_alone() {
    let (user, stranger) = (User::new(), Stranger::new());
    let client = user.directory.path().join("client_secret.json");
    fs::write(&client, user.kit.client_secret_json()).unwrap();
    let with_file = ["login", "gemini", "--client-file", client.to_str().unwrap()];
    for args in [&["login", "gemini"][..], &with_file] {
        for names in [
            &["BASE_URL"][..],
            &["TOKEN_ENDPOINT", "AUTHORIZATION_ENDPOINT"],
        ] {
            let mut command = user.command(args);
            set(&mut command, "gemini", names, &stranger);
            let done = Done::of(&mut command);
            done.assert_failed(1, &stranger.host);
            let flag = format!("add --trust-endpoint {}, or", stranger.host);
            assert!(done.err.contains(&flag), "{done:?}");
            assert!(done.err.contains("oauth2.googleapis.com"), "{done:?}");
        }
    }
    // A home of the stranger, with a session that claims to be of the stranger's server and that
    // names no client.
    let home = user.directory.path().join("stranger");
    fs::create_dir_all(home.join("sessions/gemini")).unwrap();
    let session = json!({
        "access": "made-up", "refresh": "made-up", "expires": 1,
        "llm_auth": {"provider": "gemini", "server": stranger.url("")},
    });
    fs::write(
        home.join("sessions/gemini/default.json"),
        session.to_string(),
    )
    .unwrap();
    let trusting = json!({ "trusted_endpoints": [stranger.host] }).to_string();
    fs::write(home.join("settings.json"), trusting).unwrap();
    let file = ["--client-file", client.to_str().unwrap()];
    for args in [
        &["token", "gemini"][..],
        &[&["token", "gemini"], &file[..]].concat(),
    ] {
        let mut command = user.command(args);
        set(&mut command, "gemini", &["BASE_URL"], &stranger);
        let done = Done::of(command.env("LLM_AUTH_HOME", &home));
        assert_eq!(done.code, Some(1), "{done:?}");
    }
    let seen = stranger.seen();
    assert_eq!(seen, "");
}

#[test]
fn the_endpoint_of_the_flow_that_is_not_chosen_changes_nothing() {
    let (user, stranger, other) = (User::new(), Stranger::new(), Stranger::new());
    let login = |args: &[&str]| {
        let args = [&["login", "huggingface", "--json"], args].concat();
        let mut command = user.command(&args);
        command.env("LLM_AUTH_HUGGINGFACE_CLIENT_ID", "made-up");
        // All endpoints but those of this test are the provider's own.
        command.env_remove("LLM_AUTH_HUGGINGFACE_BASE_URL");
        command
    };
    // In the browser, with and without the secret of the user's client.
    for secret in ["", "made-up-secret"] {
        let mut command = login(&["--flow", "browser", "--timeout", "0.2"]);
        command.env("LLM_AUTH_HUGGINGFACE_CLIENT_SECRET", secret);
        let device = ["DEVICE_AUTHORIZATION_ENDPOINT"];
        set(&mut command, "huggingface", &device, &stranger);
        let done = Done::of(&mut command);
        done.assert_failed(5, "in time");
        let printed = format!("{}{}", done.out, done.err);
        assert!(!printed.contains(&stranger.host), "{done:?}");
    }
    // With a device code.
    let mut command = login(&[]);
    let there = ["DEVICE_AUTHORIZATION_ENDPOINT", "TOKEN_ENDPOINT"];
    set(&mut command, "huggingface", &there, &stranger);
    set(
        &mut command,
        "huggingface",
        &["AUTHORIZATION_ENDPOINT"],
        &other,
    );
    let done = Done::of(&mut command);
    assert_eq!(done.code, Some(1), "{done:?}");
    let shown = done.events()[0]["endpoints"].as_array().unwrap().len();
    assert_eq!(shown, there.len(), "{done:?}");
    assert!(!done.err.contains(&other.host), "{done:?}");
    assert!(stranger.seen().starts_with("POST /x"));
    assert_eq!(other.seen(), "");
}

#[test]
fn a_client_secret_goes_to_no_device_endpoint_of_the_environment() {
    let (user, stranger) = (User::new(), Stranger::new());
    let mut command = user.command(&["login", "huggingface"]);
    command
        .env("LLM_AUTH_HUGGINGFACE_CLIENT_ID", "made-up")
        .env("LLM_AUTH_HUGGINGFACE_CLIENT_SECRET", "made-up-secret");
    let device = ["DEVICE_AUTHORIZATION_ENDPOINT"];
    set(&mut command, "huggingface", &device, &stranger);
    Done::of(&mut command).assert_failed(1, "was not sent");
    assert_eq!(stranger.seen(), "");
}
