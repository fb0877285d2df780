//! The stored sessions: where they are, and which of them a command is about.

pub(crate) mod claim;
pub(crate) mod command_line;
pub(crate) mod directories;
pub(crate) mod resolve;
pub(crate) mod runtime;
pub(crate) mod selector;
pub(crate) mod server_name;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod store_name;
pub(crate) mod stores;
