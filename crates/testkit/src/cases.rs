//! The wire cases: responses of real providers, and what a client must make of them.

#[cfg(feature = "conformance")]
mod label;
mod table;

#[cfg(feature = "conformance")]
pub(crate) use label::label_of;
pub use table::{WireCase, wire_cases};
