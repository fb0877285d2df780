//! Standard output, which carries the answer, and standard error, which carries everything for a
//! user: lines, and below them one line that changes.

use std::fmt::Write as _;
use std::io::{self, Write as _, stderr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use console::{Style, Term};
use llm_auth_core::printable;
use serde::Serialize;
use serde_json::Value;

use super::symbols::speaks_utf8;
use super::tty;
use crate::error::Failure;

/// The version of every JSON object that the command writes.
pub(crate) const VERSION: u32 = 1;

/// Writes the answer, one line, and makes sure that it is out. A reader that has gone away has
/// read all that it wanted (`head -1`).
pub(crate) fn answer(line: &str) -> Result<(), Failure> {
    unless_closed(write(&[line.as_bytes(), b"\n"]))
}

/// Writes an answer of many lines, and makes sure that it is out.
pub(crate) fn document(text: &[u8]) -> Result<(), Failure> {
    unless_closed(write(&[text]))
}

/// Writes an event of something that goes on; that its reader has gone away is a failure, since
/// nothing needs to go on then.
pub(crate) fn event(value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(value).map_err(|error| Failure::Output(error.into()))?;
    write(&[value.to_string().as_bytes(), b"\n"])
}

fn unless_closed(written: Result<(), Failure>) -> Result<(), Failure> {
    // Decision 0049.
    match written {
        Err(Failure::Output(error)) if is_closed(&error) => Ok(()),
        written => written,
    }
}

/// Whether nothing reads standard output any more.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn write(parts: &[&[u8]]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = parts.iter().try_for_each(|part| out.write_all(part));
    written.and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes the answer as JSON on one line, and nothing in it that a terminal would not show.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(value).map_err(|error| Failure::Output(error.into()))?;
    answer(&visible(value).to_string())
}

fn visible(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(printable(&text)),
        Value::Array(values) => values.into_iter().map(visible).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            members
                .map(|(name, value)| (name, visible(value)))
                .collect()
        }
        other => other,
    }
}

/// The width of standard output; `None` if it is no terminal, and lines may be of any length.
pub(crate) fn columns_of_stdout() -> Option<usize> {
    let (_rows, columns) = Term::stdout().size_checked()?;
    Some(usize::from(columns))
}

/// Prints a line for the user. A reader that has gone away is no reason to stop.
pub(crate) fn say(text: &str) {
    for line in text.split('\n') {
        on_stderr().line(&printable(line));
    }
}

/// Where lines are shown.
#[derive(Debug)]
pub(crate) struct Screen {
    /// A terminal whose last line can be drawn again.
    live: Option<Term>,
    plain: fn(&str),
    colour: bool,
    blocks: bool,
    status: Mutex<String>,
}

static STDERR: LazyLock<Screen> = LazyLock::new(|| {
    let term = Term::stderr();
    let features = term.features();
    let live = features.is_attended() && !console::is_dumb();
    Screen {
        colour: live && features.colors_supported(),
        live: live.then_some(term),
        blocks: live && speaks_utf8(),
        ..Screen::lines(|line| {
            // A reader that has gone away is no reason to stop.
            let _no_reader: io::Result<()> = writeln!(stderr().lock(), "{line}");
        })
    }
});

#[cfg(feature = "demo")]
static STDOUT: LazyLock<Screen> = LazyLock::new(|| {
    Screen::lines(|line| {
        let _told_at_the_next_answer = answer(line);
    })
});

/// Standard error, as much of a terminal as it is. All that is written there goes through this,
/// so that the line that changes is never torn.
pub(crate) fn on_stderr() -> &'static Screen {
    &STDERR
}

/// Plain lines on standard output.
#[cfg(feature = "demo")]
pub(crate) fn on_stdout() -> &'static Screen {
    &STDOUT
}

impl Screen {
    fn lines(plain: fn(&str)) -> Self {
        Self {
            live: None,
            plain,
            colour: false,
            blocks: false,
            status: Mutex::new(String::new()),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether block characters can be shown, as a QR code needs them.
    pub(crate) fn has_blocks(&self) -> bool {
        self.blocks
    }

    pub(crate) fn has_colour(&self) -> bool {
        self.colour
    }

    /// Columns and rows; `None` where lines may be of any length.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        let (rows, columns) = self.live.as_ref()?.size_checked()?;
        Some((usize::from(columns), usize::from(rows)))
    }

    /// Makes words stand out, where that is possible.
    pub(crate) fn strong(&self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    /// Makes an address look like one, where that is possible.
    pub(crate) fn address(&self, text: &str) -> String {
        self.styled(text, Style::new().cyan())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if !self.colour {
            return text.to_owned();
        }
        style.force_styling(true).apply_to(text).to_string()
    }

    pub(crate) fn line(&self, line: &str) {
        let Some(term) = &self.live else {
            return (self.plain)(line);
        };
        let status = self.status();
        let mut drawn = String::new();
        if !status.is_empty() {
            drawn.push_str(CLEAR_LINE);
        }
        let _infallible = write!(drawn, "{line}\r\n{status}");
        draw(term, &drawn);
    }

    /// Draws the last line again; prints nothing without such a line.
    pub(crate) fn show_status(&self, text: &str) {
        let Some(term) = &self.live else { return };
        // Nothing is drawn over the line that a user types to a shell.
        if !tty::is_ours(stderr()) {
            return;
        }
        let room = self
            .size()
            .map_or(79, |(columns, _)| columns.saturating_sub(1));
        let text: String = text.chars().take(room).collect();
        let mut status = self.status();
        if *status != text {
            draw(term, &format!("{CLEAR_LINE}{text}"));
            *status = text;
        }
    }

    /// Takes the changing line away.
    pub(crate) fn clear_status(&self) {
        self.show_status("");
    }

    /// Sends a sequence that steers the terminal, where it understands any and is ours.
    pub(crate) fn steer(&self, sequence: &str) {
        if let Some(term) = &self.live
            && tty::is_ours(stderr())
        {
            draw(term, sequence);
        }
    }

    fn status(&self) -> MutexGuard<'_, String> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To the first column, and the rest of the line away.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// A reader that has gone away is no reason to stop.
fn draw(term: &Term, text: &str) {
    let mut term: &Term = term;
    let _no_reader: io::Result<()> = term.write_all(text.as_bytes()).and_then(|()| term.flush());
}
