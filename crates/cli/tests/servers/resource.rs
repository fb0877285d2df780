//! The API that an access token is for (RFC 8707).

use crate::oidc_provider::{OidcProvider, PUBLIC};
use crate::person::Person;

const API: &str = "https://api.example/";

#[test]
fn the_resource_is_in_each_request_until_the_token_is_refreshed() {
    let Some(server) = OidcProvider::start("resource") else {
        return;
    };
    let person = Person::new();
    let args = ["--client-id", PUBLIC, "--resource", API];
    server.sign_in(&person, &args);
    person.expire();
    person.token();
    let grants = ["authorization_code", "refresh_token"];
    let requests = [
        server.seen("authorization").remove(0),
        server.grants(grants[0]).remove(0),
        server.grants(grants[1]).remove(0),
    ];
    for request in requests {
        assert_eq!(request["params"]["resource"], API, "{request}");
        assert!(request["status"].as_u64().unwrap() < 400, "{request}");
    }
    assert_eq!(person.server()["resource"], API);
}

#[test]
fn the_resource_is_in_the_requests_of_a_device_code_too() {
    let Some(server) = OidcProvider::start("resource, device") else {
        return;
    };
    let person = Person::new();
    let args = ["--client-id", PUBLIC, "--resource", API, "--device"];
    server.sign_in(&person, &args);
    let asked = &server.seen("device_authorization")[0];
    assert_eq!(asked["params"]["resource"], API, "{asked}");
    let device_code = "urn:ietf:params:oauth:grant-type:device_code";
    let polls = server.grants(device_code);
    let last = polls.last().unwrap();
    assert_eq!(last["params"]["resource"], API, "{last}");
    assert_eq!(last["status"], 200);
}
