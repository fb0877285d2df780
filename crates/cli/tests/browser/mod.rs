//! A real browser, for the tests that go through pages.

pub(crate) mod chromium;
pub(crate) mod pictures;
pub(crate) mod tab;
