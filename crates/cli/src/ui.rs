//! What a user sees: the streams, the browser, the prompt of a sign-in.

pub(crate) mod browser;
pub(crate) mod events;
pub(crate) mod login_prompt;
pub(crate) mod streams;
pub(crate) mod symbols;
pub(crate) mod tty;
pub(crate) mod width;
