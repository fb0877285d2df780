//! Sessions on the requests of reqwest and tower, against simulated providers and scripted servers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod layer;
mod origins;
mod redirects;
mod refusals;
mod request_builder;
mod responses;
mod streams;
mod support;
