#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod browser;
mod cases;
#[cfg(feature = "conformance")]
mod client;
mod clock;
#[cfg(feature = "conformance")]
mod conformance;
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
#[cfg(feature = "conformance")]
mod store_contract;

pub use browser::browse;
pub use cases::{WireCase, wire_cases};
#[cfg(feature = "conformance")]
pub use client::{Browser, NOW, PendingSignIn, immediate_polls, provider_at};
#[cfg(feature = "conformance")]
pub use conformance::{Conformance, Failures};
pub use counters::Counters;
pub use faults::Fault;
pub use kit::{Testkit, TestkitBuilder};
pub use provider::{Operation, Provider};
pub use provider_kit::ProviderKit;
pub use providers::StandardProvider;
pub use scripted::{ScriptedRequest, ScriptedResponse, ScriptedServer, parameters};
pub use settings::{Approval, ExpiryUnit, RejectionForm, Rotation};
#[cfg(feature = "conformance")]
pub use store_contract::StoreContract;
