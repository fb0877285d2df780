//! Faults: what goes wrong with which request, and how.

pub(crate) mod fault;
pub(crate) mod inject;
pub(crate) mod patch;
