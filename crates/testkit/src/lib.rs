#![doc = include_str!("../README.md")]

mod cases;
mod clock;
mod control;
mod counters;
mod faults;
mod http;
mod kit;
mod oauth;
mod pages;
mod provider;
mod provider_kit;
mod providers;
mod random;
mod scripted;
mod server;
mod settings;
mod state;

pub use cases::table::{WireCase, label_of, wire_cases};
pub use counters::Counters;
pub use faults::fault::Fault;
pub use kit::{Testkit, TestkitBuilder};
pub use provider::{Endpoint, Vendor};
pub use provider_kit::VendorKit;
pub use scripted::{ScriptedAnswer, ScriptedRequest, ScriptedServer};
pub use settings::{Approval, ExpiryUnit, RefusalForm, Rotation};
