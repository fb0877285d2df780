//! F5 to F11, F14, F15: what a provider, or something in between, can respond.

pub(crate) mod incomplete;
pub(crate) mod odd;
mod scene;

/// More often than any process asks.
const EVER: u32 = 99;
