use std::process::Child;
use std::time::Duration;

use llm_auth_testkit::{Approval, Endpoint, Fault};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Done, User, wait_for};

const SIGNALS: [(Signal, i32); 3] = [(Signal::HUP, 129), (Signal::INT, 130), (Signal::TERM, 143)];

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_ends_a_login_that_waits_for_the_person() {
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
    let user = User::with(Approval::Manual);
    let mut child = user.start(&["login", "gemini", "--json"]);
    let mut line = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    send(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_renewal_that_has_begun_is_stored_before_a_signal_ends_the_command() {
    for (signal, code) in SIGNALS {
        let user = User::with_expired_session("qwen");
        let before = user.stored("qwen");
        let late = Fault::delay(Duration::from_millis(700)).after();
        user.kit.qwen().fault(Endpoint::Refresh, late);
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
    let user = User::with_expired_session("qwen");
    user.kit.qwen().fault(Endpoint::Refresh, Fault::hang());
    let mut child = user.start(&["token", "qwen"]);
    wait_for(user.kit.qwen(), |seen| seen.refreshes > 0);
    send(&child, Signal::INT);
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut said).unwrap();
    assert!(said.contains("once more"), "{said}");
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(user.stored("qwen")["refresh"].is_string());
}
