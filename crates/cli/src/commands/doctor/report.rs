//! The checks as text.

use console::Style;

use super::check::{Check, Status};
use crate::error::Failure;
use crate::ui::streams::{answer, columns_of_stdout};
use crate::ui::symbols::arrow;
use crate::ui::width::wrapped;

/// Under the word that says how it is.
const INDENT: usize = 6;

pub(super) fn print(checks: &[Check]) -> Result<(), Failure> {
    let width = columns_of_stdout().unwrap_or(usize::MAX);
    for check in checks {
        let room = width.saturating_sub(INDENT);
        let mut lines = wrapped(&check.text(), room).into_iter();
        let first = lines.next().unwrap_or_default();
        answer(&format!("{} {first}", check.status.word()))?;
        for line in lines {
            answer(&format!("{:INDENT$}{line}", ""))?;
        }
        if let Some(advice) = &check.advice {
            for (at, line) in wrapped(advice, room.saturating_sub(2)).iter().enumerate() {
                let mark = if at == 0 { arrow() } else { "" };
                let mark = format!("{mark:<2}");
                answer(&format!("{:INDENT$}{mark}{line}", ""))?;
            }
        }
    }
    Ok(())
}

impl Check {
    fn text(&self) -> String {
        match &self.provider {
            Some(provider) => format!("{provider}: {}", self.message),
            None => format!("{}: {}", self.id.replace('_', " "), self.message),
        }
    }
}

impl Status {
    /// As wide as the widest, in a colour if the terminal has any.
    fn word(self) -> String {
        let (word, style) = match self {
            Self::Fail => ("FAIL", Style::new().red().bold()),
            Self::Note => ("note", Style::new().cyan()),
            Self::Ok => ("ok", Style::new().green()),
            Self::Warn => ("warn", Style::new().yellow()),
        };
        style.apply_to(format!("{word:<5}")).to_string()
    }
}
