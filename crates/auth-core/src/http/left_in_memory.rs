//! What requests and responses leave in the library's own buffers. The HTTP library's buffers are
//! not covered, since they keep everything that went over the wire.
//!
//! See decision 0051.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

#[path = "../../tests/it/memory/image.rs"]
mod image;
#[path = "../../tests/it/memory/made_up.rs"]
mod made_up;
#[path = "../../tests/it/memory/search.rs"]
mod search;

use self::made_up::text;
use super::form::BodyFormat;
use super::form::bearer;
use super::{Form, Response};
use crate::clock::Timestamp;
use crate::grant::TokenResponse;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

#[test]
fn the_child() {
    search::child(|scenario, _place, _shift| match scenario {
        "requests" => requests(),
        "responses" => responses(),
        other => panic!("no scenario {other}"),
    });
}

#[test]
fn requests_leave_nothing() {
    assert_eq!(left_by("requests", 0..3), []);
}

#[test]
fn responses_leave_nothing() {
    assert_eq!(left_by("responses", 0..5), []);
}

fn left_by(scenario: &str, secrets: std::ops::Range<u64>) -> Vec<image::Hit> {
    search::left_by(
        concat!(module_path!(), "::the_child")
            .split_once("::")
            .unwrap()
            .1,
        scenario,
        "",
        secrets,
    )
}

fn requests() {
    // In the middle of what has to be escaped, so that each is encoded piece by piece.
    let escaped = |number| {
        Secret::from(
            std::iter::once('/')
                .chain(text(number).chars())
                .collect::<String>(),
        )
    };
    let form = Form::new()
        .text("grant_type", "refresh_token")
        .secret("refresh_token", &escaped(0))
        .secret("client_secret", &escaped(1));
    let body = form.encoded(BodyFormat::Form).unwrap();
    let sent_again = body.clone();
    drop((body, form, sent_again));
    drop(bearer(&Secret::from(text(2))).unwrap());
}

fn responses() {
    let endpoint = SecureUrl::new("https://example.com/token").unwrap();
    let parts = |at: u64| [text(at), text(at + 1), text(at + 2), text(at + 3)];
    // An escape in one, members that no reader asks for, an object in an object, a list.
    let pieces = [
        r#"{"access_token":"a\/"#,
        r#"","refresh_token":""#,
        r#"","more":{"list":[""#,
        r#"\u0026"]},"id_token":""#,
        r#"","padding":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
    ];
    let mut response = Response::new(endpoint.clone(), 200, Vec::new());
    let secrets = parts(0).map(Secret::from);
    let secrets = secrets.iter().map(Secret::expose).chain([""]);
    for (piece, secret) in pieces.iter().zip(secrets) {
        response.push(piece.as_bytes());
        // The body has to grow again and again.
        for letters in secret.as_bytes().chunks(7) {
            response.push(letters);
        }
    }
    let fields = response.json().unwrap();
    let token = TokenResponse::read(&fields)
        .unwrap()
        .into_token(Timestamp::default());
    assert!(token.access.expose().starts_with("a/"));
    assert!(fields.object("more").unwrap().has("list"));
    drop((response, fields, token));

    let mut list = Response::new(endpoint, 200, Vec::new());
    list.push(b"[\"");
    list.push(Secret::from(text(4)).expose().as_bytes());
    list.push(b"\"]");
    assert!(list.json().is_err());
}
