//! How a proxy begins and ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use llm_auth_testkit::{Fault, Operation};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

use super::client::Open;
use super::process::{Proxy, chat};
use crate::support::inherited_signals::let_children_receive_signals;
use crate::support::user::User;
use crate::support::wait::wait_for;

/// A proxy with a stream that has begun and is held.
fn with_open_stream(user: &User) -> (Proxy, Open) {
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(user, &["qwen"]);
    let qwen = user.kit.qwen();
    qwen.set_reply_pieces(3);
    qwen.fault(Operation::Chat, Fault::hold_stream(1));
    let mut stream = proxy.open(chat("qwen", true));
    stream.until("The simulated");
    wait_for(qwen, |seen| seen.streams_held == 1);
    (proxy, stream)
}

/// Waits until the proxy says that it finishes open requests.
fn finishes(proxy: &mut Proxy) {
    let mut printed = String::new();
    let stderr = proxy.child.stderr.take().unwrap();
    BufReader::new(stderr).read_line(&mut printed).unwrap();
    assert!(printed.contains("finishing the open requests"), "{printed}");
}

#[test]
fn a_signal_lets_a_stream_end_and_accepts_nothing_new() {
    let_children_receive_signals();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let user = User::new();
        let (mut proxy, mut stream) = with_open_stream(&user);
        proxy.signal(signal);
        finishes(&mut proxy);
        assert!(TcpStream::connect(proxy.address()).is_err());
        user.kit.qwen().release_streams();
        let (rest, is_whole) = stream.rest();
        assert!(is_whole && rest.contains("[DONE]"), "{rest}");
        assert_eq!(proxy.child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_second_signal_ends_the_streams_at_once() {
    let_children_receive_signals();
    let user = User::new();
    let (mut proxy, mut stream) = with_open_stream(&user);
    proxy.signal(Signal::TERM);
    finishes(&mut proxy);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.child.wait().unwrap().code(), Some(143));
    let (_, is_whole) = stream.rest();
    assert!(!is_whole);
}

#[test]
fn without_an_open_request_it_ends_at_the_first_signal() {
    let_children_receive_signals();
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    // A connection that waits for a next request is none.
    let idle = TcpStream::connect(proxy.address()).unwrap();
    let done = proxy.stop();
    assert_eq!(done.code, Some(143), "{done:?}");
    assert!(
        done.err.contains("stopped; no request was open"),
        "{done:?}"
    );
    drop(idle);
}

#[test]
fn what_cannot_be_served_is_refused_before_the_start() {
    let user = User::new();
    user.run(&["serve", "qwen"])
        .assert_failed(3, "qwen: not signed in");
    user.run(&["serve", "openai"])
        .assert_failed(1, "the application that the user connected");
    user.sign_in(&["qwen"]);
    // The second of two.
    let done = user.run(&["serve", "qwen", "minimax"]);
    done.assert_failed(3, "minimax: not signed in");
    assert!(done.err.contains("llm-auth login minimax"), "{done:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = user.run(&["serve", "qwen", "--port", &port, "--json"]);
    done.assert_failed(1, "is in use");
    assert!(done.json()["error"].is_object(), "{done:?}");
    let both = ["serve", "qwen", "minimax", "--account", "work"];
    for args in [&["serve"][..], &["serve", "made-up"], &both] {
        assert_eq!(user.run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn without_json_each_line_has_a_name_and_a_value() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let mut child = user.start(&["serve", "qwen"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    let url = next();
    let key = next();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(url.starts_with("qwen http://127.0.0.1:"), "{url}");
    assert!(url.ends_with("/qwen"), "{url}");
    assert_eq!(key.strip_prefix("key ").unwrap().len(), 43);
}

#[test]
fn half_a_request_holds_up_neither_the_end_nor_those_with_a_key() {
    let_children_receive_signals();
    raise_limit_of_files();
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    let halves: Vec<TcpStream> = (0..1_100)
        .map(|_| {
            let mut half = TcpStream::connect(proxy.address()).unwrap();
            half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            half
        })
        .collect();
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    let done = proxy.stop();
    assert_eq!(done.code, Some(143), "{done:?}");
    drop(halves);
}

fn raise_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_proxy_may_have_as_many_files_open_as_the_hard_limit_allows() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "ulimit -Sn 64 && ulimit -Hn 512 && exec \"$@\"", "sh"])
        .args(user.words(&["serve", "--json", "qwen"]))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in user.command(&[]).get_envs() {
        shell.envs(value.map(|value| (name, value)));
    }
    let proxy = Proxy::of(&mut shell);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", proxy.child.id())).unwrap();
    let open_files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = open_files.unwrap().split_whitespace().skip(3).collect();
    assert_eq!(numbers[..2], ["512", "512"]);
    proxy.stop();
}
