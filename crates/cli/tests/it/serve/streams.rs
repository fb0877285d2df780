//! Responses and uploads pass piece by piece.

use std::io::Write as _;
use std::net::TcpStream;

use llm_auth_testkit::{Fault, Operation};

use super::client::{Open, Request};
use super::process::{Proxy, chat};
use super::upstream::{Upstream, in_two_parts, ok};
use crate::support::user::User;
use crate::support::wait::{PATIENCE, wait_for};

#[test]
fn the_first_event_arrives_before_the_second_is_sent() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    let qwen = user.kit.qwen();
    qwen.set_reply_pieces(3);
    qwen.fault(Operation::Chat, Fault::hold_stream(1));
    let mut stream = proxy.open(chat("qwen", true));
    assert_eq!(stream.status, 200);
    let first = stream.until("The simulated");
    assert!(!first.contains("three"), "{first}");
    let seen = wait_for(qwen, |seen| seen.streams_held == 1);
    assert_eq!(seen.streams_done, 0);
    qwen.release_streams();
    let (rest, is_whole) = stream.rest();
    assert!(is_whole && rest.contains("[DONE]"), "{rest}");
}

/// As Google streams without `alt=sse`.
#[test]
fn a_json_array_is_not_held_back_to_be_understood() {
    let (upstream, release) = in_two_parts(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\n[{},\n\r\n",
        "3\r\n{}]\r\n0\r\n\r\n",
    );
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let mut stream = proxy.open(Request::get("/qwen/x"));
    assert_eq!(stream.chunk().as_deref(), Some("[{},\n"));
    release.send(()).unwrap();
    assert_eq!(stream.rest(), ("{}]".to_owned(), true));
}

#[test]
fn a_stream_that_its_api_cuts_off_is_cut_off_for_the_client_too() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    let qwen = user.kit.qwen();
    qwen.set_reply_pieces(3);
    qwen.fault(Operation::Chat, Fault::cut_stream(1));
    let mut stream = proxy.open(chat("qwen", true));
    let (body, is_whole) = stream.rest();
    assert!(body.contains("The simulated") && !is_whole, "{body}");
    // It was sent once: whatever it did, it has done.
    assert_eq!(qwen.counters().streams, 1);
}

#[test]
fn what_came_before_the_cut_reaches_the_client() {
    // The piece and the end of the connection arrive together.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let upstream = Upstream::start(&format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    ));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    for _ in 0..50 {
        let mut stream = proxy.open(Request::get("/qwen/x"));
        assert_eq!(stream.rest(), ("first".to_owned(), false));
    }
}

/// Servers that stream objects call that JSON too.
#[test]
fn the_first_of_several_objects_is_not_held_back() {
    let (upstream, release) = in_two_parts(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\n{}\n\r\n",
        "3\r\n{}\n\r\n0\r\n\r\n",
    );
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let mut stream = proxy.open(Request::get("/qwen/x"));
    assert_eq!(stream.chunk().as_deref(), Some("{}\n"));
    release.send(()).unwrap();
    assert_eq!(stream.rest(), ("{}\n".to_owned(), true));
}

#[test]
fn a_client_that_goes_away_ends_its_stream_at_the_api() {
    let (ended, end) = std::sync::mpsc::channel();
    let ended = std::sync::Mutex::new(ended);
    let upstream = Upstream::with(move |_, mut stream| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let mut written = stream.write_all(head.as_bytes());
        while written.is_ok() {
            written = stream.write_all(b"data: {}\n\n");
        }
        // The test has ended if it does not hear it.
        let _heard = ended.lock().unwrap().send(());
    });
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let mut stream = proxy.open(Request::get("/qwen/x"));
    stream.until("data");
    drop(stream);
    end.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_large_upload_begins_before_it_has_ended() {
    // Longer than what is kept of a body.
    const PIECES: usize = 160;
    const PIECE: usize = 64 * 1024;
    let (arrived, first) = std::sync::mpsc::channel();
    let arrived = std::sync::Mutex::new(arrived);
    let upstream = Upstream::streaming(move |seen| {
        // The test has ended if it does not hear it.
        let _heard = arrived.lock().unwrap().send(seen);
    });
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = Request::post("/qwen/files", "")
        .key(proxy.key())
        .header("Transfer-Encoding", "chunked")
        .text(proxy.address());
    stream.write_all(head.as_bytes()).unwrap();
    let piece = "x".repeat(PIECE);
    let send = |stream: &mut TcpStream| {
        write!(stream, "{PIECE:x}\r\n{piece}\r\n").unwrap();
    };
    send(&mut stream);
    // The rest is not sent before the API has the beginning.
    assert!(first.recv_timeout(PATIENCE).unwrap() > 0);
    for _ in 1..PIECES {
        send(&mut stream);
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let response = Open::read(stream).whole();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.body, (PIECES * PIECE).to_string());
}

#[test]
fn the_length_of_a_body_stays_known() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::post("/qwen/x", "{\"a\":1}"));
    assert!(
        response
            .head
            .to_ascii_lowercase()
            .contains("content-length: 2\r\n")
    );
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.header("content-length"), Some("7"));
    assert_eq!(seen.body, b"{\"a\":1}");
}
