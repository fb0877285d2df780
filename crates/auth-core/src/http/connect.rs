//! Connections to a server without a proxy in between, with the settings of the HTTP client.

use std::time::Duration;

use hyper::Uri;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service as _;

use super::builder::HttpClientBuilder;
use super::dns::Resolver;
use super::failure::Cause;
use super::tls;
use crate::error::Result;

/// How long a connection may be silent until the system asks whether the other side is there, and
/// between its questions: 15 s, as the HTTP library has it.
const SILENCE: Duration = Duration::from_secs(15);

/// How often the system asks.
const QUESTIONS: u32 = 3;

/// How long the system sends without a response: 30 s.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNHEARD: Duration = Duration::from_secs(30);

pub(super) type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What a connection is made with.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    limit: Duration,
}

impl Connector {
    /// # Errors
    ///
    /// If the certificates cannot be read.
    pub(super) fn new(settings: &HttpClientBuilder) -> Result<Self> {
        let limit = settings.connect_timeout;
        let mut http = HttpConnector::new_with_resolver(Resolver);
        http.enforce_http(false);
        http.set_connect_timeout(Some(limit));
        http.set_nodelay(true);
        http.set_keepalive(Some(SILENCE));
        http.set_keepalive_interval(Some(SILENCE));
        http.set_keepalive_retries(Some(QUESTIONS));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        http.set_tcp_user_timeout(Some(UNHEARD));
        let tls = tls::config(&settings.certificates()?)?;
        Ok(Self {
            https: HttpsConnector::from((http, tls)),
            limit,
        })
    }

    pub(super) async fn connect(mut self, server: Uri) -> std::result::Result<Connection, Cause> {
        let connected = timeout(self.limit, self.https.call(server)).await;
        connected
            .map_err(Cause::connecting)?
            .map_err(Cause::connecting)
    }
}

/// A response with an odd header is still a response.
pub(super) fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    builder
}
