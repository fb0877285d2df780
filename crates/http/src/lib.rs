#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(test, feature = "reqwest-middleware", feature = "tower"))]
mod allocations;
mod bearer;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
mod body;
#[cfg(feature = "reqwest-middleware")]
mod client;
mod credential;
#[cfg(feature = "tower")]
mod layer;
mod origin;
mod redirect;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
mod refusal;
mod request;
mod request_builder;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
mod response;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
mod session;

pub use self::bearer::Bearer;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
pub use self::body::WholeBody;
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub use self::client::SessionClient;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::layer::{BoxError, SessionFuture, SessionLayer, SessionService};
pub use self::origin::Target;
pub use self::redirect::same_origin_redirects;
pub use self::request::{HttpRequest, RepeatableRequest};
pub use self::request_builder::RequestBuilderExt;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
pub use self::response::HttpResponse;
