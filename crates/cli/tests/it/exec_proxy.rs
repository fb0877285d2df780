//! `llm-auth exec --proxy`: the program gets a key and a URL, and never the token.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use llm_auth_testkit::{Fault, Operation};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::done::Done;
use crate::support::inherited_signals::let_children_receive_signals;
use crate::support::user::User;
use crate::support::wait::PATIENCE;

const SH: &str = "/bin/sh";

fn exec<'a>(flags: &[&'a str], script: &'a str) -> Vec<&'a str> {
    let proxied = [
        "exec",
        "qwen",
        "--proxy",
        "--env",
        "KEY",
        "--api-base-env",
        "URL",
    ];
    [&proxied[..], flags, &["--", SH, "-c", script]].concat()
}

/// A program that runs until its input ends, and the lines that it prints.
fn started(user: &User, args: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = user.command(args).stdin(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// The response to a chat, sent as the program would.
fn chat(url: &str, key: &str) -> String {
    let rest = url.trim().strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let body = r#"{"model":"made-up","messages":[{"role":"user","content":"one two"}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /{path}/chat/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn the_program_calls_the_api_with_a_key_that_ends_with_it_and_never_has_the_token() {
    let user = User::with_expired_session("qwen");
    let script = "echo \"$URL $KEY\"; echo $$; read line; exit 42";
    let (mut child, mut lines) = started(&user, &exec(&[], script));
    let line = lines.next().unwrap().unwrap();
    let (url, key) = line.split_once(' ').unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let id = lines.next().unwrap().unwrap();
    let response = chat(url, key);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("one two"), "{response}");
    let first = user.stored("qwen");
    // A token that ends meanwhile is the proxy's concern.
    user.kit.qwen().expire_access_tokens();
    assert!(chat(url, key).starts_with("HTTP/1.1 200"));
    let stored = user.stored("qwen");
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap();
    let arguments = String::from_utf8_lossy(&arguments);
    assert!(environment.contains(key), "{environment}");
    assert_ne!(first["access"], stored["access"]);
    for name in ["access", "refresh"] {
        for session in [&first, &stored] {
            let secret = session[name].as_str().unwrap();
            assert!(!environment.contains(secret), "{name}: {environment}");
            assert!(!arguments.contains(secret), "{name}: {arguments}");
        }
    }
    assert!(
        !environment.contains("LLM_AUTH_ACCESS_TOKEN"),
        "{environment}"
    );
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(42));
    let address = url.strip_prefix("http://").unwrap();
    let address = address.split_once('/').unwrap().0;
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_program_reaches_the_proxy_without_the_http_proxy_of_its_environment() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let words = exec(&[], "echo $NO_PROXY; echo $no_proxy");
    let mut command = user.command(&words);
    command
        .env_remove("no_proxy")
        .env("NO_PROXY", "models.example");
    let done = Done::of(&mut command);
    assert_eq!(
        done.out, "models.example,127.0.0.1,localhost,::1\n127.0.0.1,localhost,::1\n",
        "{done:?}"
    );
}

#[test]
fn signals_are_the_program_s_and_its_end_by_one_is_the_exit_code() {
    let_children_receive_signals();
    let user = User::new();
    user.sign_in(&["qwen"]);
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
    ] {
        let script = format!(
            "trap 'echo heard; exit 7' {name}; echo ready; for i in $(seq 300); do sleep 0.1; done"
        );
        let mut child = user.start(&exec(&[], &script));
        let mut ready = [0; 6];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(7), "heard\n"),
            "{name}: {done:?}"
        );
    }
    let done = user.run(&exec(&[], "kill -KILL $$"));
    assert_eq!(done.code, Some(137), "{done:?}");
    assert_eq!(done.err, "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_has_the_limit_for_core_dumps_that_the_command_began_with() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let words = "exec qwen --proxy --api-base-env URL -- /bin/sh -c 'ulimit -S -c'";
    let script = format!("ulimit -S -c \"$(ulimit -H -c)\"; ulimit -S -c; exec \"$0\" {words}");
    let done = Done::of(&mut user.shell(&script));
    let (before, inside) = done.out.trim_end().split_once('\n').unwrap();
    assert_eq!(before, inside, "{done:?}");
}

#[test]
fn the_user_limits_how_long_the_api_may_take_to_respond() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let script = "echo \"$URL $KEY\"; read line";
    let (mut child, mut lines) = started(&user, &exec(&["--response-timeout", "0.5"], script));
    let line = lines.next().unwrap().unwrap();
    let (url, key) = line.split_once(' ').unwrap();
    user.kit.qwen().fault(Operation::Chat, Fault::hang());
    let response = chat(url, key);
    assert!(response.starts_with("HTTP/1.1 504"), "{response}");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_call_that_cannot_be_proxied_starts_no_program() {
    let user = User::new();
    let mark = user.directory.path().join("started");
    let touch = format!("touch {}", mark.display());
    user.run(&exec(&[], &touch))
        .assert_failed(3, "not signed in");
    user.sign_in(&["qwen"]);
    let without_url = ["exec", "qwen", "--proxy", "--", SH, "-c", &touch];
    user.run(&without_url).assert_failed(2, "--api-base-env");
    for limit in ["--expires", "--response-timeout"] {
        let args = ["exec", "qwen", limit, "5", "--", SH, "-c", &touch];
        user.run(&args).assert_failed(2, "--proxy");
    }
    let done = user.run(&["exec", "openai", "--proxy", "--api-base-env", "URL", "true"]);
    done.assert_failed(1, "the application that the user connected");
    assert!(!mark.exists());
    let missing = [
        "exec",
        "qwen",
        "--proxy",
        "--api-base-env",
        "URL",
        "/nowhere/made-up",
    ];
    user.run(&missing).assert_failed(127, "/nowhere/made-up");
}
