#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod encryption;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod envelope;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod key;

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as crypto;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use ring as crypto;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use self::encryption::Encryption;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use self::key::WrongKey;
