//! One session of a proxy: its token, its API, and requests to it.

use std::pin::pin;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response, StatusCode};
use llm_auth_core::http::{ForwardedBody, Forwarder};
use llm_auth_core::{Api, ApiStatus, AuthManager, HttpClient, OAuthToken, Refusals, SecureUrl};
use tokio::time::timeout_at;

use crate::body::ProxyBody;
use crate::failure::Failure;
use crate::headers;
use crate::key::Counted;
use crate::metrics::Counters;
use crate::redirect;
use crate::refusal::Examined;
use crate::route::Base;
use crate::upload::{Attempt, Upload};

/// How often the store is read at most.
const LOOK: Duration = Duration::from_secs(1);

/// A session that a proxy serves, below its name.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::OAuthConfig;
/// use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// use llm_auth_proxy::ProxySession;
///
/// let token = SecureUrl::known("https://auth.example/token");
/// let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
/// let session = ProxySession::new("example", manager, "llm-auth login example");
/// ```
#[derive(Debug)]
#[must_use]
pub struct ProxySession {
    pub(crate) name: String,
    manager: AuthManager,
    forwarder: Forwarder,
    /// The command that signs in again.
    sign_in: String,
    pub(crate) counters: Counters,
    refusals: Refusals,
    seen: Mutex<Seen>,
}

/// A token, and what each request with it needs to know.
#[derive(Debug)]
struct Current {
    token: Arc<OAuthToken>,
    base: Base,
    /// Those that the API wants of each request.
    headers: HeaderMap,
}

/// What has been seen of the session's tokens.
#[derive(Debug, Default)]
struct Seen {
    last: Option<Arc<Current>>,
    /// When the store was read last: another process may sign out, or in again.
    looked: Option<Instant>,
}

impl ProxySession {
    /// A session at `/NAME`. `sign_in` is the command that signs in again, for the errors that a
    /// client shows.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_proxy::ProxySession;
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// let session = ProxySession::new("example", manager, "llm-auth login example");
    /// ```
    pub fn new(name: impl Into<String>, manager: AuthManager, sign_in: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            manager,
            forwarder: Forwarder::default(),
            sign_in: sign_in.into(),
            counters: Counters::default(),
            refusals: Refusals::default(),
            seen: Mutex::default(),
        }
    }

    /// The HTTP client for the API: its proxy, its certificates. Its time limit applies to connecting
    /// only.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_proxy::ProxySession;
    /// use llm_auth_core::HttpClient;
    ///
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// let http = HttpClient::builder().proxy("http://proxy.example:8080", "").build()?;
    /// let session = ProxySession::new("example", manager, "llm-auth login example").http(http);
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn http(mut self, http: HttpClient) -> Self {
        self.forwarder = http.forwarder();
        self
    }

    /// Sends a request whose path continues the base URL of the API. If the API refuses the token,
    /// refreshes the session and sends the request once more, if its body is still there: an API that
    /// refuses a token has done nothing else.
    ///
    /// # Errors
    ///
    /// If the session has no token, or if no response came.
    pub(crate) async fn exchange(
        &self,
        request: &Parts,
        path: &str,
        query: Option<&str>,
        upload: &Upload,
        limit: Duration,
        mut counted: Counted<'_>,
    ) -> Result<Response<ProxyBody>, Failure> {
        let mut current = self.current().await?;
        upload.read_ahead().await;
        let mut is_retry = false;
        let mut attempt = upload.attempt();
        while let Some(body) = attempt {
            let base = &current.base;
            let target = base.target(path, query)?;
            let sent = sent(request, &current.headers, body);
            counted.is_sent();
            let response = self.send(&target, sent, &current.token);
            let response = in_time(response, upload, limit)
                .await
                .unwrap_or_else(|| Err(Failure::too_late(&target.host(), limit)));
            let response = match response {
                Err(_of_the_api) if upload.is_broken() => return Err(Failure::broken_body()),
                response => response?,
            };
            let examined = Examined::read(response, self.manager.provider()).await;
            let examined = examined.map_err(|error| Failure::of_request(&error, &target.host()))?;
            if examined.status != ApiStatus::RefreshNeeded {
                upload.forget();
                return self.passed_on(examined, &current.token, &target, base);
            }
            self.counters.refusal();
            let token = &current.token;
            if is_retry {
                self.refusals.refused_again(token);
                return self.passed_on(examined, token, &target, base);
            }
            let fresh = Box::pin(self.refusals.retry_with(&self.manager, token)).await;
            let fresh = fresh.map_err(|error| self.failure(&error))?;
            let fresh = fresh.map(|fresh| self.with(fresh)).transpose()?;
            attempt = upload.attempt();
            let (Some(fresh), true) = (fresh, attempt.is_some()) else {
                return self.passed_on(examined, token, &target, base);
            };
            current = fresh;
            is_retry = true;
            self.counters.retry();
        }
        // The first attempt has always its body.
        Err(Failure::bad_request(
            "body",
            "the body of the request is not there",
        ))
    }

    async fn send(
        &self,
        target: &SecureUrl,
        request: Request<Attempt>,
        token: &OAuthToken,
    ) -> Result<Response<ForwardedBody>, Failure> {
        let access = token.bearer().map_err(|error| self.failure(&error))?;
        let response = self.forwarder.forward(target, request, access).await;
        response.map_err(|error| Failure::of_request(&error, &target.host()))
    }

    fn passed_on(
        &self,
        examined: Examined,
        token: &OAuthToken,
        target: &SecureUrl,
        base: &Base,
    ) -> Result<Response<ProxyBody>, Failure> {
        let access = token.access.expose();
        if examined.parts.status.is_informational() {
            let message = format!(
                "{} wants to speak another protocol than HTTP: use its HTTP API",
                target.host()
            );
            return Err(Failure::new(StatusCode::BAD_GATEWAY, "upgrade", message));
        }
        if examined.repeats(access) {
            let message = format!(
                "{} repeated the access token in its response (status {}), which is therefore \
                 withheld: correct the request",
                target.host(),
                examined.parts.status.as_u16()
            );
            return Err(Failure::new(StatusCode::BAD_GATEWAY, "withheld", message));
        }
        let mut parts = examined.parts;
        headers::for_client(&mut parts.headers, access);
        redirect::keep_here(&mut parts, target, base, &self.name)?;
        let body = ProxyBody::new(examined.read, examined.rest, self.counters.open());
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }

    // What is rarely needed has memory of its own: each request would move the memory for it.
    async fn current(&self) -> Result<Arc<Current>, Failure> {
        let failure = |error| self.failure(&error);
        if self.is_time_to_look() {
            Box::pin(self.manager.load()).await.map_err(failure)?;
        }
        let last = self.seen().last.clone();
        let is_fresh = |last: &Arc<Current>| {
            let is_same = |token: &OAuthToken| ptr::eq(token, &raw const *last.token);
            self.manager.with_fresh(is_same) == Some(true)
        };
        if let Some(last) = last.filter(is_fresh) {
            return Ok(last);
        }
        let token = Box::pin(self.manager.token()).await.map_err(failure)?;
        self.with(token)
    }

    /// What follows from a token, which is counted if it is another one than before.
    fn with(&self, token: Arc<OAuthToken>) -> Result<Arc<Current>, Failure> {
        let api = self.manager.provider().api(&token);
        let api = api.map_err(|error| self.failure(&error))?;
        let headers = headers::wanted(&api.headers).map_err(|message| {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "session", message)
        })?;
        let current = Arc::new(Current {
            base: self.base(&api)?,
            headers,
            token,
        });
        let before = self.seen().last.replace(Arc::clone(&current));
        if before.is_some_and(|before| before.token.access != current.token.access) {
            self.counters.refresh();
        }
        Ok(current)
    }

    fn base(&self, api: &Api) -> Result<Base, Failure> {
        if let Some(base) = &api.base {
            return Base::new(base);
        }
        let name = &self.name;
        let message = match &api.ignored {
            Some(host) => format!(
                "the session {name} names {host} as its API, which may not have its token: \
                 start the proxy with --trust-endpoint {host} to use it"
            ),
            None => format!(
                "the API of the session {name} is unknown: sign in again with `{}`",
                self.sign_in
            ),
        };
        Err(Failure::new(StatusCode::BAD_GATEWAY, "no_api", message))
    }

    /// Only the store knows of a sign-out or a sign-in by another process.
    fn is_time_to_look(&self) -> bool {
        let mut seen = self.seen();
        let is_time = seen.looked.is_none_or(|at| at.elapsed() >= LOOK);
        if is_time {
            seen.looked = Some(Instant::now());
        }
        is_time
    }

    fn failure(&self, error: &llm_auth_core::Error) -> Failure {
        Failure::of_session(error, &self.sign_in)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request as the API gets it, but for the token.
fn sent(request: &Parts, wanted: &HeaderMap, body: Attempt) -> Request<Attempt> {
    let mut sent = Request::new(body);
    *sent.method_mut() = request.method.clone();
    *sent.headers_mut() = request.headers.clone();
    headers::for_api(sent.headers_mut());
    headers::set(sent.headers_mut(), wanted);
    sent
}

/// The response, unless none begins for this time after the client has sent the last of its body;
/// `None` then.
async fn in_time<T, B>(
    response: impl Future<Output = T>,
    upload: &Upload<B>,
    limit: Duration,
) -> Option<T> {
    let mut response = pin!(response);
    loop {
        let moved = upload.moved();
        match timeout_at(moved + limit, &mut response).await {
            Ok(response) => return Some(response),
            Err(_elapsed) if upload.moved() > moved => {}
            Err(_elapsed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};
    use tokio::time::sleep;

    use super::*;
    use crate::upload::Room;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_api_begins_when_the_client_has_sent_its_body() {
        const LIMIT: Duration = Duration::from_secs(4);
        const SHORTER: Duration = Duration::from_secs(3);
        let upload = Upload::new(Full::new(Bytes::from_static(b"x")), &Room::default());
        let mut attempt = upload.attempt().unwrap();
        let slow_upload = async {
            sleep(SHORTER).await;
            attempt.frame().await.unwrap().unwrap();
            sleep(SHORTER).await;
        };
        assert_eq!(in_time(slow_upload, &upload, LIMIT).await, Some(()));
        assert_eq!(in_time(sleep(2 * LIMIT), &upload, LIMIT).await, None);
    }
}
