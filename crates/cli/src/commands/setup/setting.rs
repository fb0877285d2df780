//! One setting of another program, and what can be wrong with its file.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the settings are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// JSON, in which comments and trailing commas are kept.
    Json,
    Toml,
}

/// What JSON has only in the files of some tools.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Lenient {
    Comments,
    TrailingCommas,
}

impl fmt::Display for Lenient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comments => "comments",
            Self::TrailingCommas => "trailing commas",
        })
    }
}

/// One setting: its place, and its value, which is no object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}

/// What is wrong with a text, which is never quoted.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    Syntax(Place),
    /// What begins there has no end.
    NotClosed(&'static str, Place),
    /// A name or a table that was there before.
    AgainAt(Place),
    NotText,
    /// It holds no object.
    NoObject,
    /// A member occurs twice.
    Twice(String),
    /// It cannot be changed at one place without another.
    Entangled,
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(place) => write!(f, "{place} cannot be read"),
            Self::NotClosed(what, place) => {
                write!(f, "the {what} that begins at {place} is not closed")
            }
            Self::AgainAt(place) => write!(f, "the name at {place} occurs twice"),
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::NoObject => f.write_str("it does not hold an object"),
            Self::Twice(member) => write!(f, "{member} occurs twice"),
            Self::Entangled => f.write_str("these settings cannot be changed alone"),
        }
    }
}
