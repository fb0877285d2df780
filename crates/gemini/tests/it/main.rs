//! The tests of this crate, as one program.
#![allow(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod recipients;
mod second_step;
mod sign_in;
