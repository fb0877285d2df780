//! What is measured, in the order of the report.

pub mod dropped;
pub mod kills;
pub mod many;
pub mod memory;
pub mod middleware;
pub mod processes;
pub mod proxy;
pub mod read;
pub mod readers;
pub mod refused;
pub mod sessions;
pub mod start;
pub mod stores;
pub mod storm;
pub mod streams;
mod who;

use crate::Result;

/// Measures, and says it in Markdown.
pub type Section = fn() -> Result<String>;

pub const ALL: [(&str, Section); 14] = [
    ("read", read::measure),
    ("storm", storm::measure),
    ("many", many::measure),
    ("refused", refused::measure),
    ("processes", processes::measure),
    ("dropped", dropped::measure),
    ("kills", kills::measure),
    ("start", start::measure),
    ("memory", memory::measure),
    ("sessions", sessions::measure),
    ("stores", stores::measure),
    ("proxy", proxy::measure),
    ("streams", streams::measure),
    ("middleware", middleware::measure),
];
