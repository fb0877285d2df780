//! This program once more, as one host of many.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::server::signal;

const URL: &str = "LLM_AUTH_TEST_REDIS";
const BASE: &str = "LLM_AUTH_TEST_VENDOR";
const PREFIX: &str = "LLM_AUTH_TEST_PREFIX";

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a process has to do.
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) base: String,
    pub(crate) prefix: String,
}

impl Orders {
    /// Of this process; `None` in one that no test has started.
    pub(crate) fn own() -> Option<Self> {
        Some(Self {
            url: std::env::var(URL).ok()?,
            base: std::env::var(BASE).ok()?,
            prefix: std::env::var(PREFIX).ok()?,
        })
    }

    /// Starts a process that runs this ignored test.
    pub(crate) fn start(&self, test: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env(URL, &self.url)
            .env(BASE, &self.base)
            .env(PREFIX, &self.prefix)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, lines }
    }
}

impl Process {
    /// The rest of the first line that begins with this word.
    pub(crate) fn line(&mut self, word: &str) -> String {
        let lines = self.lines.by_ref().map(Result::unwrap);
        let mut seen = Vec::new();
        for line in lines {
            if let Some(at) = line.find(word) {
                return line[at + word.len()..].to_owned();
            }
            seen.push(line);
        }
        panic!("no {word}: {seen:?}");
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    pub(crate) fn wake(&self) {
        signal("-CONT", &self.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already = self.child.kill();
        let _ended = self.child.wait();
    }
}
