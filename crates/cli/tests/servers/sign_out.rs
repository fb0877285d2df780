//! The end of a session, at the server too.

use crate::oidc_provider::OidcProvider;
use crate::person::NAME;

#[test]
fn a_sign_out_revokes_the_session_at_the_server() {
    let Some(server) = OidcProvider::start("revocation") else {
        return;
    };
    let person = server.signed_in();
    let token = person.token();
    let session = std::fs::read(person.session_file()).unwrap();
    assert_eq!(server.userinfo(&token), 200);
    let done = person.run(&["logout", NAME, "--json"]);
    assert_eq!(done.json()["revocation"], "confirmed", "{done:?}");
    let revoked = server.seen("revocation");
    assert!(!revoked.is_empty());
    for request in revoked {
        assert_eq!(request["status"], 200, "{request}");
    }
    assert!(!person.session_file().exists());
    assert_eq!(server.userinfo(&token), 401);
    // A copy of the session is worth nothing.
    std::fs::write(person.session_file(), session).unwrap();
    let done = person.run(&["token", NAME, "--force-refresh"]);
    done.assert_failed(3, "invalid_grant");
}

#[test]
fn a_local_sign_out_asks_the_server_nothing() {
    let Some(server) = OidcProvider::start("local sign-out") else {
        return;
    };
    let person = server.signed_in();
    let token = person.token();
    assert_eq!(person.run(&["logout", NAME, "--local"]).code, Some(0));
    assert!(server.seen("revocation").is_empty());
    assert_eq!(server.userinfo(&token), 200);
}
