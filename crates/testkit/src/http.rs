//! HTTP messages: what a client sent, where it goes, and what goes back.

mod api;
mod body;
mod call;
mod event_stream;
mod form;
mod request;
mod response;
mod route;
mod shared_stream;

pub(crate) use api::{Api, ApiStyle};
pub(crate) use body::Body;
pub(crate) use call::Call;
pub(crate) use event_stream::{EventStream, Framing, Interrupt, Interruption, Part};
pub(crate) use form::{Form, encode};
pub(crate) use request::{Malformed, Request};
pub(crate) use response::{Callback, HandlerResult, Rejected, Response, reject};
pub(crate) use route::Route;
pub(crate) use shared_stream::SharedStream;
