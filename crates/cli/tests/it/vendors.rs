//! The vendors that document a sign-in for third parties: from the sign-in to an authorized request.

use std::time::Duration;

use llm_auth_testkit::{Approval, Fault, Operation, ProviderKit};
use serde_json::Value;

use crate::support::browser::{chat, final_url, parameter};
use crate::support::done::Done;
use crate::support::from_afar::FromAfar;
use crate::support::user::User;

/// The stored token is printed, and the API takes it.
fn hands_out(user: &User, kit: &ProviderKit) -> String {
    let name = kit.provider().name();
    let done = user.run(&["token", name]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let token = done.out.trim_end().to_owned();
    assert_eq!(chat(&kit.chat_url(), &token), 200);
    assert_eq!(kit.violations(), Vec::<String>::new());
    token
}

fn row(user: &User, provider: &str) -> Value {
    let done = user.run(&["status", provider, "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    done.json()["sessions"][0].clone()
}

/// `status` shows a session that never expires as such.
fn is_for_ever(user: &User, provider: &str) {
    let shown = row(user, provider);
    assert_eq!(shown["state"], "valid", "{shown}");
    assert_eq!(shown["expires_at"], Value::Null, "{shown}");
    assert_eq!(shown["renewable"], false, "{shown}");
    let done = user.run(&["status", provider]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("does not expire"), "{done:?}");
}

/// The session is gone here, and the user hears how to end the copies of its token.
fn ends(user: &User, provider: &str, page: &str) {
    let done = user.run(&["logout", provider]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("does not support revocation"), "{done:?}");
    assert!(done.err.contains(page), "{done:?}");
    assert!(!user.file(provider, "default").exists());
}

#[test]
fn openrouter_gives_a_key_for_a_sign_in_in_the_browser() {
    let user = User::new();
    let done = user.sign_in_with_browser(&["login", "openrouter", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let key = hands_out(&user, user.kit.openrouter());
    assert!(key.starts_with("sk-or-v1-"), "{key}");
    done.assert_no_secret(&[&key]);
    is_for_ever(&user, "openrouter");
    // There is nothing to refresh it with.
    let done = user.run(&["token", "openrouter", "--force-refresh"]);
    done.assert_failed(3, "openrouter");
    ends(&user, "openrouter", "https://openrouter.ai/settings/keys");
    assert!(user.kit.openrouter().is_live_access(&key));
}

#[test]
fn openrouters_address_or_code_is_pasted_where_no_browser_reaches_this_computer() {
    for is_whole in [true, false] {
        let user = User::new();
        let mut login = FromAfar::begin(&user, "openrouter");
        let end = final_url(&login.url);
        assert!(end.starts_with("http://127.0.0.1:"), "{end}");
        let code = parameter(&end, "code");
        login.paste(&match is_whole {
            true => end,
            false => format!("code={code}"),
        });
        let done = login.end();
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(!done.err.contains(&code), "{done:?}");
        hands_out(&user, user.kit.openrouter());
    }
}

#[test]
fn a_denial_at_openrouter_ends_the_sign_in() {
    let user = User::with(Approval::Deny);
    let done = user.sign_in_with_browser(&["login", "openrouter", "--json"]);
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(!user.file("openrouter", "default").exists());
}

#[test]
fn a_key_that_openrouter_does_not_accept_any_more_needs_a_sign_in() {
    let user = User::new();
    user.sign_in_with_browser(&["login", "openrouter", "--json"]);
    let key = hands_out(&user, user.kit.openrouter());
    user.kit.openrouter().expire_access_tokens();
    assert_eq!(chat(&user.kit.openrouter().chat_url(), &key), 401);
    let again = user.sign_in_with_browser(&["login", "openrouter", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_ne!(hands_out(&user, user.kit.openrouter()), key);
}

#[test]
fn hugging_face_signs_in_by_a_device_code_and_in_the_browser() {
    let user = User::new();
    user.sign_in(&["huggingface"]);
    let first = hands_out(&user, user.kit.huggingface());
    let done = user.run(&["token", "huggingface", "--force-refresh"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_ne!(done.out.trim_end(), first);
    let args = ["login", "huggingface", "--flow", "browser", "--json"];
    let done = user.sign_in_with_browser(&args);
    assert_eq!(done.code, Some(0), "{done:?}");
    hands_out(&user, user.kit.huggingface());
    let address = "person@testkit.example";
    assert_eq!(row(&user, "huggingface")["identity"], address);
}

#[test]
fn poe_gives_a_key_that_does_not_expire_or_one_that_does() {
    let user = User::new();
    let done = user.sign_in_with_browser(&["login", "poe", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let key = hands_out(&user, user.kit.poe());
    assert!(key.starts_with("sk-poe-"), "{key}");
    is_for_ever(&user, "poe");
    ends(&user, "poe", "https://poe.com/api/keys");

    // The user chose an expiry.
    let day = Duration::from_secs(86_400);
    user.kit.poe().set_access_lifetime(day);
    let done = user.sign_in_with_browser(&["login", "poe", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    hands_out(&user, user.kit.poe());
    assert!(row(&user, "poe")["expires_at"].is_string());
    user.expire("poe");
    user.run(&["token", "poe"]).assert_failed(3, "poe");
}

#[test]
fn poe_without_a_client_says_where_to_create_one() {
    let user = User::new();
    let mut command = user.command(&["login", "poe"]);
    let done = Done::of(command.env_remove("LLM_AUTH_POE_CLIENT_ID"));
    done.assert_failed(1, "the OAuth client is not set");
    assert!(done.err.contains("https://poe.com/api/clients"), "{done:?}");
    assert!(done.err.contains("LLM_AUTH_POE_CLIENT_ID"), "{done:?}");
}

#[test]
fn github_signs_in_with_a_github_app_and_refreshes_without_a_secret() {
    let user = User::new();
    user.sign_in(&["github"]);
    let first = hands_out(&user, user.kit.github());
    assert!(first.starts_with("ghu_"), "{first}");
    assert_eq!(row(&user, "github")["renewable"], true);
    user.expire("github");
    assert_ne!(hands_out(&user, user.kit.github()), first);
    assert_eq!(user.kit.github().counters().refresh_ok, 1);
    // The rejection comes with status 200.
    user.kit.github().revoke_families();
    let done = user.run(&["token", "github", "--force-refresh"]);
    done.assert_failed(3, "bad_refresh_token");
    user.sign_in(&["github"]);
    let settings = "https://github.com/settings/applications";
    ends(&user, "github", settings);
}

#[test]
fn a_token_of_an_oauth_app_at_github_does_not_expire() {
    let user = User::new();
    let mut command = user.command(&["login", "github"]);
    let done = Done::of(command.env("LLM_AUTH_GITHUB_CLIENT_ID", "Ov23testkit-app"));
    assert_eq!(done.code, Some(0), "{done:?}");
    hands_out(&user, user.kit.github());
    is_for_ever(&user, "github");
    assert_eq!(user.stored("github")["refresh"], "");
}

#[test]
fn github_that_polls_are_too_fast_for_names_the_interval_and_is_waited_for() {
    let user = User::new();
    let slow_down = r#"{"error":"slow_down","interval":0.2}"#;
    let github = user.kit.github();
    github.fault(Operation::Poll, Fault::response(200, slow_down));
    github.set_slow_down_step(Duration::ZERO);
    user.sign_in(&["github"]);
    hands_out(&user, github);
    assert_eq!(github.faults_left(), 0);
}

#[test]
fn a_client_id_that_no_app_at_github_has_is_a_matter_of_configuration() {
    let user = User::new();
    let mut command = user.command(&["login", "github"]);
    let done = Done::of(command.env("LLM_AUTH_GITHUB_CLIENT_ID", "made-up-app"));
    done.assert_failed(1, "Not Found");
}
