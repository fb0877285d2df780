//! The tests of this crate, as one program.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod conformance;
mod refresh;
mod region;
mod second_step;
mod sign_in;
mod user_code;
