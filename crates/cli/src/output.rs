//! What goes to standard output (the answer) and to standard error (everything for a person).

use std::io::{self, Write as _};

use console::Term;
use llm_auth_core::printable;
use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::screen;

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
    let line = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    write(&[line.as_bytes(), b"\n"])
}

fn unless_closed(written: Result<(), Failure>) -> Result<(), Failure> {
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

/// The most that is shown of a text that a file or a server holds.
const MOST_SHOWN: usize = 500;

/// Text of a file or a server as a person and a program see it: printable, and not endless.
pub(crate) fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The width of standard output; `None` where it is no terminal, and lines may be of any length.
pub(crate) fn columns_of_stdout() -> Option<usize> {
    let (_rows, columns) = Term::stdout().size_checked()?;
    Some(usize::from(columns))
}

/// Says a line to the person. Nobody listening is no reason to stop.
pub(crate) fn say(text: &str) {
    for line in text.split('\n') {
        screen::on_stderr().line(&printable(line));
    }
}
