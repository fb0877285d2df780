//! A proxy, from its parts.

use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, Result, printable};

use crate::handler::{Handler, METRICS};
use crate::key::ClientKey;
use crate::listener::Listener;
use crate::metrics::Counters;
use crate::server;
use crate::session::ProxySession;
use crate::upload::Room;

/// How long an API may take until the headers of its response are there: 15 minutes. A model that
/// does not stream sends them with its whole response.
pub const DEFAULT_RESPONSE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A reverse proxy for programs on this computer that know only a base URL and a key.
///
/// Each session is at the path of its name, in place of the base URL of its API; a single one is at
/// `/` too. A client proves itself by a [`ClientKey`], which no API sees; the API gets the access
/// token of the session, which no client sees.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_core::provider::OAuthConfig;
/// use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// use llm_auth_proxy::{ClientKey, Listener, Proxy, ProxySession};
///
/// # async fn run() -> llm_auth_proxy::Result<()> {
/// let token = SecureUrl::known("https://auth.example/token");
/// let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
/// let key = ClientKey::random()?;
/// let listener = Listener::loopback(0).await?;
/// let (url, secret) = (listener.base_url("example"), key.secret().clone());
/// let proxy = Proxy::new()
///     .session(ProxySession::new("example", manager, "llm-auth login example"))
///     .key(key);
/// // Until the process ends.
/// proxy.serve(listener, std::future::pending()).await
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Proxy {
    sessions: Vec<ProxySession>,
    keys: Vec<ClientKey>,
    has_metrics: bool,
    limit: Duration,
}

impl Default for Proxy {
    fn default() -> Self {
        Self::new()
    }
}

impl Proxy {
    /// A proxy without sessions and keys, which refuses every request.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_proxy::Proxy;
    ///
    /// let proxy = Proxy::new();
    /// ```
    pub const fn new() -> Self {
        Self {
            sessions: Vec::new(),
            keys: Vec::new(),
            has_metrics: false,
            limit: DEFAULT_RESPONSE_LIMIT,
        }
    }

    /// Adds a session.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_proxy::{Proxy, ProxySession};
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// let session = ProxySession::new("example", manager, "llm-auth login example");
    /// let proxy = Proxy::new().session(session);
    /// ```
    pub fn session(mut self, session: ProxySession) -> Self {
        self.sessions.push(session);
        self
    }

    /// Adds the key of a client.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_proxy::{ClientKey, Proxy};
    /// let proxy = Proxy::new().key(ClientKey::random()?);
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn key(mut self, key: ClientKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Shows counters at `/metrics`, in the text format of Prometheus. They need a key too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_proxy::Proxy;
    /// let proxy = Proxy::new().metrics();
    /// ```
    pub const fn metrics(mut self) -> Self {
        self.has_metrics = true;
        self
    }

    /// How long an API may take until the headers of its response are there, in place of
    /// [`DEFAULT_RESPONSE_LIMIT`]. What follows them has no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use llm_auth_proxy::Proxy;
    /// let proxy = Proxy::new().response_limit(Duration::from_secs(60));
    /// ```
    pub const fn response_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Serves clients until `stop` ends, then waits for the requests that have begun; a future that
    /// is dropped ends them at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if two sessions have one name, or one has a name that no path segment
    /// is.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_proxy::{Listener, Proxy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_proxy::Result<()> {
    /// let listener = Listener::loopback(0).await?;
    /// Proxy::new().serve(listener, std::future::ready(())).await
    /// # }
    /// ```
    pub async fn serve(self, listener: Listener, stop: impl Future<Output = ()>) -> Result<()> {
        self.check_names()?;
        let handler = Handler {
            sessions: self.sessions,
            keys: self.keys,
            has_metrics: self.has_metrics,
            limit: self.limit,
            room: Room::default(),
            refused: Counters::default(),
        };
        server::serve(handler, listener, stop).await;
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        for (at, session) in self.sessions.iter().enumerate() {
            let name = session.name.as_str();
            let is_taken = self.has_metrics && name == METRICS;
            let is_segment = name.bytes().all(is_plain) && !["", ".", ".."].contains(&name);
            let is_first = self.sessions[..at].iter().all(|other| other.name != name);
            if is_taken || !is_segment || !is_first {
                let name = printable(name);
                let message = format!("two paths of the proxy cannot be told apart: /{name}");
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        Ok(())
    }
}
