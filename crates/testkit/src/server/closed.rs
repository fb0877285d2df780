//! The error that ends a connection.

use std::fmt;

/// A fault has closed the connection.
#[derive(Debug)]
pub(super) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed by a scripted fault")
    }
}

impl std::error::Error for Closed {}
