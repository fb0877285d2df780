//! `llm-auth serve`: a proxy for programs that know only a base URL and a key.

mod client;
mod end;
mod keys;
mod process;
mod refresh;
mod requests;
mod socket;
mod streams;
mod upstream;
