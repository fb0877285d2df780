use std::process::Stdio;

use llm_auth_testkit::{Fault, Operation};

use crate::support::done::Done;
use crate::support::user::User;
use crate::support::wait::wait_for;

#[test]
fn a_valid_stored_token_is_printed_and_nothing_is_sent() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = user.kit.qwen().counters();
    let done = user.run(&["token", "qwen"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
    assert_eq!(user.kit.qwen().counters(), before);
}

#[test]
fn an_expired_token_is_refreshed_once_and_the_successor_is_stored() {
    for provider in ["qwen", "minimax", "gemini"] {
        let user = User::with_expired_session(provider);
        let old = user.stored(provider);
        let done = user.run(&["token", provider]);
        assert_eq!(done.code, Some(0), "{provider}: {done:?}");
        let new = user.stored(provider);
        assert_eq!(done.out.trim_end(), new["access"]);
        assert_ne!(new["access"], old["access"]);
        assert_eq!(new["refresh"] == old["refresh"], provider == "gemini");
        assert_eq!(user.run(&["token", provider]).out, done.out);
    }
}

#[test]
fn force_refresh_refreshes_a_token_that_is_still_valid() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let before = user.run(&["token", "minimax"]).out;
    let after = user.run(&["token", "minimax", "--force-refresh"]);
    assert_eq!(after.code, Some(0), "{after:?}");
    assert_ne!(after.out, before);
    assert_eq!(user.run(&["token", "minimax"]).out, after.out);
    assert_eq!(user.kit.minimax().counters().refreshes, 1);
}

#[test]
fn min_validity_decides_whether_a_refresh_is_due() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    assert_eq!(
        user.run(&["token", "qwen", "--min-validity", "600"]).code,
        Some(0)
    );
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
    let mut session = user.stored("qwen");
    let now = session["llm_auth"]["signed_in_at"].as_i64().unwrap();
    session["expires"] = (now + 300_000).into();
    session["llm_auth"]["signed_in_at"] = (now - 3_600_000).into();
    std::fs::write(user.file("qwen", "default"), session.to_string()).unwrap();
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
    assert_eq!(
        user.run(&["token", "qwen", "--min-validity", "600"]).code,
        Some(0)
    );
    assert_eq!(user.kit.qwen().counters().refreshes, 1);
    assert_eq!(
        user.run(&["token", "qwen", "--min-validity", "soon"]).code,
        Some(2)
    );
    assert_eq!(
        user.run(&["token", "qwen", "--min-validity", "-1"]).code,
        Some(2)
    );
}

#[test]
fn json_holds_what_an_api_call_needs() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["gemini"]);
    let qwen = user.run(&["token", "qwen", "--json"]).json();
    let stored = user.stored("qwen");
    assert_eq!(qwen["access_token"], stored["access"]);
    assert_eq!(qwen["token_type"], "Bearer");
    assert_eq!(qwen["expires_at_ms"], stored["expires"]);
    assert!(qwen["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(qwen["api_base"], format!("{}/v1", user.kit.base_url()));
    let gemini = user
        .command(&["token", "gemini", "--json"])
        .env("LLM_AUTH_GEMINI_QUOTA_PROJECT", "my-project")
        .output()
        .unwrap();
    let gemini = Done::from(gemini).json();
    assert_eq!(gemini["headers"]["x-goog-user-project"], "my-project");
}

#[test]
fn the_simulated_google_has_a_quota_project_so_that_its_api_accepts_the_headers() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let done = user.run(&["token", "gemini", "--format", "header"]);
    assert!(done.out.contains("\nx-goog-user-project: "), "{done:?}");
}

#[test]
fn twenty_processes_on_an_expired_session_cause_one_refresh() {
    for provider in ["qwen", "gemini"] {
        let user = User::with_expired_session(provider);
        let children: Vec<_> = (0..20).map(|_| user.start(&["token", provider])).collect();
        let done: Vec<Done> = children
            .into_iter()
            .map(|child| child.wait_with_output().unwrap().into())
            .collect();
        assert!(done.iter().all(|one| one.code == Some(0)), "{done:?}");
        assert!(done.iter().all(|one| one.out == done[0].out), "{done:?}");
        let kit = if provider == "qwen" {
            user.kit.qwen()
        } else {
            user.kit.gemini()
        };
        let seen = kit.counters();
        assert_eq!((seen.refreshes, seen.reuse), (1, 0));
    }
}

#[test]
fn the_wait_for_another_process_s_refresh_ends_at_the_timeout() {
    let user = User::with_expired_session("qwen");
    user.kit.qwen().fault(Operation::Refresh, Fault::hang());
    let mut holder = user.start(&["token", "qwen"]);
    wait_for(user.kit.qwen(), |seen| seen.refreshes > 0);
    let done = user.run(&["token", "qwen", "--timeout", "0.3"]);
    done.assert_failed(4, &format!("process {}", holder.id()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let next = user.run(&["token", "qwen"]);
    assert_eq!(
        next.code,
        Some(0),
        "the lock died with its holder: {next:?}"
    );
}

#[test]
fn a_provider_that_does_not_respond_in_time_is_a_temporary_failure() {
    let user = User::with_expired_session("minimax");
    user.kit
        .minimax()
        .fault(Operation::Refresh, Fault::hang().times(9));
    let done = user.run(&["token", "minimax", "--timeout", "0.3"]);
    done.assert_failed(4, "did not respond in time (0.3 s)");
    assert!(done.err.contains("--timeout SECONDS"), "{done:?}");
}

#[test]
fn a_reader_that_has_gone_away_is_exit_code_1_and_no_panic() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for args in [&["token", "qwen"][..], &["status", "--json"], &["--help"]] {
        let mut child = user.command(args).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = Done::from(child.wait_with_output().unwrap());
        // Whether the pipe breaks before or after the write is up to the system.
        assert!(matches!(done.code, Some(0 | 1)), "{args:?}: {done:?}");
        assert!(!done.err.contains("panicked"), "{args:?}: {done:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_exit_code_1() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = user
        .command(&["token", "qwen"])
        .stdout(full)
        .output()
        .unwrap();
    let done = Done::from(output);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .starts_with("llm-auth: cannot write to standard output"),
        "{done:?}"
    );
}

#[test]
fn a_token_with_less_than_the_wanted_validity_is_printed_with_a_warning() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    // What is stored, then what a refresh brings.
    for args in [
        &["token", "qwen", "--min-validity", "7200"][..],
        &["token", "qwen", "--min-validity", "7200", "--force-refresh"],
        &["token", "qwen", "--min-validity", "999999"],
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(done.out.lines().count(), 1, "{done:?}");
        assert!(
            done.err.contains("Qwen does not issue tokens valid for"),
            "{done:?}"
        );
    }
    let done = user.run(&["token", "qwen", "--min-validity", "600"]);
    assert_eq!(done.err, "", "{done:?}");
}

#[test]
fn the_headers_of_an_api_call_are_one_object_of_strings() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let done = user.run(&["token", "qwen", "--format", "headers-json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let headers: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&done.out).unwrap();
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    assert_eq!(headers["Authorization"], format!("Bearer {access}"));
    assert!(
        headers.values().all(serde_json::Value::is_string),
        "{headers:?}"
    );
    // What the API needs besides is there too.
    assert!(headers.len() > 1, "{headers:?}");
}

#[test]
fn a_program_that_clears_the_environment_names_the_home_by_a_flag() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let home = user.directory.path().join("home");
    let home = home.to_str().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_llm-auth"));
    let command = command.env_clear().args(["token", "qwen", "--home", home]);
    let done = Done::from(command.output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
}
