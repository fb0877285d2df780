//! Glewlwyd, which is stricter than the standards in places, and its database.

use std::process::Command;

use serde_json::Value;

use crate::http::{get, get_with};
use crate::node::{Server, has, run};
use crate::person::{NAME, Person};
use crate::support::done::Done;

const PUBLIC: [&str; 2] = ["--client-id", "native-cli"];

/// The clients with a secret: their name, the secret, and the only way in which each may send it.
const SECRETS: [(&str, &str, &str); 2] = [
    ("basic-cli", "made-up-basic-secret", "basic"),
    ("post-cli", "made-up-post-secret", "post"),
];

struct Glewlwyd(Server);

impl Glewlwyd {
    /// `None` if it is not installed: the test prints that it is skipped, and with `CI` set it fails.
    fn start(test: &str) -> Option<Self> {
        let programs = ["glewlwyd", "sqlite3"];
        has(test, &programs, None).then(|| Self(Server::start("glewlwyd/server.mjs")))
    }

    fn text(&self, member: &str) -> &str {
        self.0.ready[member].as_str().unwrap()
    }

    /// Begins a sign-in with these arguments, and approves it.
    fn try_to_sign_in(&self, person: &Person, args: &[&str]) -> Done {
        let args = [&["--issuer", self.text("issuer")], args].concat();
        person.login(&args, |event| {
            let Some(url) = event["url"].as_str() else {
                return;
            };
            let last = run("glewlwyd/approve.mjs", &[url]);
            if last.contains("code=") && last.contains("/callback?") {
                get(&last);
            }
        })
    }

    /// The same at the port that the clients are registered with.
    fn sign_in(&self, person: &Person, args: &[&str]) -> Done {
        let port = self.0.ready["callback_port"].to_string();
        let args = [args, &["--redirect-port", &port]].concat();
        let done = self.try_to_sign_in(person, &args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        done
    }

    fn signed_in(&self) -> Person {
        let person = Person::new();
        self.sign_in(&person, &PUBLIC);
        person
    }

    /// The refresh tokens that it has issued, and those of them that are good.
    fn refresh_tokens(&self) -> (u64, u64) {
        let count = "select count(*), coalesce(sum(gpor_enabled), 0) from gpo_refresh_token";
        let database = self.text("database");
        let mut query = Command::new("sqlite3");
        let output = query.args(["-readonly", database, count]).output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        let (issued, good) = line.trim_end().split_once('|').unwrap();
        (issued.parse().unwrap(), good.parse().unwrap())
    }

    fn userinfo(&self, token: &str) -> u16 {
        get_with(&format!("{}/userinfo", self.text("issuer")), token).status
    }
}

#[test]
fn a_server_that_requires_a_nonce_is_signed_in_to_with_a_code() {
    let Some(server) = Glewlwyd::start("Glewlwyd, authorization code") else {
        return;
    };
    let person = server.signed_in();
    assert_eq!(server.userinfo(&person.token()), 200);
    assert_eq!(person.server()["issuer"], server.text("issuer"));
    assert_eq!(server.refresh_tokens(), (1, 1));
}

#[test]
fn a_device_code_is_approved_at_glewlwyd_too() {
    let Some(server) = Glewlwyd::start("Glewlwyd, device code") else {
        return;
    };
    let person = Person::new();
    let done = server.try_to_sign_in(&person, &[&PUBLIC[..], &["--device"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.events()[0]["event"], "device_code");
    assert_eq!(server.userinfo(&person.token()), 200);
}

#[test]
fn twenty_processes_cause_one_rotation_in_the_database_of_glewlwyd() {
    let Some(server) = Glewlwyd::start("Glewlwyd, twenty processes") else {
        return;
    };
    let person = server.signed_in();
    person.expire();
    let processes: Vec<_> = (0..20).map(|_| person.start(&["token", NAME])).collect();
    for process in processes {
        let done = Done::from(process.wait_with_output().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    assert_eq!(server.refresh_tokens(), (2, 1));
    assert_eq!(server.userinfo(&person.token()), 200);
}

#[test]
fn a_refresh_token_that_glewlwyd_has_replaced_ends_in_the_advice_to_sign_in_again() {
    let Some(server) = Glewlwyd::start("Glewlwyd, spent refresh token") else {
        return;
    };
    let person = server.signed_in();
    let spent = std::fs::read(person.session_file()).unwrap();
    let refresh = ["token", NAME, "--force-refresh"];
    assert_eq!(person.run(&refresh).code, Some(0));
    std::fs::write(person.session_file(), spent).unwrap();
    let done = person.run(&refresh);
    // Glewlwyd gives no reason.
    done.assert_failed(3, "rejected the refresh token");
    assert!(done.err.contains("llm-auth login"), "{done:?}");
}

#[test]
fn clients_authenticate_in_the_way_that_they_are_registered_with() {
    let Some(server) = Glewlwyd::start("Glewlwyd, secrets") else {
        return;
    };
    for (client, secret, way) in SECRETS {
        let person = Person::new();
        let file = person.file(secret);
        let args = ["--client-id", client, "--client-secret-file", &file];
        let way = ["--client-auth", way];
        let done = server.sign_in(&person, &[&args[..], &way].concat());
        done.assert_no_secret(&[secret]);
        let done = person.run(&["token", NAME, "--force-refresh"]);
        assert_eq!(done.code, Some(0), "{client}: {done:?}");
    }
}

#[test]
fn a_sign_out_revokes_the_refresh_token_in_the_database_of_glewlwyd() {
    let Some(server) = Glewlwyd::start("Glewlwyd, revocation") else {
        return;
    };
    let person = Person::new();
    let (client, secret, _default) = SECRETS[0];
    let file = person.file(secret);
    let args = ["--client-id", client, "--client-secret-file", &file];
    server.sign_in(&person, &args);
    assert_eq!(server.refresh_tokens(), (1, 1));
    let done = person.run(&["logout", NAME, "--json"]);
    assert_eq!(done.json()["revocation"], "confirmed", "{done:?}");
    assert_eq!(server.refresh_tokens(), (1, 0));
}

#[test]
fn a_revocation_that_the_server_denies_is_reported_and_the_session_is_gone_here() {
    let Some(server) = Glewlwyd::start("Glewlwyd, denied revocation") else {
        return;
    };
    // Glewlwyd lets no public client revoke.
    let person = server.signed_in();
    let done = person.run(&["logout", NAME, "--json"]);
    let outcome: Value = done.json();
    assert_eq!(outcome["revocation"], "not_confirmed", "{done:?}");
    assert!(!person.session_file().exists());
    assert_eq!(server.refresh_tokens(), (1, 1));
}

#[test]
fn a_server_that_registers_no_device_grant_registers_a_client_without_it() {
    let Some(server) = Glewlwyd::start("Glewlwyd, registration") else {
        return;
    };
    let person = Person::new();
    let done = server.try_to_sign_in(&person, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let client = person.server()["client"].clone();
    assert_eq!(client["is_registered"], true);
    // It lists no way without a secret, so the client has one.
    assert_eq!(client["auth"], "client_secret_post");
    assert!(client["secret"].is_string());
    assert_eq!(person.run(&["logout", NAME]).code, Some(0));
    let done = server.try_to_sign_in(&person, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(person.server()["client"], client);
}

#[test]
fn an_issuer_with_a_path_and_a_slash_too_much_is_a_clear_error() {
    let Some(server) = Glewlwyd::start("Glewlwyd, trailing slash") else {
        return;
    };
    let person = Person::new();
    let issuer = format!("{}/", server.text("issuer"));
    let args = ["--issuer", &issuer, PUBLIC[0], PUBLIC[1]];
    let done = person.login(&args, |event| assert_eq!(event["event"], "error"));
    done.assert_failed(1, "exactly as the server does");
    person.assert_nothing_stored();
}
