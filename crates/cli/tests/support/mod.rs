//! What the command's tests share.

pub(crate) mod browser;
pub(crate) mod command;
pub(crate) mod done;
pub(crate) mod from_afar;
#[cfg(unix)]
pub(crate) mod inherited_signals;
pub(crate) mod session_file;
#[cfg(unix)]
pub(crate) mod skip;
pub(crate) mod user;
pub(crate) mod wait;
