//! The size of the terminal, and what it can show.

use crate::ui::streams::Screen;

/// How much room there is for lines, and of which kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) blocks: bool,
    pub(crate) colour: bool,
}

impl Size {
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
