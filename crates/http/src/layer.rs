//! A layer and a service of the crate tower.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use llm_auth_core::AuthManager;
use tower_layer::Layer;
use tower_service::Service;

use crate::request::{HttpRequest, RepeatableRequest};
use crate::response::HttpResponse;
use crate::session::{Next, Session};

/// The error of a [`SessionService`]: that of the manager, or that of the service below.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The future of a [`SessionService`].
pub type SessionFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Puts the access token of a session on the requests of a client made of tower services, by the
/// rules of `SessionClient`.
///
/// A service that follows redirects must not take the headers to another origin: build a client of
/// reqwest with [`same_origin_redirects`](crate::same_origin_redirects).
///
/// `R` is the request: a `reqwest::Request`, an `http::Request` or one of your own. A body that
/// cannot be sent again is not: see [`repeating`](Self::repeating).
///
/// # Examples
///
/// ```
/// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// use llm_auth_http::SessionLayer;
/// use tower_layer::Layer as _;
///
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// # let client = ();
/// let service = SessionLayer::<http::Request<String>>::new(manager).layer(client);
/// ```
pub struct SessionLayer<R> {
    session: Arc<Session>,
    repeat: fn(&R) -> Option<R>,
}

impl<R: RepeatableRequest> SessionLayer<R> {
    /// With the session of this manager. All services of the layer share what it knows of it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// use llm_auth_http::SessionLayer;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let layer = SessionLayer::<reqwest::Request>::new(manager);
    /// ```
    #[must_use]
    pub fn new(manager: AuthManager) -> Self {
        Self::repeating(manager, R::repeat)
    }
}

impl<R: HttpRequest> SessionLayer<R> {
    /// With a function that copies a request, so that it can be sent again after a refusal; `None` if
    /// it cannot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// use llm_auth_http::SessionLayer;
    ///
    /// /// A body that is read once.
    /// struct Upload;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let layer = SessionLayer::<http::Request<Upload>>::repeating(manager, |_| None);
    /// ```
    #[must_use]
    pub fn repeating(manager: AuthManager, repeat: fn(&R) -> Option<R>) -> Self {
        Self {
            session: Arc::new(Session::new(manager)),
            repeat,
        }
    }

    /// Sends requests to other origins too, as they are: without the credential. By default they are
    /// errors.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// use llm_auth_http::SessionLayer;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let layer = SessionLayer::<reqwest::Request>::new(manager).pass_other_origins();
    /// ```
    #[must_use]
    pub fn pass_other_origins(self) -> Self {
        Self {
            session: Arc::new(self.session.passing_others()),
            ..self
        }
    }
}

impl<R, S> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            layer: self.clone(),
        }
    }
}

impl<R> Clone for SessionLayer<R> {
    fn clone(&self) -> Self {
        Self {
            session: Arc::clone(&self.session),
            repeat: self.repeat,
        }
    }
}

impl<R> fmt::Debug for SessionLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionLayer").field(&self.session).finish()
    }
}

/// What [`SessionLayer`] makes of a service. Its responses are those of the service, whole.
///
/// # Examples
///
/// ```
/// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// use llm_auth_http::{SessionLayer, SessionService};
/// use tower_layer::Layer as _;
///
/// type Client = SessionService<reqwest::Client, reqwest::Request>;
///
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// fn with_session(manager: AuthManager, client: reqwest::Client) -> Client {
///     SessionLayer::new(manager).layer(client)
/// }
/// ```
pub struct SessionService<S, R> {
    inner: S,
    layer: SessionLayer<R>,
}

impl<S, R> Service<R> for SessionService<S, R>
where
    S: Service<R> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    S::Response: HttpResponse + Send,
    <S::Response as HttpResponse>::Body: Send,
    <<S::Response as HttpResponse>::Body as http_body::Body>::Error: Send,
    <S::Response as HttpResponse>::Whole: Send,
    R: HttpRequest + Send + 'static,
{
    type Response = <S::Response as HttpResponse>::Whole;
    type Error = BoxError;
    type Future = SessionFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: R) -> Self::Future {
        // The one that is ready is used, and its copy gets ready again.
        let copy = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, copy);
        let SessionLayer { session, repeat } = self.layer.clone();
        Box::pin(async move {
            let Some(attempt) = session.begin(&mut request, repeat).await? else {
                let response = inner.call(request).await.map_err(Into::into)?;
                return Ok(response.untouched());
            };
            let response = inner.call(request).await.map_err(Into::into)?;
            match attempt.review(response).await? {
                Next::Return(response) => Ok(response),
                Next::Send(request, attempt) => {
                    let ready = poll_fn(|context| inner.poll_ready(context)).await;
                    ready.map_err(Into::into)?;
                    let response = inner.call(request).await.map_err(Into::into)?;
                    Ok(attempt.end(response).await)
                }
            }
        })
    }
}

impl<S: Clone, R> Clone for SessionService<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for SessionService<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}
