//! What a process of the command left behind.

use std::process::{Command, Output};

use serde_json::Value;

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}")))
            .collect()
    }

    /// Neither standard output nor standard error holds any of these.
    pub(crate) fn assert_no_secret(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(
                !self.out.contains(secret) && !self.err.contains(secret),
                "{self:?}"
            );
        }
    }

    /// The exit code, one line that says why, and one that says what to do.
    pub(crate) fn assert_failed(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        let printed = self.err.lines().find(|line| line.starts_with("llm-auth: "));
        let printed = printed.unwrap_or_else(|| panic!("{self:?}"));
        assert!(printed.contains(what), "{what} is not in {self:?}");
        assert!(self.err.contains("\n  → "), "{self:?}");
    }
}
