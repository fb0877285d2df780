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
    Syntax {
        line: usize,
        column: usize,
    },
    NotText,
    /// It holds no object.
    NoObject,
    /// A member occurs twice.
    Twice(String),
    /// It cannot be changed at one place without another.
    Entangled,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => {
                write!(f, "line {line}, column {column} cannot be read")
            }
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::NoObject => f.write_str("it does not hold an object"),
            Self::Twice(member) => write!(f, "{member} occurs twice"),
            Self::Entangled => f.write_str("these settings cannot be changed alone"),
        }
    }
}
