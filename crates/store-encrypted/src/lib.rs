#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod directory;
mod encryption;
mod envelope;
mod key;

pub use llm_auth_sealing::WrongKey;

pub use self::encryption::Encryption;
