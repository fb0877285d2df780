//! What a provider does not do.

use std::error::Error;
use std::fmt;

/// What a provider does not do of what every provider must. `Debug` is `Display`, so that a test
/// that returns it prints it as it is meant.
pub struct Failures {
    provider: String,
    lines: Vec<String>,
}

impl Failures {
    pub(crate) fn of(provider: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            lines: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, check: &str, why: String) {
        self.lines.push(format!("{check}: {why}"));
    }

    pub(crate) fn record(&mut self, check: &str, result: Result<(), String>) {
        if let Err(why) = result {
            self.add(check, why);
        }
    }

    pub(crate) fn into_result(self) -> Result<(), Self> {
        match self.lines.is_empty() {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// The failures, one line each: the check and what was wrong.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lines.len();
        write!(f, "{} does not conform ({count}):", self.provider)?;
        self.lines
            .iter()
            .try_for_each(|line| write!(f, "\n- {line}"))
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failures {}
