//! Faults: what goes wrong with which request, and how.

mod fault;
mod inject;
mod patch;
mod script;

pub use fault::Fault;
pub(crate) use fault::{Kind, Stage};
pub(crate) use inject::{Injected, firewall_page, inject};
pub(crate) use patch::{Template, apply_patch};
pub(crate) use script::Script;
