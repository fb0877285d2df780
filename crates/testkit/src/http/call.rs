//! A request with what the server knows about it.

use super::form::Form;
use super::request::Request;
use crate::clock::Clock;
use crate::provider::Operation;

/// A request as a provider's handlers see it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// `http://127.0.0.1:PORT`, for URLs in responses.
    pub(crate) base_url: &'a str,
    pub(crate) clock: &'a Clock,
    pub(crate) request: &'a Request,
    pub(crate) form: &'a Form,
    pub(crate) operation: Operation,
    /// A poll that came sooner than the interval allows.
    pub(crate) too_fast: bool,
}
