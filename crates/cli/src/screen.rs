//! Lines for a person, and below them one line that changes.

use std::fmt::Write as _;
use std::io::{self, Write as _, stderr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use console::{Style, Term};

use crate::{environment, output, tty};

/// Where lines are shown.
#[derive(Debug)]
pub(crate) struct Screen {
    /// A terminal whose last line can be drawn anew.
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
            // Nobody listening is no reason to stop.
            let _nobody_listens: io::Result<()> = writeln!(stderr().lock(), "{line}");
        })
    }
});

static STDOUT: LazyLock<Screen> = LazyLock::new(|| {
    Screen::lines(|line| {
        let _told_at_the_next_answer = output::answer(line);
    })
});

/// Standard error, as much of a terminal as it is. All that is written there goes through this,
/// so that the line that changes is never torn.
pub(crate) fn on_stderr() -> &'static Screen {
    &STDERR
}

/// Plain lines on standard output.
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
            drawn.push_str(ANEW);
        }
        let _infallible = write!(drawn, "{line}\r\n{status}");
        draw(term, &drawn);
    }

    /// Draws the last line anew; says nothing where there is no such line.
    pub(crate) fn show_status(&self, text: &str) {
        let Some(term) = &self.live else { return };
        // Over the line that somebody types to a shell, nothing is drawn.
        if !tty::is_ours(stderr()) {
            return;
        }
        let room = self
            .size()
            .map_or(79, |(columns, _)| columns.saturating_sub(1));
        let text: String = text.chars().take(room).collect();
        let mut status = self.status();
        if *status != text {
            draw(term, &format!("{ANEW}{text}"));
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

/// How many columns of a terminal a text takes: a Chinese letter takes two, an accent of its own
/// none.
pub(crate) fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A text with blanks behind it up to that width.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text));
    format!("{text}{:blanks$}", "")
}

/// To the first column, and the rest of the line away.
const ANEW: &str = "\r\x1b[2K";

/// Nobody listening is no reason to stop.
fn draw(term: &Term, text: &str) {
    let mut term: &Term = term;
    let _nobody_listens: io::Result<()> =
        term.write_all(text.as_bytes()).and_then(|()| term.flush());
}

/// What stands before advice.
pub(crate) fn arrow() -> &'static str {
    let is_plain = Term::stderr().is_term() && !speaks_utf8();
    if is_plain { "->" } else { "→" }
}

/// By the variables that POSIX names, the strongest first.
fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment::text(name).ok().flatten());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8")
}
