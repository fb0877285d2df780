//! The instructions of a sign-in, as lines.

mod browser_flow;
mod device_flow;

pub(crate) use self::browser_flow::{CallbackHelp, Paste, authorization};
pub(crate) use self::device_flow::device;
