//! A sign-in at a terminal that no browser of this computer serves.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use super::done::Done;
use super::user::User;

/// A sign-in at a terminal that is far from any browser, with its authorization URL.
pub(crate) struct FromAfar {
    child: Child,
    pub(crate) url: String,
    err: BufReader<std::process::ChildStderr>,
    pub(crate) printed: String,
}

impl FromAfar {
    pub(crate) fn begin(user: &User, provider: &str) -> Self {
        let mut child = user
            .command(&["login", provider])
            .env("SSH_CONNECTION", "203.0.113.7 5000 192.0.2.4 22")
            .env("USER", "mia")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("Waiting") {
            assert!(err.read_line(&mut printed).unwrap() > 0, "{printed}");
        }
        let url = printed.lines().find(|line| line.starts_with("http://"));
        Self {
            child,
            url: url.unwrap().to_owned(),
            err,
            printed,
        }
    }

    pub(crate) fn paste(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(crate) fn end(mut self) -> Done {
        // Standard input stays open, as a terminal's does.
        let _open = self.child.stdin.take();
        self.err.read_to_string(&mut self.printed).unwrap();
        let done = Done::from(self.child.wait_with_output().unwrap());
        Done {
            err: self.printed,
            ..done
        }
    }
}
