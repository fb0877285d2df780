use std::process::Child;
use std::time::Duration;

use llm_auth_testkit::{Approval, Fault, Operation};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::done::Done;
use crate::support::inherited_signals::let_children_receive_signals;
use crate::support::user::User;
use crate::support::wait::wait_for;

const SIGNALS: [(Signal, i32); 4] = [
    (Signal::HUP, 129),
    (Signal::INT, 130),
    (Signal::QUIT, 131),
    (Signal::TERM, 143),
];

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_ends_a_login_that_waits_for_the_user() {
    let_children_receive_signals();
    for (signal, code) in SIGNALS {
        let user = User::with(Approval::Manual);
        let child = user.start(&["login", "qwen", "--json"]);
        wait_for(user.kit.qwen(), |seen| seen.polls > 0);
        send(&child, signal);
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains("interrupted"), "{done:?}");
        assert_eq!(done.events().pop().unwrap()["exit_code"], code);
        assert!(!user.file("qwen", "default").exists());
    }
}

#[test]
fn a_signal_ends_a_login_that_waits_for_the_browser() {
    let_children_receive_signals();
    let user = User::with(Approval::Manual);
    let mut child = user.start(&["login", "gemini", "--json"]);
    let mut line = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    send(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_refresh_that_has_begun_is_stored_before_a_signal_ends_the_command() {
    let_children_receive_signals();
    for (signal, code) in SIGNALS {
        let user = User::with_expired_session("qwen");
        let before = user.stored("qwen");
        let late = Fault::delay(Duration::from_millis(700)).after();
        user.kit.qwen().fault(Operation::Refresh, late);
        let child = user.start(&["token", "qwen"]);
        wait_for(user.kit.qwen(), |seen| seen.refreshes > 0);
        send(&child, signal);
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{done:?}");
        assert!(done.err.contains("is stored in"), "{done:?}");
        let after = user.stored("qwen");
        assert_ne!(after["refresh"], before["refresh"]);
        let next = user.run(&["token", "qwen"]);
        assert_eq!(next.out.trim_end(), after["access"], "{next:?}");
        let seen = user.kit.qwen().counters();
        assert_eq!((seen.refreshes, seen.reuse), (1, 0));
    }
}

#[test]
fn a_second_signal_ends_the_command_at_once() {
    let_children_receive_signals();
    let user = User::with_expired_session("qwen");
    user.kit.qwen().fault(Operation::Refresh, Fault::hang());
    let mut child = user.start(&["token", "qwen"]);
    wait_for(user.kit.qwen(), |seen| seen.refreshes > 0);
    send(&child, Signal::INT);
    let mut printed = String::new();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut printed).unwrap();
    assert!(
        printed.contains("a second signal stops it immediately"),
        "{printed}"
    );
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(user.stored("qwen")["refresh"].is_string());
}

/// As `nohup` does it.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_stays_so() {
    let ignoring_hup =
        |user: &User, words: &str| user.shell(&format!("trap '' HUP; exec \"$0\" {words}"));
    let user = User::with(Approval::Manual);
    let child = ignoring_hup(&user, "login qwen").spawn().unwrap();
    wait_for(user.kit.qwen(), |seen| seen.polls > 0);
    send(&child, Signal::HUP);
    let code = user.kit.qwen().pending_user_codes().remove(0);
    assert!(user.kit.qwen().approve(&code));
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    // Also in a program that is started after a refresh.
    user.expire("qwen");
    let words = "exec qwen -- /bin/sh -c 'kill -HUP $$; echo alive'";
    let done = Done::of(&mut ignoring_hup(&user, words));
    assert_eq!(done.out, "alive\n", "{done:?}");
}
