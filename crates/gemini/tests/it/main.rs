//! The tests of this crate, as one program.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod common;
mod recipients;
mod second_step;
mod sign_in;
mod wire_cases;
