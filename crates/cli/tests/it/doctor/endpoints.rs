//! The checks that ask the endpoints of a provider.

use std::collections::BTreeSet;
use std::fs;

use llm_auth_testkit::{Fault, Operation};
use serde_json::Value;

use super::{checks, endpoint};
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

#[test]
fn if_all_checks_pass_every_endpoint_is_named_and_the_exit_code_is_0() {
    let user = User::new();
    let done = user.run(&["doctor"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for words in [
        "proxy: not set",
        "the first sign-in creates it",
        "not signed in",
        "2026-04-15",
        "qwen: device authorization endpoint",
        "minimax: token endpoint",
        "gemini: authorization endpoint",
        "matches the providers' clocks",
    ] {
        assert!(done.out.contains(words), "{words}: {done:?}");
    }
    let asked = checks(&user.run(&["doctor", "--json"]), "endpoint");
    let asked: BTreeSet<_> = asked.iter().map(|check| check["vendor"].as_str()).collect();
    let env = user.kit.env();
    let bases = env.iter().filter(|(name, _)| name.ends_with("_BASE_URL"));
    assert_eq!(asked.len(), bases.count());
    assert_eq!(
        checks(&user.run(&["doctor", "qwen", "--json"]), "endpoint").len(),
        2
    );
}

#[test]
fn an_endpoint_that_has_moved_is_named_with_its_new_address_and_the_variable_to_set() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = fs::read(user.file("qwen", "default")).unwrap();
    let moved = Fault::response(307, "").header("Location", "https://new.example/oauth2/device");
    user.kit.qwen().fault(Operation::DeviceAuthorization, moved);
    let done = user.run(&["doctor", "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(done.json()["ok"], false);
    let check = endpoint(&done, "qwen", "device authorization endpoint");
    assert_eq!(check["status"], "fail");
    assert_eq!(check["moved_to"], "https://new.example/oauth2/device");
    let advice = check["advice"].as_str().unwrap();
    let set = "LLM_AUTH_QWEN_DEVICE_AUTHORIZATION_ENDPOINT=https://new.example/oauth2/device";
    assert!(advice.contains(set), "{advice}");
    assert_eq!(endpoint(&done, "qwen", "token endpoint")["status"], "ok");
    no_credential_was_touched(&user, &before, &done);
}

#[test]
fn a_web_page_with_status_200_is_reported_as_one() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = fs::read(user.file("qwen", "default")).unwrap();
    for place in [Operation::DeviceAuthorization, Operation::Token] {
        let page = Fault::response(
            200,
            "<html><body>Please sign in to the network</body></html>",
        );
        user.kit.qwen().fault(place, page);
    }
    let done = user.run(&["doctor", "qwen", "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    for name in ["device authorization endpoint", "token endpoint"] {
        let check = endpoint(&done, "qwen", name);
        assert_eq!(
            (&check["status"], &check["http_status"]),
            (&"fail".into(), &200.into())
        );
        let message = check["message"].as_str().unwrap();
        assert!(message.contains("web page instead of JSON"), "{message}");
        assert!(!message.contains("Please"), "{message}");
    }
    no_credential_was_touched(&user, &before, &done);
}

/// The session is as it was, no request carried anything of it, and nothing of it was printed.
fn no_credential_was_touched(user: &User, before: &[u8], done: &Done) {
    let file = user.file("qwen", "default");
    assert_eq!(fs::read(&file).unwrap(), before);
    let counters = user.kit.qwen().counters();
    assert_eq!((counters.refreshes, counters.revocations), (0, 0));
    let stored = read(&file);
    for name in ["access", "refresh"] {
        assert!(!done.out.contains(stored[name].as_str().unwrap()));
    }
    let token = user.run(&["token", "qwen"]);
    assert_eq!(token.code, Some(0), "{token:?}");
}

#[test]
fn an_endpoint_with_a_server_error_is_a_warning_and_a_missing_one_is_a_failure() {
    let user = User::new();
    user.kit
        .qwen()
        .fault(Operation::DeviceAuthorization, Fault::response(503, "busy"));
    let done = user.run(&["doctor", "qwen", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let check = endpoint(&done, "qwen", "device authorization endpoint");
    assert_eq!(check["status"], "warn");
    user.kit
        .qwen()
        .fault(Operation::DeviceAuthorization, Fault::response(404, "{}"));
    let done = user.run(&["doctor", "qwen", "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let check = endpoint(&done, "qwen", "device authorization endpoint");
    assert!(
        check["message"]
            .as_str()
            .unwrap()
            .contains("does not exist")
    );
}

#[test]
fn a_refused_connection_is_a_failure_with_the_system_s_message() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "gemini", "--json"])
            .env("LLM_AUTH_GEMINI_TOKEN_ENDPOINT", "http://127.0.0.1:1/token"),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    let check = endpoint(&done, "gemini", "token endpoint");
    assert!(
        check["message"]
            .as_str()
            .unwrap()
            .contains("cannot connect"),
        "{check}"
    );
}

#[test]
fn a_clock_that_is_wrong_is_a_warning_with_the_difference() {
    let user = User::new();
    user.kit.set_date_offset(-7200);
    let done = user.run(&["doctor", "qwen", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let clock = &checks(&done, "clock")[0];
    assert_eq!(clock["status"], "warn");
    let offset = clock["offset_seconds"].as_i64().unwrap();
    assert!((-7210..=-7190).contains(&offset), "{offset}");
    assert!(
        clock["message"]
            .as_str()
            .unwrap()
            .contains("2 hours ahead of"),
        "{clock}"
    );
}

#[test]
fn offline_nothing_is_sent() {
    let user = User::new();
    for place in [Operation::DeviceAuthorization, Operation::Token] {
        user.kit.qwen().fault(place, Fault::response(404, "{}"));
    }
    let done = user.run(&["doctor", "qwen", "--offline", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(checks(&done, "endpoint").is_empty());
    assert_eq!(user.kit.qwen().counters().faults, 0);
}

#[test]
fn a_response_of_no_oauth_endpoint_is_not_ok() {
    let user = User::new();
    for (status, body, verdict) in [
        (405, "", "fail"),
        (204, "", "warn"),
        (403, "", "warn"),
        (200, "all is well", "warn"),
        (400, "{\"error\":\"invalid_request\"}", "ok"),
    ] {
        user.kit
            .qwen()
            .fault(Operation::Token, Fault::response(status, body));
        let done = user.run(&["doctor", "qwen", "--json"]);
        let check = endpoint(&done, "qwen", "token endpoint");
        assert_eq!(check["status"], verdict, "{status} {body}: {check}");
    }
}

#[test]
fn a_page_that_redirects_to_another_host_is_a_warning_and_to_its_own_host_is_none() {
    let user = User::new();
    for (status, location, verdict) in [
        (302, "https://captive.example/login", "warn"),
        (302, "/signin", "ok"),
        (301, "/signin", "ok"),
        (308, "/signin", "ok"),
    ] {
        let leads = Fault::response(status, "").header("Location", location);
        user.kit.gemini().fault(Operation::Authorization, leads);
        let done = user.run(&["doctor", "gemini", "--json"]);
        let check = endpoint(&done, "gemini", "authorization endpoint");
        assert_eq!(check["status"], verdict, "{status} {location}: {check}");
    }
}

#[test]
fn the_region_of_a_stored_session_is_checked_too() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    for store in [&[][..], &["--store", file.to_str().unwrap()]] {
        user.sign_in(&[&["minimax", "--region", "cn"], store].concat());
        // The names of the real hosts, which no test can reach.
        let output = user
            .command(&[&["doctor", "minimax", "--json"], store].concat())
            .env_remove("LLM_AUTH_MINIMAX_BASE_URL")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .output();
        let asked = checks(&Done::from(output.unwrap()), "endpoint");
        let hosts: Vec<_> = asked.iter().map(|check| &check["endpoint"]).collect();
        for host in ["account.minimax.io", "account.minimaxi.com"] {
            let is_there = |url: &&&Value| url.as_str().unwrap().contains(host);
            assert_eq!(hosts.iter().filter(is_there).count(), 2, "{hosts:?}");
        }
    }
}

#[test]
fn an_endpoint_of_this_computer_needs_its_server_and_no_network_or_proxy() {
    let user = User::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for proxy in [None, Some("http://proxy.example:8080")] {
        let mut command = user.command(&["doctor", "qwen", "--json"]);
        command.env("LLM_AUTH_QWEN_BASE_URL", &nowhere);
        command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        let done = Done::of(&mut command);
        let check = endpoint(&done, "qwen", "token endpoint");
        let advice = check["advice"].as_str().unwrap();
        assert!(
            advice.contains("start the server at this address"),
            "{advice}"
        );
        assert!(advice.contains("LLM_AUTH_QWEN_BASE_URL"), "{advice}");
        assert!(
            !advice.contains("PROXY") && !advice.contains("proxy"),
            "{advice}"
        );
    }
}
