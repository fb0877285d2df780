#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod cipher;
#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
#[path = "no_cipher.rs"]
mod cipher;
mod keys;
mod sealed;
mod wrong_key;

pub use self::keys::{SealingKeys, derive};
pub use self::sealed::Sealed;
pub use self::wrong_key::WrongKey;
