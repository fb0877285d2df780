//! When a refresh may be sent: how many are in progress at each server, and whether a server in
//! trouble is left alone.
//!
//! This module does not know what a session is, and sends nothing.
//!
//! See decision 0066.

mod gate;
mod host;
mod pass;
mod state;
mod verdict;

pub(crate) use self::gate::Gate;
pub(crate) use self::pass::Pass;
pub(crate) use self::state::{Lane, Limits, Room};
