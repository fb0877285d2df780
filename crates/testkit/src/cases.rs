//! The wire cases: responses of real providers, and what a client must make of them.

mod label;
mod table;

pub use label::label_of;
pub use table::{WireCase, wire_cases};
