//! What the client makes of answers, good and odd, on a real socket.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use llm_auth_core::{
    Error, ErrorKind, Form, HttpClient, ManualClock, Operation, Poll, Secret, SecureUrl, Timestamp,
    TokenResponse, read_response,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[path = "support/socket.rs"]
mod socket;

use socket::{answer, coded, post, refused, serve};

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
async fn a_web_page_is_no_verdict_whatever_its_status() {
    for status in [
        "200 OK",
        "400 Bad Request",
        "403 Forbidden",
        "503 Service Unavailable",
    ] {
        let error = refused(status, "\n<!doctype html><p>captcha").await;
        // A refresh that is refused is told so, and it is nothing to remember.
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
    let error = read_response(Operation::Refresh, &answer).unwrap_err();
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
        let error = read_response(Operation::Refresh, &answer).unwrap_err();
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

#[test]
fn a_proxy_of_an_unknown_kind_is_refused_and_not_passed_by() {
    for good in [
        "http://proxy.example:3128",
        "https://proxy.example",
        "proxy.example:3128",
        "socks5://127.0.0.1:1080",
        "SOCKS5H://proxy.example",
    ] {
        let built = HttpClient::builder().proxy(good, "").build();
        assert!(built.is_ok(), "{good}: {built:?}");
    }
    for bad in ["garbage://x", "ftp://proxy.example", "http://[bad", ""] {
        let error = HttpClient::builder().proxy(bad, "").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
    }
    let secret = "http://mia:made-up/password@proxy.example:99999";
    let error = HttpClient::builder().proxy(secret, "").build().unwrap_err();
    assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
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
async fn a_socks_proxy_is_asked_to_find_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // RFC 1928: version, number of methods, methods; we take the one without a password.
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut name = vec![0; usize::from(head[4])];
        stream.read_exact(&mut name).await.unwrap();
        (head[3], String::from_utf8(name).unwrap())
    });
    let http = HttpClient::builder().proxy(proxy, "").build().unwrap();
    let endpoint = SecureUrl::new("https://vendor.example/token").unwrap();
    assert!(http.post_form(&endpoint, &Form::new(), &[]).await.is_err());
    assert_eq!(asked.await.unwrap(), (3, "vendor.example".to_owned()));
}

/// A proxy that gives every tunnel this answer, and how it was asked.
async fn through_proxy(
    answer: &'static str,
    user: &str,
    except: &str,
    url: &str,
) -> (String, Error) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    let http = HttpClient::builder()
        .proxy(format!("http://{user}{address}"), except)
        .build()
        .unwrap();
    let endpoint = SecureUrl::new(url).unwrap();
    let error = http
        .post_form(&endpoint, &Form::new(), &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    (asked.await.unwrap(), error)
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_named_and_nothing_that_passes() {
    const WANTS: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    for user in ["", "mia:made-up@"] {
        let (_, error) = through_proxy(WANTS, user, "", "https://vendor.example/token").await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("407"), "{error}");
        assert!(!error.answer_lost());
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}

#[tokio::test]
async fn an_error_through_a_proxy_names_the_proxy_and_the_host() {
    for (answer, except) in [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\n", "vendor.example:443"),
        ("", "other.example"),
    ] {
        let url = "https://vendor.example:8443/token";
        let (asked, error) = through_proxy(answer, "mia:made-up@", except, url).await;
        assert!(asked.starts_with("CONNECT vendor.example:8443 "), "{asked}");
        assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
        assert!(error.to_string().contains("vendor.example:8443"), "{error}");
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}

#[tokio::test]
async fn what_goes_without_the_proxy_by_host_and_port_never_reaches_it() {
    // Nothing is there, and its proxy would be a hang-up.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    for except in ["invalid:PORT", "invalid", "*", "*:PORT"] {
        let except = except.replace("PORT", &port.to_string());
        let http = HttpClient::builder()
            .proxy(format!("http://{address}"), except.clone())
            .build()
            .unwrap();
        let endpoint = SecureUrl::new(&format!("https://vendor.invalid:{port}/token")).unwrap();
        let error = http
            .post_form(&endpoint, &Form::new(), &[])
            .await
            .unwrap_err();
        assert!(!error.to_string().contains("proxy"), "{except}: {error}");
    }
    let asked = std::future::poll_fn(|cx| std::task::Poll::Ready(proxy.poll_accept(cx).is_ready()));
    assert!(!asked.await);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_lost_and_no_half_answer_counts() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"x\","[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"",
        b"garbage\r\n\r\n",
    ] {
        let error = post(bytes.to_vec()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(error.answer_lost());
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(br#"{"access_token":"made-up"}"#).unwrap();
    let plain = br#"{"access_token":"made-up"}"#;
    for (coding, body) in [
        ("gzip", gzip(plain)),
        ("x-gzip\r\nContent-Encoding: gzip", gzip(&gzip(plain))),
        ("deflate", zlib.finish().unwrap()),
        // A server that names a coding and does not use it.
        ("gzip", plain.to_vec()),
        ("utf-8", plain.to_vec()),
    ] {
        let answer = post(coded("200 OK", coding, &body)).await.unwrap();
        let fields = answer.json().unwrap();
        assert_eq!(fields.text("access_token"), Some("made-up"), "{coding}");
    }
    let body = gzip(b"<!doctype html><p>captcha");
    let answer = post(coded("200 OK", "gzip", &body)).await.unwrap();
    assert!(answer.is_web_page());
}

#[tokio::test]
async fn an_odd_response_of_success_loses_none_of_what_it_says() {
    const PLAIN: &[u8] = br#"{"access_token":"made-up"}"#;
    let raw =
        |head: &str, body: &[u8]| [b"HTTP/1.1 200 OK\r\n", head.as_bytes(), b"\r\n", body].concat();
    let mut cut = gzip(PLAIN);
    cut.truncate(cut.len() - 4);
    for response in [
        // The end is missing.
        raw("Content-Length: 40\r\n", PLAIN),
        raw(
            "Transfer-Encoding: chunked\r\n",
            b"1a\r\n{\"access_token\":\"made-up\"}\r\n",
        ),
        coded("200 OK", "gzip", &cut),
        // Something stands behind it, or is no UTF-8.
        answer(
            "200 OK",
            "",
            "{\"access_token\":\"made-up\"}<!-- made-up -->",
        ),
        raw(
            "Content-Length: 36\r\n",
            b"{\"access_token\":\"made-up\",\"n\":\"\xe9\"}",
        ),
        // Headers that are none.
        raw("Content-Length: 26\r\nPHP Notice\r\n", PLAIN),
        raw("Content-Length: 26\r\nX-Odd : made up\r\n", PLAIN),
        raw("Content-Length: 26\r\nX-Odd: made\r\n up\r\n", PLAIN),
    ] {
        let shown = String::from_utf8_lossy(&response).into_owned();
        let answer = post(response)
            .await
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let fields = answer
            .json()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(fields.text("access_token"), Some("made-up"), "{shown}");
    }
}

#[tokio::test]
async fn a_coding_that_is_not_known_is_named() {
    for coding in ["br", "zstd", "made-up\tcoding"] {
        let answer = post(coded("200 OK", coding, b"\x1b\x07\xf8"))
            .await
            .unwrap();
        let error = answer.json().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(error.answer_lost() && error.followed_success());
        assert!(error.to_string().contains("content coding"), "{error}");
        assert!(error.to_string().contains(&coding[..2]), "{error}");
    }
    let broken = gzip(&[b' '; 900]);
    let answer = post(coded("200 OK", "gzip", &broken[..9])).await.unwrap();
    let error = answer.json().unwrap_err();
    assert!(error.to_string().contains("breaks off"), "{error}");
    let answer = post(coded("429 Slow", "br", b"\x1b")).await.unwrap();
    assert_eq!(answer.json().unwrap_err().kind(), ErrorKind::RateLimited);
    let answer = post(coded("503 No", "zstd", b"\x1b")).await.unwrap();
    let error = answer.json().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(!error.followed_success());
}

#[tokio::test]
async fn a_compressed_body_that_grows_over_a_mebibyte_is_refused() {
    let bomb = gzip(&vec![b' '; (1 << 20) + 1]);
    assert!(bomb.len() < 10_000);
    for body in [gzip(&bomb), bomb] {
        let coding = if body.len() < 1000 {
            "gzip, gzip"
        } else {
            "gzip"
        };
        let error = post(coded("200 OK", coding, &body)).await.unwrap_err();
        assert!(error.to_string().contains("1 MiB"), "{error}");
        assert!(error.answer_lost() && error.followed_success());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_still_says_which_status_it_had() {
    let cut = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 500\r\n\r\n{{");
    let error = post(cut("200 OK").into_bytes()).await.unwrap_err();
    assert!(error.followed_success());
    let error = post(cut("503 No").into_bytes()).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert!(!error.followed_success());
    assert!(!post(Vec::new()).await.unwrap_err().followed_success());
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
    assert!(!error.answer_lost());
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_not_read_to_its_end() {
    let error = post(answer("200 OK", "", &"x".repeat(5 << 20)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.to_string().contains("1 MiB"), "{error}");
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
    assert!(error.answer_lost());
}

#[tokio::test]
async fn odd_but_valid_json_is_read() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100), "]".repeat(100));
    for (body, good) in [
        (
            "\u{feff} {\"access_token\":\"a\",\"expires_in\":\"60\"}".to_owned(),
            true,
        ),
        (
            r#"{"access_token":"a","access_token":"b"}"#.to_owned(),
            true,
        ),
        (deep, true),
        (format!("{{\"x\":{}", "[".repeat(100_000)), false),
        ("\u{1f}\u{8b}gzip".to_owned(), false),
    ] {
        let answer = post(answer("200 OK", "", &body)).await.unwrap();
        assert_eq!(answer.json().is_ok(), good);
    }
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
        let token = read_response(Operation::Refresh, &answer)
            .and_then(|fields| TokenResponse::read(&fields));
        assert_eq!(token.is_ok(), good, "{body}");
        assert!(token.is_ok() || token.unwrap_err().kind() == ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn polls_go_by_the_code_in_the_body_not_by_the_status() {
    let poll = |status: &'static str, body: &'static str| async move {
        Poll::read(&post(answer(status, "", body)).await.unwrap())
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
        Ok(Poll::SlowDown)
    ));
    assert!(matches!(
        poll("429 Slow", r#"{"error":"slow_down"}"#).await,
        Ok(Poll::SlowDown)
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
