#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod failure;
mod keyring;
mod parts;
mod platform;

pub use self::failure::KeyringError;
pub use self::keyring::Keyring;
#[doc(no_inline)]
pub use keyring_core;
