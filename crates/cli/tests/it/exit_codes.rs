use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::json;

use crate::support::done::Done;
use crate::support::session_file::expire;
use crate::support::user::User;

#[test]
fn the_server_s_response_to_a_refresh_decides_the_exit_code() {
    let busy = || Fault::response(503, "busy").times(9);
    let error = |status, code: &str| Fault::response(status, json!({"error": code}).to_string());
    let moved = Fault::response(308, "").header("Location", "/elsewhere");
    for (fault, code, word) in [
        (busy(), 4, "qwen"),
        (
            Fault::response(429, "").header("Retry-After", "120"),
            4,
            "qwen",
        ),
        (Fault::html(), 4, "qwen"),
        (Fault::reset().times(9), 4, "qwen"),
        (error(400, "invalid_grant"), 3, "qwen"),
        (error(401, "invalid_client"), 1, "qwen"),
        (moved, 1, "/elsewhere"),
    ] {
        let user = User::with_expired_session("qwen");
        let before = user.stored("qwen");
        let what = format!("{fault:?}");
        // The command retries some of these before it reports them.
        user.kit.qwen().fault(Operation::Refresh, fault.times(9));
        let done = user.run(&["token", "qwen"]);
        assert_eq!(done.code, Some(code), "{what}: {done:?}");
        done.assert_failed(code, word);
        assert_eq!(done.out, "");
        let after = user.stored("qwen");
        assert_eq!(after["access"], before["access"], "{what}");
        assert_eq!(after["refresh"], before["refresh"], "{what}");
    }
}

#[test]
fn a_rejected_session_names_the_command_that_helps_and_is_not_refreshed_again() {
    let user = User::new();
    user.sign_in(&["minimax", "--account", "it's me"]);
    expire(&user.file("minimax", "it%27s%20me"));
    user.kit.minimax().revoke_families();
    for _ in 0..2 {
        let done = user.run(&["token", "minimax", "--account", "it's me"]);
        done.assert_failed(3, "minimax (it's me)");
        let advice = r"`llm-auth login minimax --account 'it'\''s me'`";
        assert!(done.err.contains(advice), "{done:?}");
    }
    assert_eq!(user.kit.minimax().counters().refreshes, 1);
}

#[test]
fn a_lost_response_after_the_rotation_ends_with_sign_in_again_and_an_intact_file() {
    let user = User::with_expired_session("qwen");
    let before = user.stored("qwen");
    user.kit
        .qwen()
        .fault(Operation::Refresh, Fault::drop_connection().after());
    user.run(&["token", "qwen"]).assert_failed(3, "was lost");
    let after = user.stored("qwen");
    assert_eq!(after["access"], before["access"]);
    assert_eq!(after["refresh"], before["refresh"]);
}

#[test]
fn json_errors_are_json_on_stdout_too() {
    let user = User::new();
    let done = user.run(&["token", "qwen", "--json"]);
    done.assert_failed(3, "not signed in");
    let error = &done.json()["error"];
    assert_eq!(error["kind"], "not_signed_in");
    assert_eq!(error["exit_code"], 3);
    assert_eq!(error["vendor"], "qwen");
    assert!(
        error["advice"]
            .as_str()
            .unwrap()
            .contains("llm-auth login qwen")
    );
}

#[test]
fn a_sign_in_that_is_not_approved_is_exit_code_5() {
    let user = User::with(Approval::Deny);
    user.run(&["login", "qwen"]).assert_failed(5, "qwen");
    user.run(&["login", "minimax"]).assert_failed(5, "minimax");
    let done = user.sign_in_with_browser(&["login", "gemini", "--json"]);
    done.assert_failed(5, "gemini");
    let user = User::with(Approval::Manual);
    user.kit
        .qwen()
        .set_code_lifetime(std::time::Duration::from_secs(1));
    user.run(&["login", "qwen"]).assert_failed(5, "expired");
}

#[test]
fn a_usage_error_is_exit_code_2() {
    let user = User::new();
    let done = user.run(&["login", "unknown"]);
    assert_eq!(done.code, Some(2));
    for known in ["qwen", "minimax", "gemini"] {
        assert!(done.err.contains(known), "{done:?}");
    }
    assert_eq!(user.run(&[]).code, Some(2));
    assert_eq!(user.run(&["token"]).code, Some(2));
    assert_eq!(user.run(&["token", "qwen", "--timeout", "x"]).code, Some(2));
    user.run(&["login", "qwen", "--region", "cn"])
        .assert_failed(2, "--region");
    user.run(&["login", "qwen", "--client-file", "x"])
        .assert_failed(2, "--client-file");
    assert_eq!(user.run(&["--help"]).code, Some(0));
    assert_eq!(user.run(&["--version"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_reader_that_closes_the_pipe_early_is_no_failure() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["token", "qwen"],
        &["token", "qwen", "--json"],
        &["accounts"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["login", "--help"],
        &["doctor", "--offline"],
        &["import"],
        &["switch", "qwen", "default", "--json"],
        #[cfg(feature = "demo")]
        &["demo", "--yes"],
        &["logout", "qwen", "--json"],
    ] {
        let mut child = user.start(args);
        // Nothing is read at all.
        drop(child.stdout.take());
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        for word in ["ipe", "standard output", "panicked"] {
            assert!(!done.err.contains(word), "{args:?}: {done:?}");
        }
    }
}
