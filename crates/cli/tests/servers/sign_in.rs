//! Both flows of a discovered server, approved without and with a real browser.

use crate::browser::tab::Tab;
use crate::oidc_provider::{EMAIL, OidcProvider, PUBLIC, approve};
use crate::person::{NAME, Person};

#[test]
fn an_issuer_and_a_client_id_are_enough_for_a_sign_in_with_a_device_code() {
    let Some(server) = OidcProvider::start("device code") else {
        return;
    };
    let person = Person::new();
    let done = server.sign_in(&person, &["--client-id", PUBLIC, "--device"]);
    let events = done.events();
    assert_eq!(events[0]["event"], "device_code", "{done:?}");
    let last = events.last().unwrap();
    assert_eq!(last["event"], "signed_in");
    assert_eq!(last["identity"], EMAIL);
    assert!(person.session()["refresh"].is_string());
    assert_eq!(server.seen("discovery").len(), 1);
    assert_eq!(server.seen("device_authorization").len(), 1);
    // The next commands need no network to know the server.
    assert_eq!(server.userinfo(&person.token()), 200);
    assert_eq!(server.seen("discovery").len(), 1);
    assert_eq!(person.run(&["status", NAME, "--check"]).code, Some(0));
}

#[test]
fn an_issuer_and_a_client_id_are_enough_for_a_sign_in_with_a_code() {
    let Some(server) = OidcProvider::start("authorization code") else {
        return;
    };
    let person = server.signed_in();
    let asked = &server.seen("authorization")[0]["params"];
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["scope"], "openid email offline_access");
    assert!(asked["nonce"].as_str().unwrap().len() > 20, "{asked}");
    let exchange = &server.grants("authorization_code")[0];
    assert_eq!(exchange["status"], 200);
    assert_eq!(exchange["authorization"], "none");
    assert_eq!(person.server()["issuer"], server.issuer());
    assert_eq!(person.server()["requires_issuer"], true);
    assert_eq!(server.userinfo(&person.token()), 200);
}

#[test]
fn a_real_browser_goes_from_the_servers_pages_to_the_last_page_of_the_command() {
    let Some(server) = OidcProvider::start("Chromium") else {
        return;
    };
    let Some(mut tab) = Tab::open("Chromium at oidc-provider") else {
        return;
    };
    let person = Person::new();
    let args = ["--issuer", server.issuer(), "--client-id", PUBLIC];
    let done = person.login(&args, |event| {
        assert!(tab.go(event["url"].as_str().unwrap()), "{event}");
        tab.type_into("input[name=login]", "made-up-user");
        tab.type_into("input[name=password]", "made-up-password");
        tab.press("button[type=submit]");
        // The server asks for the consent on a page of its own.
        tab.press("button[type=submit]");
        assert_eq!(tab.heading(), "Approved");
        assert_eq!(tab.address(), event["redirect_uri"].as_str().unwrap());
        for entry in tab.history() {
            assert!(!entry.contains("code="), "{entry}");
        }
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.events().last().unwrap()["identity"], EMAIL);
    assert_eq!(server.userinfo(&person.token()), 200);
}

#[test]
fn a_code_that_the_server_has_ended_is_a_clear_error_and_stores_no_session() {
    let Some(server) = OidcProvider::start("dead code") else {
        return;
    };
    let person = Person::new();
    let args = ["--issuer", server.issuer(), "--client-id", PUBLIC];
    let done = person.login(&args, |event| {
        let callback = approve(event);
        server.end_code(&callback);
        crate::http::get(&callback);
    });
    done.assert_failed(5, "invalid_grant");
    assert!(!person.session_file().exists());
    assert_eq!(server.grants("authorization_code").len(), 1);
}
