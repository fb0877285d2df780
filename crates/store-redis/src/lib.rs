#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accounts;
mod builder;
mod connection;
mod guard;
mod names;
mod queue;
mod random;
mod row;
mod scripts;
mod server;
mod site;
mod store;

#[doc(no_inline)]
pub use llm_auth_core::{Error, ErrorKind, Result, SessionKey, TokenStore};
#[doc(no_inline)]
pub use llm_auth_sealing::SealingKeys;

pub use self::accounts::Resealed;
pub use self::builder::RedisStoreBuilder;
pub use self::server::{Durability, ServerReport};
pub use self::store::RedisStore;
