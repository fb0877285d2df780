//! The tests of this crate, as one program.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod cancel;
mod common;
mod refresh;
mod second_step;
mod sign_in;
mod wire_cases;
