use std::collections::BTreeSet;

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::Value;

use crate::support::browser::browse;
use crate::support::done::Done;
use crate::support::user::User;

/// Every token in a stored session.
fn tokens(session: &Value) -> Vec<String> {
    let metadata = &session["llm_auth"]["client_secret"];
    [&session["access"], &session["refresh"], metadata]
        .into_iter()
        .filter_map(|secret| secret.as_str())
        .filter(|secret| !secret.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What has the form of 32 random octets in base64url, but for the `state` and the
/// `code_challenge` that an authorization URL shows by design.
fn looks_like_a_verifier(printed: &str) -> Option<&str> {
    printed
        .lines()
        .filter(|line| !line.contains("code_challenge_method=S256"))
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)))
        .find(|word| word.len() == 43)
}

#[test]
fn the_most_verbose_log_shows_no_secret() {
    for provider in ["qwen", "minimax", "gemini"] {
        let user = User::with(Approval::AutoAfterPolls(1));
        let mut secrets = BTreeSet::from([user.kit.client_secret().to_owned()]);
        let mut printed = String::new();
        let loud = |args: &[&str]| -> Done {
            let mut command = user.command(&[args, &["-vvv"]].concat());
            command
                .env("LLM_AUTH_LOG", "trace")
                .env("RUST_LOG", "trace");
            command.env("RUST_BACKTRACE", "full");
            let mut child = command.spawn().unwrap();
            let mut out = String::new();
            let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
            for _ in 0..2 {
                let mut line = String::new();
                std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
                out.push_str(&line);
                if let Ok(event) = serde_json::from_str::<Value>(&line)
                    && event["event"] == "authorization_url"
                {
                    browse(event["url"].as_str().unwrap());
                }
            }
            std::io::Read::read_to_string(&mut lines, &mut out).unwrap();
            let done = Done::from(child.wait_with_output().unwrap());
            Done { out, ..done }
        };
        let login = loud(&["login", provider, "--json"]);
        assert_eq!(login.code, Some(0), "{login:?}");
        assert!(
            login.err.contains("llm_auth_core"),
            "it does log: {login:?}"
        );
        printed.push_str(&login.out);
        printed.push_str(&login.err);
        secrets.extend(tokens(&user.stored(provider)));
        printed.push_str(&loud(&["token", provider, "--force-refresh"]).err);
        secrets.extend(tokens(&user.stored(provider)));
        user.expire(provider);
        let kit = match provider {
            "qwen" => user.kit.qwen(),
            "minimax" => user.kit.minimax(),
            _ => user.kit.gemini(),
        };
        kit.fault(Operation::Refresh, Fault::response(503, "busy"));
        kit.fault(Operation::Refresh, Fault::truncated_body());
        let failed = loud(&["token", provider, "--json"]);
        printed.push_str(&failed.err);
        secrets.extend(tokens(&user.stored(provider)));
        secrets.extend(kit.live_access_tokens());
        secrets.extend(kit.live_refresh_tokens());
        let status = loud(&["status", "--json"]);
        printed.push_str(&status.out);
        printed.push_str(&status.err);
        printed.push_str(&loud(&["logout", provider]).err);
        assert!(secrets.len() > 4, "{secrets:?}");
        for secret in &secrets {
            assert!(!printed.contains(secret), "{secret} is in:\n{printed}");
        }
        for name in [
            "device_code=",
            "code_verifier",
            "testkit-device-",
            "Bearer testkit",
        ] {
            assert!(!printed.contains(name), "{name} is in:\n{printed}");
        }
        assert_eq!(looks_like_a_verifier(&printed), None, "{printed}");
        for foreign in ["hyper", "reqwest", "rustls", "mio::"] {
            assert!(!printed.contains(foreign), "{foreign} is in:\n{printed}");
        }
    }
}

#[test]
fn a_server_that_echoes_a_secret_is_not_quoted() {
    let user = User::with_expired_session("qwen");
    let secrets = tokens(&user.stored("qwen"));
    let body = format!(
        r#"{{"error":"invalid_grant","error_description":"no {} here"}}"#,
        secrets[1]
    );
    user.kit
        .qwen()
        .fault(Operation::Refresh, Fault::response(400, body).times(9));
    let done = user.run(&["token", "qwen", "--json", "-vv"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    for secret in &secrets {
        assert!(
            !done.err.contains(secret) && !done.out.contains(secret),
            "{done:?}"
        );
    }
    let status = user.run(&["status", "--json"]);
    assert!(!status.out.contains(&secrets[1]), "{status:?}");
}
