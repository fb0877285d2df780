//! Servers and flags that are wrong: each is a clear error, and nothing is stored.

use llm_auth_testkit::{ScriptedResponse, ScriptedServer};

use crate::oidc_provider::{OidcProvider, PUBLIC};
use crate::person::Person;
use crate::support::done::Done;

const METADATA: &str = r#"{"issuer": "{ORIGIN}", "token_endpoint": "{ORIGIN}/token",
    "authorization_endpoint": "{ORIGIN}/authorize", "registration_endpoint": "{ORIGIN}/register"}"#;

#[test]
fn an_issuer_with_a_slash_too_much_is_a_clear_error() {
    let Some(server) = OidcProvider::start("trailing slash") else {
        return;
    };
    let person = Person::new();
    let issuer = format!("{}/", server.issuer());
    let done = fails(&person, &["--issuer", &issuer, "--client-id", PUBLIC]);
    done.assert_failed(1, "exactly as the server does");
    assert!(done.err.contains(&issuer), "{done:?}");
    person.assert_nothing_stored();
}

#[test]
fn an_unknown_client_is_a_clear_error() {
    let Some(server) = OidcProvider::start("unknown client") else {
        return;
    };
    let person = Person::new();
    let args = ["--issuer", server.issuer(), "--client-id", "unknown-cli"];
    let done = fails(&person, &[&args[..], &["--device"]].concat());
    done.assert_failed(1, "invalid_client");
    assert!(!person.session_file().exists());
}

#[test]
fn an_issuer_on_plain_http_is_asked_nothing() {
    let person = Person::new();
    let done = fails(&person, &["--issuer", "http://auth.example"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains("is not https"), "{done:?}");
    person.assert_nothing_stored();
}

#[test]
fn metadata_that_are_a_web_page_are_tried_again_later() {
    let person = Person::new();
    let done = at_scripted([page(), page()], |issuer| {
        fails(&person, &["--issuer", issuer])
    });
    done.assert_failed(4, "returned a web page instead of its description");
    person.assert_nothing_stored();
}

#[test]
fn a_registration_that_returns_a_web_page_is_a_clear_error() {
    let person = Person::new();
    let script = [ScriptedResponse::json(200, METADATA), page()];
    let done = at_scripted(script, |issuer| fails(&person, &["--issuer", issuer]));
    done.assert_failed(1, "did not return a client");
    person.assert_nothing_stored();
}

#[test]
fn a_registration_that_is_rejected_is_no_usage_error_and_names_what_helps() {
    let person = Person::new();
    let rejected = ScriptedResponse::json(401, r#"{"error":"invalid_token"}"#);
    let script = [ScriptedResponse::json(200, METADATA), rejected];
    let done = at_scripted(script, |issuer| fails(&person, &["--issuer", issuer]));
    done.assert_failed(1, "rejected the registration of a client with status 401");
    assert!(done.err.contains("--registration-token-file"), "{done:?}");
    person.assert_nothing_stored();
}

/// A sign-in that comes to no page.
fn fails(person: &Person, args: &[&str]) -> Done {
    person.login(args, |event| assert_eq!(event["event"], "error", "{event}"))
}

fn page() -> ScriptedResponse {
    ScriptedResponse::json(200, "<html>Sign in</html>").header("content-type", "text/html")
}

fn at_scripted<const N: usize>(
    script: [ScriptedResponse; N],
    work: impl FnOnce(&str) -> Done,
) -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(ScriptedServer::start(script)).unwrap();
    work(server.base_url())
}
