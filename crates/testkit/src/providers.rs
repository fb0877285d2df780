//! The simulated providers: one file each, and what they have in common.

pub(crate) mod chat;
pub(crate) mod consent;
pub(crate) mod gemini;
pub(crate) mod minimax;
pub(crate) mod qwen;
