//! The checks of what is on this computer: sessions, settings, variables, the store.

use std::fs;

use super::checks;
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

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
fn a_missing_client_is_reported_before_the_first_sign_in() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "gemini", "--offline", "--json"])
            .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
            .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET"),
    );
    let client = &checks(&done, "client")[0];
    assert_eq!(client["status"], "warn");
    assert!(client["advice"].as_str().unwrap().contains("--client-file"));
    let output = user
        .command(&["doctor", "gemini", "--offline"])
        .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
        .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
        .output();
    let printed = Done::from(output.unwrap()).out;
    assert!(
        printed.contains("gemini: the OAuth client is not set"),
        "{printed}"
    );
    assert!(!printed.contains("gemini: gemini:"), "{printed}");
    assert!(checks(&user.run(&["doctor", "--offline", "--json"]), "client").is_empty());
}

#[test]
fn a_variable_that_no_code_reads_is_named() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "--offline", "--json"])
            .env("LLM_AUTH_QWNE_BASE_URL", "http://made-up.example")
            .env("LLM_AUTH_LOG", "off"),
    );
    let unknown = checks(&done, "variable");
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert_eq!(unknown[0]["variable"], "LLM_AUTH_QWNE_BASE_URL");
    assert!(!done.out.contains("made-up.example"));
}

#[test]
fn a_variable_of_an_endpoint_that_a_provider_lacks_is_named() {
    let user = User::new();
    let lacking = |user: &User| {
        let mut command = user.command(&["doctor", "minimax", "--offline", "--json"]);
        for last in ["REVOCATION", "TOKEN", "USERINFO"] {
            let name = format!("LLM_AUTH_MINIMAX_{last}_ENDPOINT");
            command.env(name, "https://made-up.example/x");
        }
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        let found = checks(&done, "variable").into_iter();
        found
            .map(|check| check["variable"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let userinfo = "LLM_AUTH_MINIMAX_USERINFO_ENDPOINT";
    let both = ["LLM_AUTH_MINIMAX_REVOCATION_ENDPOINT", userinfo];
    user.sign_in(&["minimax"]);
    assert_eq!(lacking(&user), both);
    // Sessions of MiniMax Code can be revoked.
    let file = user.file("minimax", "default");
    let mut session = read(&file);
    session["llm_auth"]["context"]["dialect"] = "mcode".into();
    fs::write(&file, session.to_string()).unwrap();
    assert_eq!(lacking(&user), [userinfo]);
}

#[test]
fn the_session_of_a_single_file_counts_for_the_provider_that_it_records() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    let store = file.to_str().unwrap();
    user.sign_in(&["minimax", "--store", store]);
    let mut command = user.command(&["doctor", "--store", store, "--offline", "--json"]);
    // A provider with a variable is looked at too.
    for (name, _) in user.kit.env() {
        command.env_remove(name);
    }
    let done = Done::of(&mut command);
    assert_eq!(done.code, Some(0), "{done:?}");
    let looked_at = checks(&done, "state_of_affairs");
    let names: Vec<_> = looked_at.iter().map(|check| &check["vendor"]).collect();
    assert_eq!(names, ["minimax"]);
}

#[test]
fn a_session_that_needs_a_sign_in_and_unreadable_settings_are_reported() {
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
    // Of another provider it is no topic.
    let done = user.run(&["doctor", "gemini", "--offline", "--json"]);
    assert!(checks(&done, "session").is_empty());
    assert!(checks(&done, "sessions")[0]["refused"].is_null());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_that_others_may_enter_is_a_warning() {
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
    fn a_store_that_cannot_be_a_directory_is_a_failure() {
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
    fn a_lock_that_is_held_is_reported_with_its_holder() {
        let user = User::new();
        user.sign_in(&["qwen"]);
        let mut lock = user.file("qwen", "default").into_os_string();
        lock.push(".lock");
        let held = fs::OpenOptions::new().write(true).open(&lock).unwrap();
        held.lock().unwrap();
        fs::write(&lock, "4711").unwrap();
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let lock_check = &checks(&done, "lock")[0];
        assert!(
            lock_check["message"]
                .as_str()
                .unwrap()
                .contains("process 4711"),
            "{lock_check}"
        );
        // Nothing was written there.
        assert_eq!(fs::read_to_string(&lock).unwrap(), "4711");
        drop(held);
        let done = user.run(&["doctor", "--offline", "--json"]);
        assert!(checks(&done, "lock").is_empty(), "{done:?}");
    }
}
