//! Where the demo prints its story.

use crate::error::Failure;
use crate::ui::streams;

/// Where the story is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) fn print(self, line: &str) -> Result<(), Failure> {
        if self.json {
            streams::say(line);
            return Ok(());
        }
        streams::answer(line)
    }
}
