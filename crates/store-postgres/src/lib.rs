#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
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

#[doc(no_inline)]
pub use llm_auth_sealing::SealingKeys;

pub use self::builder::PostgresStoreBuilder;
pub use self::store::PostgresStore;
pub use self::upkeep::Description;
