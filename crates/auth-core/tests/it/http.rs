//! How the client reads responses, good and odd, on a real socket.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::provider::{Form, Operation, Poll};
use llm_auth_core::{ErrorKind, HttpClient, ManualClock, Secret, SecureUrl, Timestamp};
use tokio::net::TcpListener;

mod bodies;
mod forwarding;
mod kept_connections;
mod proxies;
mod streams;

use crate::support::socket::{answer, post, refused, serve, standard};

#[tokio::test]
async fn a_form_is_escaped_and_sent_with_a_user_agent() {
    let (endpoint, seen) = serve(answer("200 OK", "", "{}")).await;
    let form = Form::new()
        .text("scope", "openid profile")
        .secret("refresh_token", &Secret::from("a+b/c=&d%e"));
    let http = HttpClient::default();
    http.post_form(&endpoint, &form, &[("x-request-id", "1".into())])
        .await
        .unwrap();
    let seen = seen.await.unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        "scope=openid+profile&refresh_token=a%2Bb%2Fc%3D%26d%25e"
    );
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /token http/1.1\r\n"));
    assert!(head.contains("\r\nuser-agent: llm-auth/"));
    assert!(head.contains("\r\naccept: application/json"));
    assert!(head.contains("\r\naccept-encoding: gzip, deflate\r\n"));
    assert!(head.contains("\r\ncontent-type: application/x-www-form-urlencoded"));
    assert!(head.contains("\r\nx-request-id: 1"));
}

#[tokio::test]
async fn a_limit_for_ever_is_one() {
    let (endpoint, _) = serve(answer("200 OK", "", "{}")).await;
    let http = HttpClient::builder().timeout(Duration::MAX);
    let http = http.connect_timeout(Duration::MAX).build().unwrap();
    let response = http.post_form(&endpoint, &Form::new(), &[]).await;
    assert!(response.unwrap().is_success());
}

#[tokio::test]
async fn a_web_page_is_no_verdict_with_any_status() {
    for status in [
        "200 OK",
        "400 Bad Request",
        "403 Forbidden",
        "503 Service Unavailable",
    ] {
        let error = refused(status, "\n<!doctype html><p>captcha").await;
        // The error reports a rejected refresh, and is not remembered.
        let refused = status.starts_with("400");
        let kind = if refused {
            ErrorKind::RefreshRejected
        } else {
            ErrorKind::Transient
        };
        assert_eq!(error.kind(), kind, "{status}");
        assert!(!error.is_verdict(), "{status}");
        assert!(error.to_string().contains("web page"), "{error}");
    }
}

#[tokio::test]
async fn only_invalid_grant_is_a_verdict_and_not_with_a_status_of_trouble() {
    let body =
        r#"{"error":"invalid_grant","error_description":"Token has been\r\n revoked\u001b[31m."}"#;
    let error = refused("400 Bad Request", body).await;
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    assert!(error.is_verdict());
    for (status, body) in [
        (
            "401 No",
            r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#,
        ),
        ("401 No", r#"{"error":"Unauthorized"}"#),
        ("400 Bad", "invalid_grant"),
        ("401 No", ""),
    ] {
        let error = refused(status, body).await;
        assert_eq!(error.kind(), ErrorKind::RefreshRejected, "{status} {body}");
        assert!(!error.is_verdict(), "{status} {body}");
    }
    assert!(
        error
            .to_string()
            .ends_with("invalid_grant (Token has been   revoked[31m.)"),
        "{error}"
    );
    for (status, body, kind) in [
        ("500 Oops", body, ErrorKind::Transient),
        ("429 Slow", "", ErrorKind::RateLimited),
        ("408 Late", "{}", ErrorKind::Transient),
        ("200 OK", "not json", ErrorKind::Transient),
        ("200 OK", "", ErrorKind::Transient),
        ("200 OK", "[]", ErrorKind::Transient),
        ("404 Not Found", "{}", ErrorKind::Protocol),
        (
            "401 Unauthorized",
            r#"{"error":"invalid_client"}"#,
            ErrorKind::Config,
        ),
        (
            "403 Forbidden",
            r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#,
            ErrorKind::Protocol,
        ),
        (
            "400 Bad Request",
            r#"{"error":"temporarily_unavailable"}"#,
            ErrorKind::Transient,
        ),
    ] {
        assert_eq!(refused(status, body).await.kind(), kind, "{status} {body}");
    }
}

#[tokio::test]
async fn retry_after_reaches_the_error() {
    let answer = post(answer("503 No", "Retry-After: 7\r\n", "{}"))
        .await
        .unwrap();
    let error = standard(Operation::Refresh, |call| call.read(&answer)).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.status(), Some(503));
}

#[tokio::test]
async fn a_date_in_retry_after_counts_from_the_servers_clock_or_else_from_ours() {
    let date = "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n";
    let theirs = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let ours = ManualClock::new(Timestamp::from_unix_millis(784_111_807_000));
    let http = HttpClient::builder().clock(Arc::new(ours)).build().unwrap();
    for (headers, seconds) in [
        (format!("{date}{theirs}"), Some(60.0)),
        (date.to_owned(), Some(30.0)),
        ("Retry-After: 1.5\r\n".to_owned(), Some(1.5)),
        ("Retry-After: 999999\r\n".to_owned(), Some(86_400.0)),
        ("Retry-After: later\r\n".to_owned(), None),
    ] {
        let (endpoint, _) = serve(answer("429 Slow", &headers, "{}")).await;
        let answer = http.post_form(&endpoint, &Form::new(), &[]).await.unwrap();
        let error = standard(Operation::Refresh, |call| call.read(&answer)).unwrap_err();
        let wait = error.retry_after().map(|wait| wait.as_secs_f64());
        assert_eq!(wait, seconds, "{headers}");
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed_and_told_apart() {
    for (status, location, kind) in [
        (
            "307 Moved",
            "https://account.minimax.io/oauth2/token?x=1",
            ErrorKind::Redirected,
        ),
        ("308 Moved", "/elsewhere", ErrorKind::Redirected),
        (
            "307 Moved",
            "http://portal.example/login",
            ErrorKind::Transient,
        ),
        (
            "302 Found",
            "https://portal.example/login",
            ErrorKind::Transient,
        ),
        (
            "303 See",
            "https://portal.example/login",
            ErrorKind::Transient,
        ),
        ("307 Moved", "::::", ErrorKind::Redirected),
    ] {
        let error = post(answer(status, &format!("Location: {location}\r\n"), ""))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {location}: {error}");
        let there = error.redirected_to().unwrap();
        assert!(location.contains(there) || there.starts_with("127.0.0.1:"));
    }
    let error = post(answer("307 Moved", "", "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(error.redirected_to(), None);
}

#[tokio::test]
async fn no_setting_of_a_client_makes_it_panic() {
    let settings = HttpClient::builder;
    for http in [
        settings()
            .timeout(Duration::MAX)
            .connect_timeout(Duration::MAX),
        settings()
            .timeout(Duration::ZERO)
            .connect_timeout(Duration::ZERO),
        settings().user_agent(""),
        settings().user_agent("mädé-up"),
        settings().user_agent("made\r\nup: 1"),
        settings().proxy("http://ü%00:%ff@127.0.0.1:1", "*,,::/999,\n"),
        settings().proxy("socks5://ü:p@[::1]:1", "ü.example"),
        settings().proxy("http://\u{0}", ""),
        settings()
            .ca_certificates("-----BEGIN CERTIFICATE-----\nbWFkZQ==\n-----END CERTIFICATE-----\n"),
    ] {
        let (endpoint, _) = serve(answer("200 OK", "", "{}")).await;
        let Ok(http) = http.build() else { continue };
        let elsewhere = SecureUrl::new("https://127.0.0.1:1/").unwrap();
        for endpoint in [endpoint, elsewhere] {
            let _sent = http.get(&endpoint).await;
        }
    }
    let long = format!("https://x.example/{}", "x".repeat(70_000));
    assert_eq!(SecureUrl::new(&long).unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_server_that_is_not_there_has_not_seen_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = SecureUrl::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let sent = HttpClient::default()
        .post_form(&endpoint, &Form::new(), &[])
        .await;
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(!error.response_lost());
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = SecureUrl::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let http = HttpClient::builder()
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = http
        .post_form(&endpoint, &Form::new(), &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.response_lost());
}

#[tokio::test]
async fn a_token_answer_is_bearer_has_an_access_token_and_lives() {
    for (body, good) in [
        (r#"{"access_token":"a"}"#, true),
        (
            r#"{"access_token":"a","token_type":"bearer","expires_in":1e18}"#,
            true,
        ),
        (r#"{"access_token":"a","token_type":"mac"}"#, false),
        (r#"{"access_token":"a","expires_in":-1}"#, false),
        (r#"{"access_token":"a","expires_in":0}"#, false),
        (r#"{"access_token":"a","expires_in":"soon"}"#, false),
        (r#"{"access_token":""}"#, false),
        (r#"{"access_token":null}"#, false),
        (r#"{"access_token":7}"#, false),
    ] {
        let answer = post(answer("200 OK", "", body)).await.unwrap();
        let token = standard(Operation::Poll, |call| call.token(&answer));
        assert_eq!(token.is_ok(), good, "{body}");
        assert!(token.is_ok() || token.unwrap_err().kind() == ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn polls_go_by_the_code_in_the_body_not_by_the_status() {
    let poll = |status: &'static str, body: &'static str| async move {
        let answer = post(answer(status, "", body)).await.unwrap();
        standard(Operation::Poll, |call| call.poll(&answer))
    };
    assert!(matches!(
        poll("400 Bad", r#"{"error":"authorization_pending"}"#).await,
        Ok(Poll::Pending)
    ));
    assert!(matches!(
        poll("428 Pre", r#"{"error":"AUTHORIZATION_PENDING"}"#).await,
        Ok(Poll::Pending)
    ));
    assert!(matches!(
        poll("403 No", r#"{"error":"slow_down"}"#).await,
        Ok(Poll::SlowDown(None))
    ));
    assert!(matches!(
        poll("429 Slow", r#"{"error":"slow_down"}"#).await,
        Ok(Poll::SlowDown(None))
    ));
    assert!(matches!(
        poll("200 OK", r#"{"access_token":"a"}"#).await,
        Ok(Poll::Ready(_))
    ));
    let kind = |result: llm_auth_core::Result<Poll>| result.unwrap_err().kind();
    assert_eq!(
        kind(poll("403 No", r#"{"error":"access_denied"}"#).await),
        ErrorKind::Denied
    );
    assert_eq!(
        kind(poll("400 Bad", r#"{"error":"expired_token"}"#).await),
        ErrorKind::Expired
    );
    assert_eq!(
        kind(poll("400 Bad", r#"{"error":"other"}"#).await),
        ErrorKind::Protocol
    );
}
