//! `llm-auth doctor`: it names what stands in the way and touches no credential.

use std::fs;

use llm_auth_testkit::{Fault, Operation};
use serde_json::Value;

use crate::support::done::Done;

use crate::support::session_file::read;

use crate::support::user::User;

/// The checks of a report with this id.
fn checks(done: &Done, id: &str) -> Vec<Value> {
    let report = done.json();
    assert_eq!(report["v"], 1);
    let all = report["checks"].as_array().unwrap();
    for check in all {
        assert!(
            check["id"].is_string() && check["message"].is_string(),
            "{check}"
        );
        assert!(["ok", "note", "warn", "fail"].contains(&check["status"].as_str().unwrap()));
    }
    all.iter()
        .filter(|check| check["id"] == id)
        .cloned()
        .collect()
}

fn endpoint(done: &Done, vendor: &str, name: &str) -> Value {
    let mut found = checks(done, "endpoint");
    found.retain(|check| check["vendor"] == vendor && check["name"] == name);
    assert_eq!(found.len(), 1, "{done:?}");
    found.remove(0)
}

#[test]
fn where_all_is_well_every_endpoint_is_named_and_the_exit_code_is_0() {
    let user = User::new();
    let done = user.run(&["doctor"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for words in [
        "proxy: none is set",
        "the first sign-in makes it",
        "not signed in",
        "2026-04-15",
        "qwen: device authorization endpoint",
        "minimax: token endpoint",
        "gemini: authorization endpoint",
        "agrees with the vendors' clocks",
    ] {
        assert!(done.out.contains(words), "{words}: {done:?}");
    }
    assert_eq!(
        checks(&user.run(&["doctor", "--json"]), "endpoint").len(),
        8
    );
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
fn a_web_page_with_status_200_is_told_as_one() {
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

/// The session is as it was, no request carried anything of it, and nothing of it was said.
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
fn an_endpoint_in_trouble_is_a_warning_and_one_that_is_gone_a_failure() {
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
    assert!(check["message"].as_str().unwrap().contains("is not there"));
}

#[test]
fn nobody_there_is_a_failure_in_the_words_of_the_system() {
    let user = User::new();
    let output = user
        .command(&["doctor", "gemini", "--json"])
        .env("LLM_AUTH_GEMINI_TOKEN_ENDPOINT", "http://127.0.0.1:1/token")
        .output();
    let done = Done::from(output.unwrap());
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
fn a_corrupt_session_is_named_and_the_others_are_counted() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["minimax"]);
    fs::write(user.file("qwen", "default"), "{\"access\": \"made-up-tok").unwrap();
    let done = user.run(&["doctor", "--offline", "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let broken = &checks(&done, "session")[0];
    assert!(
        broken["message"].as_str().unwrap().contains("qwen"),
        "{broken}"
    );
    assert!(!done.out.contains("made-up-tok"), "{done:?}");
    assert_eq!(checks(&done, "sessions")[0]["valid"], 1);
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
fn a_proxy_is_shown_without_its_password_and_a_variable_that_is_wrong_is_a_check() {
    let user = User::new();
    let output = user
        .command(&["doctor", "--offline", "--json"])
        .env(
            "HTTPS_PROXY",
            "http://mia:made-up-password@proxy.example:3128/x",
        )
        .env("LLM_AUTH_CA_FILE", "/nowhere/company.pem")
        .output();
    let done = Done::from(output.unwrap());
    assert_eq!(done.code, Some(1), "{done:?}");
    let proxy = &checks(&done, "proxy")[0];
    assert_eq!(proxy["proxy"], "http://proxy.example:3128");
    assert!(!done.out.contains("made-up-password") && !done.err.contains("made-up-password"));
    let ca = checks(&done, "ca");
    assert_eq!((ca.len(), &ca[0]["status"]), (1, &"fail".into()));
    let message = ca[0]["message"].as_str().unwrap();
    assert!(message.contains("LLM_AUTH_CA_FILE"), "{message}");
}

#[test]
fn no_part_of_a_password_is_shown_however_the_proxy_is_written() {
    let user = User::new();
    for proxy in [
        "http://mia:made-up/x@proxy.example:3128",
        "http://mia:made-up#x@proxy.example:3128",
        "mia:made-up@proxy.example:3128",
        "mia:1234/made-up@proxy.example:3128",
        "garbage://mia:made-up@proxy.example",
    ] {
        let output = user
            .command(&["doctor", "--offline", "--json"])
            .env("HTTPS_PROXY", proxy)
            .output();
        let done = Done::from(output.unwrap());
        for secret in ["made-up", "mia", "1234"] {
            assert!(
                !done.out.contains(secret) && !done.err.contains(secret),
                "{proxy}: {done:?}"
            );
        }
    }
}

#[test]
fn a_way_out_that_cannot_be_used_is_told_once_and_nothing_is_asked() {
    let user = User::new();
    let output = user
        .command(&["doctor", "qwen", "--json"])
        .env("ALL_PROXY", "garbage://proxy.example")
        .output();
    let done = Done::from(output.unwrap());
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(checks(&done, "proxy")[0]["status"], "fail");
    assert_eq!(checks(&done, "endpoints").len(), 1);
    assert!(checks(&done, "endpoint").is_empty());
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let user = User::new();
    let output = user
        .command(&["doctor", "qwen", "--json"])
        .env("LLM_AUTH_QWEN_BASE_URL", "https://vendor.example")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .output();
    let done = Done::from(output.unwrap());
    let check = endpoint(&done, "qwen", "token endpoint");
    let advice = check["advice"].as_str().unwrap();
    assert!(
        advice
            .contains("check that the proxy http://127.0.0.1:1 (set by HTTPS_PROXY) is reachable")
    );
    assert_eq!(check["set_by"], "LLM_AUTH_QWEN_BASE_URL");
}

#[test]
fn what_is_no_oauth_endpoint_is_not_called_one() {
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
fn a_page_that_leads_to_another_host_is_a_warning_and_to_its_own_none() {
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
fn what_a_first_sign_in_would_lack_is_told() {
    let user = User::new();
    let output = user
        .command(&["doctor", "gemini", "--offline", "--json"])
        .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
        .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
        .output();
    let done = Done::from(output.unwrap());
    let client = &checks(&done, "client")[0];
    assert_eq!(client["status"], "warn");
    assert!(client["advice"].as_str().unwrap().contains("--client-file"));
    let output = user
        .command(&["doctor", "gemini", "--offline"])
        .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
        .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
        .output();
    let said = Done::from(output.unwrap()).out;
    assert!(said.contains("gemini: there is no OAuth client"), "{said}");
    assert!(!said.contains("gemini: gemini:"), "{said}");
    assert!(checks(&user.run(&["doctor", "--offline", "--json"]), "client").is_empty());
}

#[test]
fn a_variable_that_nobody_reads_is_named() {
    let user = User::new();
    let output = user
        .command(&["doctor", "--offline", "--json"])
        .env("LLM_AUTH_QWNE_BASE_URL", "http://made-up.example")
        .env("LLM_AUTH_LOG", "off")
        .output();
    let done = Done::from(output.unwrap());
    let unknown = checks(&done, "variable");
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert_eq!(unknown[0]["variable"], "LLM_AUTH_QWNE_BASE_URL");
    assert!(!done.out.contains("made-up.example"));
}

#[test]
fn a_session_that_needs_a_sign_in_and_settings_that_cannot_be_read_are_told() {
    let user = User::with_expired_session("qwen");
    user.kit.qwen().revoke_families();
    assert_eq!(user.run(&["token", "qwen"]).code, Some(3));
    fs::write(user.directory.path().join("home/settings.json"), "{").unwrap();
    let done = user.run(&["doctor", "--offline", "--json"]);
    let session = &checks(&done, "session")[0];
    assert_eq!(
        (&session["status"], &session["vendor"]),
        (&"warn".into(), &"qwen".into())
    );
    assert_eq!(checks(&done, "settings")[0]["status"], "fail");
    // Of another vendor it is no topic.
    let done = user.run(&["doctor", "gemini", "--offline", "--json"]);
    assert!(checks(&done, "session").is_empty());
    assert!(checks(&done, "sessions")[0]["refused"].is_null());
}

#[test]
fn the_region_that_somebody_is_signed_in_to_is_asked_too() {
    let user = User::new();
    user.sign_in(&["minimax", "--region", "cn"]);
    // The names of the real hosts, which nobody can reach from here.
    let output = user
        .command(&["doctor", "minimax", "--json"])
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

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_others_may_enter_is_a_warning() {
        let user = User::new();
        user.sign_in(&["qwen"]);
        let directory = user.directory.path().join("home/sessions");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let store = &checks(&done, "store")[0];
        assert_eq!(store["status"], "warn");
        let left: Vec<_> = fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_store_that_cannot_be_a_folder_is_a_failure() {
        let user = User::new();
        fs::write(user.directory.path().join("home"), "a file").unwrap();
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(
            checks(&done, "store")
                .iter()
                .any(|check| check["status"] == "fail")
        );
    }

    #[test]
    fn a_lock_that_is_held_is_told_with_its_holder() {
        let user = User::new();
        user.sign_in(&["qwen"]);
        let mut lock = user.file("qwen", "default").into_os_string();
        lock.push(".lock");
        let held = fs::OpenOptions::new().write(true).open(&lock).unwrap();
        held.lock().unwrap();
        fs::write(&lock, "4711").unwrap();
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let told = &checks(&done, "lock")[0];
        assert!(
            told["message"].as_str().unwrap().contains("process 4711"),
            "{told}"
        );
        // Nothing was written there.
        assert_eq!(fs::read_to_string(&lock).unwrap(), "4711");
        drop(held);
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert!(checks(&done, "lock").is_empty(), "{done:?}");
    }
}
