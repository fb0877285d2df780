//! Faults: what goes wrong with which request, and how.

mod alter;
mod fault;
mod inject;
mod patch;
mod script;

pub(crate) use alter::alter;
pub use fault::Fault;
pub(crate) use fault::Stage;
pub(crate) use inject::{Injected, firewall_page, inject};
pub(crate) use patch::Template;
pub(crate) use script::Script;
