//! The responses in which an API refuses a credential.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use reqwest::ResponseBuilderExt as _;

use crate::body::WholeBody;
use crate::origin::Target;

/// A response as an HTTP client returns it.
///
/// Responses of reqwest and of the crate http, whose body is `Unpin`, implement it.
///
/// # Examples
///
/// ```
/// use llm_auth_http::HttpResponse;
///
/// let response = reqwest::Response::from(http::Response::new("made-up"));
/// assert_eq!(HttpResponse::status(&response), 200);
/// // A response of reqwest stays one.
/// let response: reqwest::Response = response.untouched();
/// ```
pub trait HttpResponse: Sized {
    /// Its body, as it comes.
    type Body: Body<Data = Bytes> + Unpin;

    /// The response that is handed on.
    type Whole;

    /// Its status.
    fn status(&self) -> StatusCode;

    /// Its headers.
    fn headers(&self) -> &HeaderMap;

    /// Where it came from, after all redirects, if the client knows.
    fn source(&self) -> Option<Target<'_>>;

    /// The response, of which nothing was read.
    fn untouched(self) -> Self::Whole;

    /// Its parts.
    fn into_http(self) -> Response<Self::Body>;

    /// The response from its parts, with a body that is whole again.
    fn from_http(response: Response<WholeBody<Self::Body>>) -> Self::Whole;
}

impl HttpResponse for reqwest::Response {
    type Body = reqwest::Body;
    type Whole = Self;

    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn source(&self) -> Option<Target<'_>> {
        Target::of_url(self.url())
    }

    fn untouched(self) -> Self {
        self
    }

    fn into_http(self) -> Response<reqwest::Body> {
        // The conversion loses the URL, and its inverse finds it in the extensions.
        let with_url = http::response::Builder::new().url(self.url().clone());
        let mut response = Response::<reqwest::Body>::from(self);
        if let Ok(with_url) = with_url.body(()) {
            let extensions = with_url.into_parts().0.extensions;
            response.extensions_mut().extend(extensions);
        }
        response
    }

    fn from_http(response: Response<WholeBody<reqwest::Body>>) -> Self {
        response.map(reqwest::Body::wrap).into()
    }
}

impl<B: Body<Data = Bytes> + Unpin> HttpResponse for Response<B> {
    type Body = B;
    type Whole = Response<WholeBody<B>>;

    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn source(&self) -> Option<Target<'_>> {
        None
    }

    fn untouched(self) -> Self::Whole {
        self.map(WholeBody::untouched)
    }

    fn into_http(self) -> Self {
        self
    }

    fn from_http(response: Self::Whole) -> Self::Whole {
        response
    }
}
