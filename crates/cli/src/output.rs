//! What goes to standard output (the answer) and to standard error (everything for a person).

use std::io::{self, Write as _};

use console::Term;
use serde::Serialize;

use crate::exit::Failure;
use crate::screen;

/// The version of every JSON object that the command writes.
pub(crate) const VERSION: u32 = 1;

/// Writes the answer, one line, and makes sure that it is out.
pub(crate) fn answer(line: &str) -> Result<(), Failure> {
    write(&[line.as_bytes(), b"\n"])
}

/// Writes an answer of many lines, and makes sure that it is out.
pub(crate) fn document(text: &[u8]) -> Result<(), Failure> {
    write(&[text])
}

fn write(parts: &[&[u8]]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = parts.iter().try_for_each(|part| out.write_all(part));
    written.and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes the answer as JSON on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    answer(&line)
}

/// The width of standard output; `None` where it is no terminal, and lines may be of any length.
pub(crate) fn columns_of_stdout() -> Option<usize> {
    let (_rows, columns) = Term::stdout().size_checked()?;
    Some(usize::from(columns))
}

/// Says a line to the person. Nobody listening is no reason to stop.
pub(crate) fn say(line: &str) {
    screen::on_stderr().line(line);
}
