//! A token that is valid by its expiry and that the API refuses.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::time::Instant;

use llm_auth_testkit::{Fault, Operation, Provider};
use serde_json::Value;

use crate::support::done::Done;
use crate::support::user::User;
use crate::support::wait::wait_for;

fn start_with(user: &User, token: &str, args: &[&str]) -> Child {
    let mut command = user.command(args);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(token.as_bytes()).unwrap();
    child
}

fn refused(user: &User, token: &str) -> Done {
    let child = start_with(user, token, &["token", "qwen", "--refused", "-"]);
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_refused_token_is_refreshed_while_it_is_the_stored_one_and_never_again() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let old = user.run(&["token", "qwen"]).out;
    for _ in 0..3 {
        let done = refused(&user, &old);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert_ne!(done.out, old);
        assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
    }
    assert_eq!(user.kit.qwen().counters().refreshes, 1);
}

#[test]
fn a_refused_token_may_be_the_value_of_a_pasted_header_and_what_is_no_token_is_an_error() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for (number, scheme) in ["Bearer ", "bearer ", "BEARER  "].into_iter().enumerate() {
        let old = user.run(&["token", "qwen"]).out;
        let done = refused(&user, &format!("{scheme}{old}"));
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert_ne!(done.out, old);
        let refreshes = user.kit.qwen().counters().refreshes;
        assert_eq!(refreshes, number as u64 + 1);
    }
    let before = user.kit.qwen().counters();
    // The variable was empty.
    refused(&user, "Bearer ").assert_failed(2, "found no token");
    for wrong in ["Authorization: Bearer made-up-token", "made-up\nmade-up"] {
        let done = refused(&user, wrong);
        done.assert_failed(2, "not valid in a token");
        done.assert_no_secret(&["made-up"]);
    }
    let old = user.run(&["token", "qwen"]).out;
    let old = old.trim_end();
    for quoted in [
        format!("\"{old}\"\n"),
        format!("'{old}'"),
        format!("Bearer \"{old}\""),
        format!("{{\"access_token\":\"{old}\"}}"),
    ] {
        let done = refused(&user, &quoted);
        done.assert_failed(2, "contains quotes");
        done.assert_no_secret(&[old]);
    }
    assert_eq!(user.kit.qwen().counters(), before);
}

#[test]
fn twenty_processes_with_one_refused_token_cause_one_refresh() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let old = user.run(&["token", "qwen"]).out;
    let args = ["token", "qwen", "--refused", "-"];
    let children: Vec<Child> = (0..20).map(|_| start_with(&user, &old, &args)).collect();
    for child in children {
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(user.kit.qwen().is_live_access(done.out.trim_end()));
    }
    assert_eq!(user.kit.qwen().counters().refreshes, 1);
    assert_eq!(user.kit.qwen().counters().reuse, 0);
}

#[test]
fn a_refused_token_of_another_time_changes_nothing() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = user.kit.qwen().counters();
    let done = refused(&user, "made-up-former-token\n");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
    assert_eq!(user.kit.qwen().counters(), before);
}

#[test]
fn a_refused_token_is_read_from_standard_input_alone() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let done = user.run(&["token", "qwen", "--refused", "made-up-secret"]);
    done.assert_failed(2, "standard input");
    assert!(!done.err.contains("made-up-secret"), "{done:?}");
    refused(&user, " \n").assert_failed(2, "no token");
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
}

#[test]
fn verify_replaces_a_token_that_the_api_refuses_and_asks_once_in_a_while() {
    for (provider, of) in [
        ("qwen", Provider::Qwen),
        ("minimax", Provider::MiniMax),
        ("gemini", Provider::Gemini),
        ("huggingface", Provider::HuggingFace),
        ("github", Provider::GitHub),
    ] {
        let user = User::new();
        user.sign_in(&[provider]);
        let kit = user.kit.provider(of);
        let old = user.stored(provider)["access"].clone();
        kit.expire_access_tokens();
        let plain = user.run(&["token", provider]);
        assert_eq!(plain.out.trim_end(), old, "{provider}");
        for _ in 0..3 {
            let done = user.run(&["token", provider, "--verify"]);
            assert_eq!(done.code, Some(0), "{provider}: {done:?}");
            assert_eq!(done.err, "", "{provider}");
            assert!(kit.is_live_access(done.out.trim_end()), "{provider}");
        }
        let counters = kit.counters();
        assert_eq!(counters.refreshes, 1, "{provider}");
        // Without a project, Google's API denies a request whose token it accepts.
        let denied = |violation: &String| violation.contains("x-goog-user-project");
        assert!(kit.violations().iter().all(denied), "{provider}");
    }
}

#[test]
fn twenty_processes_that_verify_ask_the_api_once_about_each_token() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.kit.qwen().expire_access_tokens();
    let args = ["token", "qwen", "--verify"];
    let started = Instant::now();
    let children: Vec<Child> = (0..20).map(|_| user.start(&args)).collect();
    for child in children {
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
        assert!(user.kit.qwen().is_live_access(done.out.trim_end()));
    }
    let counters = user.kit.qwen().counters();
    assert_eq!(counters.refreshes, 1);
    // A response counts for 3 seconds, and a slow computer takes longer for all of them.
    let most = 1 + started.elapsed().as_secs() / 3;
    let asked = (counters.chats_refused, counters.chats_ok);
    assert!(asked.0 <= most && asked.1 <= most, "{asked:?}");
}

#[test]
fn verify_refreshes_once_if_the_server_returns_the_refused_token_again() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let (qwen, access) = (user.kit.qwen(), user.stored("qwen")["access"].clone());
    qwen.fault(Operation::Chat, Fault::response(401, "no").times(100));
    let same = Fault::patch(serde_json::json!({ "access_token": access }));
    qwen.fault(Operation::Refresh, same.times(100));
    for number in 0..4 {
        let done = user.run(&["token", "qwen", "--verify"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(done.out.trim_end(), access);
        let is_said = done.err.contains("refuses even a fresh access token");
        assert_eq!(is_said, number == 0, "{number}: {done:?}");
    }
    assert_eq!(qwen.counters().refreshes, 1);
}

#[test]
fn a_killed_process_that_was_asking_the_api_stops_no_other() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let qwen = user.kit.qwen();
    qwen.fault(Operation::Chat, Fault::hang());
    let mut first = user.start(&["token", "qwen", "--verify"]);
    wait_for(qwen, |seen| seen.faults == 1);
    let mut second = user.start(&["token", "qwen", "--verify", "-v"]);
    let mut log = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("another process asks the API")));
    first.kill().unwrap();
    first.wait().unwrap();
    let done = Done::from(second.wait_with_output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    assert_eq!(done.out.trim_end(), access);
    assert_eq!(qwen.counters().chats_ok, 1);
    for entry in std::fs::read_dir(user.directory.path().join("home/verified")).unwrap() {
        let content = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!content.contains(&access), "{content}");
    }
}

#[test]
fn verify_does_not_refresh_a_token_that_the_api_accepts() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for _ in 0..3 {
        let done = user.run(&["token", "qwen", "--verify"]);
        assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
    }
    let counters = user.kit.qwen().counters();
    assert_eq!((counters.refreshes, counters.chats_ok), (0, 1));
}

#[test]
fn verify_hands_out_the_token_if_the_api_is_down() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.kit
        .qwen()
        .fault(Operation::Chat, Fault::response(503, "busy"));
    let done = user.run(&["token", "qwen", "--verify"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out.trim_end(), user.stored("qwen")["access"]);
    assert!(done.err.contains("not verified"), "{done:?}");
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
}

#[test]
fn verify_asks_for_a_sign_in_if_a_refused_token_cannot_be_refreshed() {
    let user = User::new();
    user.sign_in_with_browser(&["login", "openrouter", "--json"]);
    user.kit.openrouter().expire_access_tokens();
    let done = user.run(&["token", "openrouter", "--verify"]);
    done.assert_failed(3, "openrouter");
    assert_eq!(done.out, "");
}

#[test]
fn every_format_holds_the_token_as_its_reader_wants_it() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    let printed = |args: &[&str]| {
        let done = user.run(&[&["token", "qwen", "--format"], args].concat());
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{args:?}");
        done.out
    };
    assert_eq!(printed(&["raw"]).trim_end(), access);
    let header = printed(&["header"]);
    assert!(header.contains(&format!("Authorization: Bearer {access}\n")));
    assert!(
        header.contains("X-DashScope-AuthType: qwen-oauth\n"),
        "{header}"
    );
    let exported = printed(&["env"]);
    assert_eq!(
        exported,
        format!("export LLM_AUTH_ACCESS_TOKEN='{access}'\n")
    );
    let of_aider = printed(&["env", "--as", "aider"]);
    assert!(
        of_aider.contains("export OPENAI_API_BASE='http"),
        "{of_aider}"
    );
    let powershell = printed(&["powershell", "--env", "OPENAI_API_KEY"]);
    assert_eq!(powershell, format!("$env:OPENAI_API_KEY = '{access}'\n"));
    let fish = printed(&["fish"]);
    assert_eq!(fish, format!("set -gx LLM_AUTH_ACCESS_TOKEN '{access}'\n"));
    let credential: Value = serde_json::from_str(&printed(&["exec-credential"])).unwrap();
    assert_eq!(credential["kind"], "ExecCredential");
    assert_eq!(credential["status"]["token"], access);
    assert!(credential["status"]["expirationTimestamp"].is_string());

    let done = user.run(&["token", "qwen", "--as", "aider"]);
    done.assert_failed(2, "--format env");
}

#[test]
fn no_tool_starts_with_a_token_that_it_would_send_to_a_server_of_its_own_choice() {
    let user = User::new();
    let issuer = format!("{}/standard", user.kit.base_url());
    let server = [
        "--issuer",
        &issuer,
        "--client-id",
        "testkit-client",
        "--name",
        "company",
    ];
    let done = user.run(&[&["login", "oidc", "--device"], &server[..]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = user.run(&["exec", "company", "--as", "openai", "--", "env"]);
    done.assert_failed(1, "would send its token elsewhere");
    assert_eq!(done.out, "");
}

#[test]
fn exec_sets_the_variables_of_a_tool_and_no_others() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let access = user.stored("minimax")["access"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut command = user.command(&["exec", "minimax", "--as", "claude-code", "--", "env"]);
    let output = command
        .env("ANTHROPIC_API_KEY", "made-up-other-key")
        .output();
    let done = Done::from(output.unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out
            .contains(&format!("ANTHROPIC_AUTH_TOKEN={access}\n"))
    );
    assert!(done.out.contains("ANTHROPIC_BASE_URL=http"), "{done:?}");
    assert!(!done.out.contains("ANTHROPIC_API_KEY"), "{done:?}");
    assert!(!done.out.contains("LLM_AUTH_ACCESS_TOKEN"), "{done:?}");
    for (provider, tool, why) in [
        ("minimax", "aider", "needs an OpenAI-style API"),
        ("minimax", "copilot", "sends its token to github"),
        ("minimax", "huggingface", "sends its token to huggingface"),
    ] {
        let done = user.run(&["exec", provider, "--as", tool, "--", "env"]);
        done.assert_failed(2, why);
        assert_eq!(done.out, "");
    }
    let both = user.run(&[
        "exec", "minimax", "--as", "aider", "--env", "X", "--", "env",
    ]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
