//! The pages that a user sees in the browser.

mod consent;
mod device;
mod document;

pub(crate) use consent::consent;
pub(crate) use device::device_approval;
pub(crate) use document::{document, error, escape, message};
