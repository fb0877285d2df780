//! Bodies that are compressed, cut off or too long.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use llm_auth_core::ErrorKind;
use llm_auth_core::provider::{Operation, Poll};

use crate::support::socket::{answer, coded, post, standard};

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
        assert!(error.response_lost());
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
        // Other text follows it, or it is not UTF-8.
        answer(
            "200 OK",
            "",
            "{\"access_token\":\"made-up\"}<!-- made-up -->",
        ),
        raw(
            "Content-Length: 36\r\n",
            b"{\"access_token\":\"made-up\",\"n\":\"\xe9\"}",
        ),
        // Invalid headers.
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
        assert!(error.response_lost() && error.followed_success());
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
        assert!(error.response_lost() && error.followed_success());
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
async fn a_body_of_more_than_a_mebibyte_is_not_read_to_its_end() {
    let error = post(answer("200 OK", "", &"x".repeat(5 << 20)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.to_string().contains("1 MiB"), "{error}");
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
async fn form_parameters_are_read_as_an_object_if_the_server_declares_them() {
    let header = "content-type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let body = "error=slow_down&interval=10&error_description=made+up";
    let response = post(answer("200 OK", header, body)).await.unwrap();
    assert!(matches!(
        standard(Operation::Poll, |call| call.poll(&response)),
        Ok(Poll::SlowDown(Some(interval))) if interval == Duration::from_secs(10)
    ));
    let undeclared = post(answer("200 OK", "", body)).await.unwrap();
    assert!(undeclared.json().is_err());
}
