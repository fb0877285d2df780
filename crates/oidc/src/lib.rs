#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod discovery;
mod metadata;
mod preset;
mod registration;
mod server;
mod values;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

pub use self::discovery::{discover, discover_as, find_metadata, well_known};
pub use self::metadata::Metadata;
pub use self::preset::{Preset, PresetClient, PresetEndpoints};
pub use self::registration::{Registration, register};
pub use self::server::{Server, ServerClient};

/// Signs in to one server, with the device flow or in the browser, refreshes and revokes.
pub type OidcProvider = OAuthProvider<Server>;
