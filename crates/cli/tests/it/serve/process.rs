//! A process of `llm-auth serve`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client::{Open, Request, Response};
use crate::support::done::Done;
use crate::support::user::User;

pub(super) struct Proxy {
    pub(super) child: Child,
    pub(super) started: Value,
}

impl Proxy {
    pub(super) fn start(user: &User, args: &[&str]) -> Self {
        let args = [&["serve", "--json"], args].concat();
        Self::of(&mut user.command(&args))
    }

    pub(super) fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let Ok(started) = serde_json::from_str::<Value>(&line) else {
            panic!(
                "{line}: {:?}",
                Done::from(child.wait_with_output().unwrap())
            );
        };
        if started["error"].is_object() {
            panic!("{line}");
        }
        Self { child, started }
    }

    /// The message of one that does not start. One that does is ended.
    pub(super) fn refused(user: &User, args: &[&str]) -> String {
        let args = [&["serve", "--json"], args].concat();
        let mut child = user.start(&args);
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        // It has ended already.
        let _ended = child.kill();
        let done = Done::from(child.wait_with_output().unwrap());
        let printed: Value = serde_json::from_str(&line).unwrap();
        let message = printed["error"]["message"].as_str();
        let message = message.unwrap_or_else(|| panic!("it started: {done:?}"));
        assert!(printed["error"]["advice"].is_string(), "{printed}");
        message.to_owned()
    }

    pub(super) fn key(&self) -> &str {
        self.started["key"].as_str().unwrap()
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> &str {
        let url = self.started["sessions"][0]["base_url"].as_str().unwrap();
        let rest = url.strip_prefix("http://").unwrap();
        rest.split_once('/').unwrap().0
    }

    /// Sends a request with the key.
    pub(super) fn send(&self, request: Request) -> Response {
        request.key(self.key()).send(self.address())
    }

    pub(super) fn open(&self, request: Request) -> Open {
        request.key(self.key()).open(self.address())
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it in order.
    pub(super) fn stop(self) -> Done {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub(super) fn wait(mut self) -> Done {
        let mut err = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut err).unwrap();
        let code = self.child.wait().unwrap().code();
        Done {
            code,
            out: String::new(),
            err,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has ended already in most tests.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A chat at the API of OpenAI, below the path of a session.
pub(super) fn chat(session: &str, stream: bool) -> Request {
    let body = serde_json::json!({
        "model": "made-up",
        "stream": stream,
        "messages": [{"role": "user", "content": "one two three"}],
    });
    Request::post(&format!("/{session}/chat/completions"), &body.to_string())
}

/// The same at the API of Anthropic.
pub(super) fn message(session: &str) -> Request {
    let body = serde_json::json!({
        "model": "made-up",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "one two three"}],
    });
    Request::post(&format!("/{session}/v1/messages"), &body.to_string())
}
