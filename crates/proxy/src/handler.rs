//! From a request to its response: the key, the session, the API.
//!
//! See decision 0060.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};

use crate::body::ProxyBody;
use crate::credentials::Credentials;
use crate::failure::Failure;
use crate::guard;
use crate::key::ClientKey;
use crate::metrics::{self, Counters};
use crate::route;
use crate::server::Client;
use crate::session::ProxySession;
use crate::upload::{Room, Upload};

/// The path of the counters.
pub(crate) const METRICS: &str = "metrics";

/// What all requests of a proxy share.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) sessions: Vec<ProxySession>,
    pub(crate) keys: Vec<ClientKey>,
    pub(crate) has_metrics: bool,
    /// How long an API may take until the headers of its response are there.
    pub(crate) limit: Duration,
    pub(crate) room: Room,
    /// The requests that reach no session.
    pub(crate) refused: Counters,
}

impl Handler {
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
        client: &Client,
    ) -> Response<ProxyBody> {
        let mut counters = &self.refused;
        let response = match self.respond(request, client, &mut counters).await {
            Ok(response) => response,
            Err(failure) => {
                let (status, code) = (failure.status.as_u16(), failure.code);
                tracing::info!(status, code, "refused or failed a request");
                failure.into_response()
            }
        };
        counters.response(response.status().as_u16());
        response
    }

    async fn respond<'a>(
        &'a self,
        request: Request<Incoming>,
        client: &Client,
        counters: &mut &'a Counters,
    ) -> Result<Response<ProxyBody>, Failure> {
        guard::check(&request)?;
        let (mut parts, body) = request.into_parts();
        let mut credentials = Credentials::take(&mut parts.headers, parts.uri.query());
        let key = self.key(&credentials)?;
        client.has_shown_a_key();
        // Those of other clients too, which a program may have been given by mistake.
        for key in &self.keys {
            credentials.purge(&mut parts.headers, key.secret());
        }
        key.check_end()?;
        let path = parts.uri.path();
        if self.has_metrics && route::below(path, METRICS) == Some("/") {
            return Ok(self.metrics());
        }
        let (session, path) = self.session(path)?;
        *counters = &session.counters;
        let path = format!("/{}", path.trim_start_matches('/'));
        for key in &self.keys {
            route::check(&path, key.secret())?;
        }
        key.check_path(&path)?;
        let counted = key.count()?;
        let upload = Upload::new(body, &self.room);
        let query = credentials.query.as_deref();
        session
            .exchange(&parts, &path, query, &upload, self.limit, counted)
            .await
    }

    fn key(&self, credentials: &Credentials) -> Result<&ClientKey, Failure> {
        // All are compared, so that the time says nothing of which is right.
        let mut found = None;
        for key in &self.keys {
            if credentials.hold(key.secret()) {
                found = Some(key);
            }
        }
        found.ok_or_else(|| {
            let (code, what) = match credentials.is_empty() {
                true => ("no_key", "the request has no key"),
                false => (
                    "wrong_key",
                    "the key of the request is not one of this proxy",
                ),
            };
            let message = format!("{what}: set the key that the proxy printed as the API key");
            Failure::new(StatusCode::UNAUTHORIZED, code, message)
        })
    }

    /// The session that a path names, and the rest of the path.
    fn session<'a>(&self, path: &'a str) -> Result<(&ProxySession, &'a str), Failure> {
        if path.starts_with("//") {
            return Err(route::refused());
        }
        let mut named = self.sessions.iter();
        let named = named.find_map(|session| Some((session, route::below(path, &session.name)?)));
        match (named, self.sessions.as_slice()) {
            (Some(named), _) => Ok(named),
            // A single session needs no name.
            (None, [only]) => Ok((only, path)),
            (None, all) => {
                let names = all.iter().map(|session| format!("/{}", session.name));
                let names: Vec<_> = names.collect();
                let message = format!(
                    "no session of this proxy is at this path: begin it with {}",
                    names.join(" or ")
                );
                Err(Failure::new(StatusCode::NOT_FOUND, "unknown_path", message))
            }
        }
    }

    fn metrics(&self) -> Response<ProxyBody> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|session| (session.name.as_str(), &session.counters));
        let text = metrics::text(sessions.chain([("", &self.refused)]));
        let mut response = Response::new(ProxyBody::of(text));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
