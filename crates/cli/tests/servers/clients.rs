//! Clients with a secret, which comes from a file.

use crate::oidc_provider::OidcProvider;
use crate::person::Person;

const BASIC: &str = "made-up-basic-secret";

#[test]
fn a_client_with_a_secret_authenticates_in_the_header_of_each_request() {
    let Some(server) = OidcProvider::start("client_secret_basic") else {
        return;
    };
    let person = Person::new();
    let secret = person.file(&format!("{BASIC}\n"));
    let args = ["--client-id", "basic-cli", "--client-secret-file", &secret];
    let done = server.sign_in(&person, &args);
    done.assert_no_secret(&[BASIC]);
    person.expire();
    person.token();
    for grant in ["authorization_code", "refresh_token"] {
        let request = &server.grants(grant)[0];
        assert_eq!(request["authorization"], "basic", "{request}");
        assert_eq!(request["status"], 200, "{request}");
        assert!(request["params"]["client_secret"].is_null(), "{request}");
    }
}

#[test]
fn a_client_with_a_secret_uses_a_device_code_too() {
    let Some(server) = OidcProvider::start("client_secret_basic, device") else {
        return;
    };
    let person = Person::new();
    let secret = person.file(BASIC);
    let args = ["--client-id", "basic-cli", "--client-secret-file", &secret];
    server.sign_in(&person, &[&args[..], &["--device"]].concat());
    assert_eq!(
        server.seen("device_authorization")[0]["authorization"],
        "basic"
    );
}

#[test]
fn a_wrong_secret_is_a_clear_error_and_is_never_shown() {
    let Some(server) = OidcProvider::start("wrong secret") else {
        return;
    };
    let person = Person::new();
    let wrong = "made-up-wrong-secret";
    let secret = person.file(wrong);
    let args = ["--issuer", server.issuer(), "--client-id", "basic-cli"];
    let more = ["--client-secret-file", &secret, "--device"];
    let done = person.login(&[&args[..], &more].concat(), |_| {});
    done.assert_failed(1, "invalid_client");
    done.assert_no_secret(&[wrong]);
    assert!(!person.session_file().exists());
}
