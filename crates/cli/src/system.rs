//! The operating system and the environment of this process.

pub(crate) mod certificates;
pub(crate) mod core_dumps;
pub(crate) mod env;
pub(crate) mod files;
pub(crate) mod location;
pub(crate) mod open_files;
pub(crate) mod signals;
pub(crate) mod url;
