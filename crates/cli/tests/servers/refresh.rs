//! Refresh tokens that the server rotates.

use crate::oidc_provider::OidcProvider;
use crate::person::{NAME, Person};
use crate::support::done::Done;

#[test]
fn twenty_processes_on_an_expired_session_cause_one_refresh_at_the_server() {
    let Some(server) = OidcProvider::start("twenty processes") else {
        return;
    };
    let person = server.signed_in();
    let before = person.session();
    person.expire();
    let processes: Vec<_> = (0..20).map(|_| person.start(&["token", NAME])).collect();
    let done = processes
        .into_iter()
        .map(|process| Done::from(process.wait_with_output().unwrap()));
    let mut tokens: Vec<String> = done
        .map(|done| {
            assert_eq!(done.code, Some(0), "{done:?}");
            done.out
        })
        .collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_eq!(server.grants("refresh_token").len(), 1);
    let after = person.session();
    assert_ne!(after["refresh"], before["refresh"]);
    assert_eq!(server.userinfo(tokens[0].trim_end()), 200);
    // The successor is good.
    refreshed(&person);
    assert_eq!(server.grants("refresh_token").len(), 2);
}

#[test]
fn a_spent_refresh_token_ends_in_the_advice_to_sign_in_again() {
    let Some(server) = OidcProvider::start("spent refresh token") else {
        return;
    };
    let person = server.signed_in();
    let spent = std::fs::read(person.session_file()).unwrap();
    refreshed(&person);
    // A backup that is put back, as far as the server can see: a stolen token.
    std::fs::write(person.session_file(), spent).unwrap();
    let done = person.run(&["token", NAME, "--force-refresh"]);
    done.assert_failed(3, "invalid_grant");
    assert!(done.err.contains("llm-auth login"), "{done:?}");
    assert_eq!(done.out, "");
    // The verdict is remembered: the server is not asked again.
    let asked = server.grants("refresh_token").len();
    assert_eq!(person.run(&["token", NAME]).code, Some(3));
    assert_eq!(server.grants("refresh_token").len(), asked);
}

fn refreshed(person: &Person) {
    let done = person.run(&["token", NAME, "--force-refresh"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}
