#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod encryption;
#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
#[path = "no_encryption.rs"]
mod encryption;
mod errors;
mod guard;
mod pool;
mod row;
mod runtime;
mod schema;
mod shared;
mod statements;
mod store;
mod tls;
mod upkeep;
mod url;

pub use self::builder::PostgresStoreBuilder;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use self::encryption::Encryption;
pub use self::store::PostgresStore;
pub use self::upkeep::Description;
