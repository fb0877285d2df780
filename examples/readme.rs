//! The examples of the project's README, compiled.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
