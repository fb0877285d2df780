//! Where sessions are kept, and which of them is meant.

pub(crate) mod directories;
pub(crate) mod resolve;
pub(crate) mod runtime;
pub(crate) mod selector;
pub(crate) mod settings;
pub(crate) mod state;
