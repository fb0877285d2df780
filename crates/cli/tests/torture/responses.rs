//! F5 to F11, F14, F15: what a vendor, or something in between, can answer.

pub(crate) mod incomplete;
pub(crate) mod odd;
mod scene;

/// More often than anybody asks.
const EVER: u32 = 99;
