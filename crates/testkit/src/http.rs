//! HTTP messages: what a client sent, where it goes, and what goes back.

pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod stream;
