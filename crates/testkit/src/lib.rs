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
mod shared;
mod state;

pub use cases::{WireCase, label_of, wire_cases};
pub use counters::Counters;
pub use faults::Fault;
pub use kit::{Testkit, TestkitBuilder};
pub use provider::{Operation, Provider};
pub use provider_kit::ProviderKit;
pub use providers::StandardProvider;
pub use scripted::{ScriptedRequest, ScriptedResponse, ScriptedServer};
pub use settings::{Approval, ExpiryUnit, RejectionForm, Rotation};
