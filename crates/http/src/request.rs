//! The requests that a credential is put on.

use http::HeaderMap;

use crate::origin::Target;

/// A request as an HTTP client sends it.
///
/// # Examples
///
/// ```
/// use http::HeaderMap;
/// use llm_auth_http::{HttpRequest, Target};
///
/// /// A request of a client of your own.
/// struct MyRequest {
///     uri: http::Uri,
///     headers: HeaderMap,
/// }
///
/// impl HttpRequest for MyRequest {
///     fn target(&self) -> Option<Target<'_>> {
///         Target::of_uri(&self.uri)
///     }
///
///     fn headers_mut(&mut self) -> &mut HeaderMap {
///         &mut self.headers
///     }
/// }
/// ```
pub trait HttpRequest: Sized {
    /// Where it goes; `None` if it does not say. The credential goes nowhere then.
    fn target(&self) -> Option<Target<'_>>;

    /// Its headers, to be added to.
    fn headers_mut(&mut self) -> &mut HeaderMap;
}

/// A request that can be sent again, if its body can.
///
/// # Examples
///
/// ```
/// use llm_auth_http::RepeatableRequest as _;
///
/// let request = http::Request::get("https://api.example/v1/models").body("").unwrap();
/// assert!(request.repeat().is_some());
/// ```
pub trait RepeatableRequest: HttpRequest {
    /// The same request; `None` if its body is a stream.
    fn repeat(&self) -> Option<Self>;
}

impl HttpRequest for reqwest::Request {
    fn target(&self) -> Option<Target<'_>> {
        Target::of_url(self.url())
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }
}

impl RepeatableRequest for reqwest::Request {
    fn repeat(&self) -> Option<Self> {
        self.try_clone()
    }
}

impl<B> HttpRequest for http::Request<B> {
    fn target(&self) -> Option<Target<'_>> {
        Target::of_uri(self.uri())
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }
}

impl<B: Clone> RepeatableRequest for http::Request<B> {
    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}
