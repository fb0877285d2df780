//! How the client treats text: a server's, and text that a file or a caller puts into a header.

use llm_auth_core::provider::{DeviceAuthorization, Form, TokenResponse};
use llm_auth_core::{ErrorKind, HttpClient, Secret};

use crate::support::socket::{answer, coded, post, refused, serve};

#[tokio::test]
async fn a_secret_that_the_server_repeats_is_not_in_the_error() {
    for echo in [
        "made-up-token",
        "MADE%2DUP%2dTOKEN",
        r"\u006dade-up-\/token",
        "grant_type=x&refresh_token=made-up-token",
        "bWFkZS11cC10b2tlbg==",
        "up-token",
    ] {
        let body =
            format!(r#"{{"error":"invalid_request","error_description":"bad {echo} here"}}"#);
        let error = refused("400 Bad Request", &body).await;
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("bad ") && !shown.contains(echo), "{shown}");
        assert!(shown.contains("invalid_request") && shown.contains("not shown"));
    }
    // The error code is the server's free text too.
    for body in [
        r#"{"error":"no made-up-token"}"#,
        r#"{"error":{"status":"made-up-token","message":"MADE-UP-TOKEN"}}"#,
        r#"{"error":"x","refresh_token":"made-up-next","error_description":"made-up-next"}"#,
    ] {
        let shown = format!("{:?}", refused("400 Bad Request", body).await);
        assert!(!shown.to_lowercase().contains("made-up"), "{shown}");
    }
    let places = [
        "Location: https://x.example/made-up-token\r\n",
        "Location: https://made-up-token.example/\r\n",
    ];
    for place in places {
        let error = post(answer("307 Moved", place, "")).await.unwrap_err();
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
        assert_eq!(error.moved_to(), None);
    }
    let coding = coded("200 OK", "made-up-token", b"\x1b");
    let error = post(coding).await.unwrap().json().unwrap_err();
    assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
}

#[tokio::test]
async fn what_a_server_wants_kept_is_clean_short_and_no_secret() {
    let long = "ü".repeat(300_000);
    let bodies = [
        ("notification_message", long.as_str(), Some(1_001)),
        ("scope", &long, Some(4_001)),
        ("resource_url", &long, None),
        (
            "notification_message",
            "a\\u0000\\u001b[2J\\u00ad\\udb40\\udc41b\\n",
            Some(5),
        ),
        ("scope", "made-up-token", None),
        ("resource_url", "https://x.example/made-up-token", None),
        ("notification_message", "your token is made-up-access", None),
    ];
    for (name, text, length) in bodies {
        let body = format!(r#"{{"access_token":"made-up-access","{name}":"{text}"}}"#);
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        let token = TokenResponse::read(&answer.json().unwrap()).unwrap();
        let kept = [token.notification, token.scope, token.resource_url];
        let kept = kept.into_iter().flatten().next();
        assert_eq!(kept.map(|text| text.chars().count()), length, "{name}");
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_for_a_page_is_refused_or_left_out() {
    let read = async |uri: &str, complete: &str| {
        let body = format!(
            r#"{{"device_code":"d","user_code":"c","verification_uri":"{uri}","verification_uri_complete":"{complete}"}}"#
        );
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        DeviceAuthorization::read(&answer.json().unwrap())
    };
    let (short, long) = (
        "https://x.example/",
        format!("https://x.example/{}", "x".repeat(300_000)),
    );
    let error = read(&long, short).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().len() < 200, "{error}");
    let device = read(short, &long).await.unwrap();
    assert_eq!(device.best_uri(), short);
    let error = read(&"é".repeat(1_000), short).await.unwrap_err();
    for (code, shown) in [("\\u200b\\u3164", None), ("A\\u00ad-\\u001bB", Some("A-B"))] {
        let body =
            format!(r#"{{"device_code":"d","user_code":"{code}","verification_uri":"{short}"}}"#);
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        let device = DeviceAuthorization::read(&answer.json().unwrap());
        let read = device.ok().map(|device| device.user_code);
        assert_eq!(read.as_deref(), shown);
    }
    assert!(format!("{error:?}").len() < 1_000, "{error:?}");
}

#[tokio::test]
async fn a_device_code_is_neither_shown_nor_opened_as_a_part_of_something_else() {
    const CODE: &str = "made-up-device-code-9Zq7";
    let page = "https://x.example/";
    let read = async |user_code: &str, uri: &str, complete: &str| {
        let body = format!(
            r#"{{"device_code":"{CODE}","user_code":"{user_code}","verification_uri":"{uri}","verification_uri_complete":"{complete}"}}"#
        );
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        DeviceAuthorization::read(&answer.json().unwrap())
    };
    let with_code = format!("{page}?d={CODE}");
    for (user_code, uri) in [
        (CODE, page),
        ("made-up-device", page),
        (&CODE.to_uppercase(), page),
        ("AB-12", &with_code),
    ] {
        let error = read(user_code, uri, page).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(!format!("{error:?}").contains("9Zq7"), "{error:?}");
    }
    let device = read("AB-12", page, &with_code).await.unwrap();
    assert_eq!(device.best_uri(), page);
    let complete = format!("{page}?user_code=AB-12");
    let device = read("AB-12", page, &complete).await.unwrap();
    assert_eq!(device.best_uri(), complete);
}

#[tokio::test]
async fn what_no_header_may_have_is_an_error_and_no_panic() {
    let (endpoint, seen) = serve(answer("200 OK", "", "{}")).await;
    let http = HttpClient::default();
    for access in [
        "made-up\n",
        "made\r\nX-Up: 1",
        "ma\0de",
        "mädé",
        "a\u{ad}b",
        " x",
    ] {
        for error in [
            http.get_with_bearer(&endpoint, &Secret::from(access), &[])
                .await,
            http.post_with_bearer(&endpoint, &Secret::from(access), &[])
                .await,
        ] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{access:?}");
            assert!(error.to_string().contains("access token"), "{error}");
            assert!(!format!("{error:?}").contains(access.trim()), "{error:?}");
        }
    }
    let form = Form::new();
    for (name, value) in [
        ("a b", "x"),
        ("", "x"),
        ("ü", "x"),
        ("x\n", "x"),
        ("x", "a\nb"),
    ] {
        let headers = [(name, value.to_owned())];
        let error = http
            .post_form(&endpoint, &form, &headers)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name:?}");
    }
    // Capitals are as good as small letters.
    let headers = [("X-Request-ID", "1".to_owned())];
    http.post_form(&endpoint, &form, &headers).await.unwrap();
    assert!(seen.await.unwrap().contains("x-request-id: 1"));
}

#[tokio::test]
async fn a_token_type_that_repeats_the_token_is_named_as_not_shown() {
    let body = r#"{"access_token":"made-up-token-9Zq7","token_type":"made-up-token-9Zq7"}"#;
    let answer = post(answer("200 OK", "", body)).await.unwrap();
    let error = TokenResponse::read(&answer.json().unwrap()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("has a token type that cannot be shown"),
        "{said}"
    );
    assert!(!said.contains("9Zq7"), "{said}");
}

#[tokio::test]
async fn a_refresh_token_that_no_form_should_carry_is_refused() {
    for refresh in [r"a\r\nb", r"a\u0000b", r"a\u001b[2J", "m\u{e4}de-up"] {
        let body = format!(r#"{{"access_token":"made-up","refresh_token":"{refresh}"}}"#);
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        let error = TokenResponse::read(&answer.json().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{refresh}");
        assert!(error.to_string().contains("invalid characters"), "{error}");
    }
}
