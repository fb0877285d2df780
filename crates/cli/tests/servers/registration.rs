//! A client that registers itself, and outlives the sessions.

use crate::oidc_provider::OidcProvider;
use crate::person::{NAME, Person};

#[test]
fn without_a_client_id_a_client_is_registered_and_signs_in() {
    let Some(server) = OidcProvider::start("registration") else {
        return;
    };
    let person = Person::new();
    server.sign_in(&person, &[]);
    let registered = server.seen("registration");
    assert_eq!(registered.len(), 1);
    let metadata = &registered[0]["registration"];
    assert_eq!(metadata["application_type"], "native");
    assert_eq!(metadata["token_endpoint_auth_method"], "none");
    let client = person.server()["client"].clone();
    assert_eq!(client["is_registered"], true);
    assert_eq!(
        server.seen("authorization")[0]["params"]["client_id"],
        client["id"]
    );
    assert_eq!(server.userinfo(&person.token()), 200);
}

#[test]
fn a_registered_client_outlives_a_sign_out_and_is_used_again() {
    let Some(server) = OidcProvider::start("registration outlives a sign-out") else {
        return;
    };
    let person = Person::new();
    server.sign_in(&person, &[]);
    let before = person.server()["client"].clone();
    assert_eq!(person.run(&["logout", NAME]).code, Some(0));
    assert!(!person.session_file().exists());
    server.sign_in(&person, &[]);
    assert_eq!(person.server()["client"], before);
    assert_eq!(server.seen("registration").len(), 1);
    // Only a word of the user replaces it.
    server.sign_in(&person, &["--register"]);
    assert_ne!(person.server()["client"], before);
    assert_eq!(server.seen("registration").len(), 2);
}

#[test]
fn a_sign_out_that_forgets_the_server_leaves_nothing() {
    let Some(server) = OidcProvider::start("forget the server") else {
        return;
    };
    let person = Person::new();
    server.sign_in(&person, &[]);
    let done = person.run(&["logout", NAME, "--forget-server"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    person.assert_nothing_stored();
}
