//! What stands in the terminal while a person signs in, as lines.

mod authorization;
mod device;

pub(crate) use self::authorization::{Paste, WaysBack, authorization};
pub(crate) use self::device::device;
use crate::screen::{Screen, columns};

/// How much room there is for lines, and of which kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) blocks: bool,
    pub(crate) colour: bool,
}

impl Room {
    pub(crate) fn of(screen: &Screen) -> Self {
        let (width, height) = screen.size().unwrap_or((usize::MAX, 0));
        Self {
            width,
            height,
            blocks: screen.has_blocks(),
            colour: screen.has_colour(),
        }
    }
}

/// Words on lines that are no longer than the width, unless a word is.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
