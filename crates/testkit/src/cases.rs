//! The wire cases: responses of real providers, and what a client must make of them.

pub(crate) mod table;
