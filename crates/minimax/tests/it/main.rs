//! The tests of this crate, as one program.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod refresh;
mod region;
mod second_step;
mod sign_in;
mod user_code;
mod wire_cases;
