//! The tests of this crate, as one program.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod conformance;
mod responses;
mod second_step;
mod sessions;
