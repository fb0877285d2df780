//! The one error type of every crate of this workspace.
//!
//! See decision 0001.

mod shown;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use crate::session::SessionKey;

/// The result of every fallible call of these crates.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Error, ErrorKind, Result};
///
/// fn client_id(setting: Option<&str>) -> Result<&str> {
///     setting.ok_or_else(|| Error::new(ErrorKind::Config, "no client id is set"))
/// }
///
/// assert!(client_id(None).is_err());
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, for which session, and whether a retry may help.
///
/// Cheap to clone, because every caller that waited for a failed refresh receives its error. The
/// text never holds a secret or the raw body of a response. The cause, if any, is in
/// [`source`](StdError::source) and not repeated in the text. `{error:#}` adds the causes, on one
/// line. `{error:?}`, which `main` prints for an error that it returns, adds the kind and the
/// status too.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Error, ErrorKind};
///
/// fn advise(error: &Error) -> &'static str {
///     match error.kind() {
///         _ if error.needs_login() => "sign in again",
///         _ if error.is_transient() => "try again later",
///         ErrorKind::Config => "check the client id and the endpoints",
///         _ => "give up",
///     }
/// }
/// # let error = Error::new(ErrorKind::Config, "unknown client");
/// # assert_eq!(advise(&error), "check the client id and the endpoints");
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    session: Option<SessionKey>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    response_lost: bool,
    unread: bool,
    cut_off: bool,
    no_verdict: bool,
    untrusted_system: bool,
    refused_by_proxy: bool,
    timed_out: bool,
    foreign_session: bool,
    other_server: bool,
    is_copy: bool,
    moved_to: Option<String>,
    redirected_to: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kinds of failure that a caller can act on; deliberately few.
///
/// # Examples
///
/// ```
/// use llm_auth_core::ErrorKind;
///
/// fn exit_code(kind: ErrorKind) -> i32 {
///     match kind {
///         ErrorKind::NotSignedIn | ErrorKind::RefreshRejected => 3,
///         ErrorKind::Transient | ErrorKind::RateLimited => 4,
///         _ => 1,
///     }
/// }
///
/// assert_eq!(exit_code(ErrorKind::NotSignedIn), 3);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The loopback redirect listener could not be opened.
    Callback,
    /// The client id, the client secret, the scope or an endpoint is not right.
    Config,
    /// The stored session cannot be read; it is left as it is.
    Corrupt,
    /// The user, or the vendor for the user, denied the sign-in.
    Denied,
    /// The device code, the authorization code, or the time to wait for the user, expired.
    Expired,
    /// This process may not use the lock of the session any more, because another one has taken it
    /// over, or may: nothing was sent or stored with it.
    LeaseLost,
    /// There is no session, or it cannot be refreshed.
    NotSignedIn,
    /// The vendor closed this account, plan or client.
    PolicyDenied,
    /// A senseless response, or an OAuth error without its own kind.
    Protocol,
    /// The vendor asks for fewer requests (HTTP 429).
    RateLimited,
    /// A credential endpoint has moved; redirects are never followed with a credential.
    Redirected,
    /// The authorization server rejected the refresh token; permanently if [`Error::is_verdict`]
    /// returns true.
    RefreshRejected,
    /// A response carries another `state` than the one that was sent.
    StateMismatch,
    /// The store could not be read or written.
    Store,
    /// Another process has held the session's lock for too long.
    StoreBusy,
    /// The operating system failed (no randomness, no threads).
    System,
    /// A network failure, a 5xx response, or a web page in place of a response.
    Transient,
}

impl Error {
    /// An error of one kind, with a lower-case message without a full stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Config, "no client id is set");
    /// assert_eq!(error.to_string(), "no client id is set");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                message: message.into(),
                session: None,
                status: None,
                retry_after: None,
                response_lost: false,
                unread: false,
                cut_off: false,
                no_verdict: false,
                untrusted_system: false,
                refused_by_proxy: false,
                timed_out: false,
                foreign_session: false,
                other_server: false,
                is_copy: false,
                moved_to: None,
                redirected_to: None,
                source: None,
            }),
        }
    }

    /// Adds the cause.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let cause = std::io::Error::other("disk full");
    /// let error = Error::new(ErrorKind::Store, "cannot write the session").with_source(cause);
    /// assert_eq!(error.to_string(), "cannot write the session");
    /// assert_eq!(format!("{error:#}"), "cannot write the session: disk full");
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    pub(crate) fn with_boxed_source(self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.change(|inner| inner.source = Some(source.into()))
    }

    /// Adds the session.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind, SessionKey};
    ///
    /// let error = Error::new(ErrorKind::Store, "cannot write the session")
    ///     .with_session(&SessionKey::new("qwen", "work"));
    /// assert_eq!(error.to_string(), "qwen (work): cannot write the session");
    /// ```
    #[must_use]
    pub fn with_session(self, session: &SessionKey) -> Self {
        self.change(|inner| inner.session = Some(session.clone()))
    }

    /// Adds the HTTP status of the response.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Transient, "the server is overloaded").with_status(503);
    /// assert_eq!(error.status(), Some(503));
    /// ```
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        self.change(|inner| inner.status = Some(status))
    }

    /// Adds how long the server asked to wait (`Retry-After`).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let wait = Some(Duration::from_secs(30));
    /// let error = Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(wait);
    /// assert_eq!(error.retry_after(), wait);
    /// ```
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.change(|inner| inner.retry_after = wait)
    }

    /// Marks that the server may have acted on the request, although no whole response came.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Transient, "the connection broke").with_response_lost(true);
    /// assert!(error.response_lost());
    /// ```
    #[must_use]
    pub fn with_response_lost(self, lost: bool) -> Self {
        self.change(|inner| inner.response_lost = lost)
    }

    /// Sets whether a rejection is the authorization server's own verdict on the refresh token, so
    /// that it may be remembered. It is one by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// // A gateway returned a status without a reason.
    /// let error = Error::new(ErrorKind::RefreshRejected, "status 401").with_verdict(false);
    /// assert!(!error.is_verdict());
    /// ```
    #[must_use]
    pub fn with_verdict(self, verdict: bool) -> Self {
        self.change(|inner| inner.no_verdict = !verdict)
    }

    /// Marks that the vendor's own response came, at least in part, and cannot be read.
    #[must_use]
    pub(crate) fn with_cut_off_response(self) -> Self {
        self.with_unread_response()
            .change(|inner| inner.cut_off = true)
    }

    /// Marks that the response came whole and cannot be read.
    pub(crate) fn with_unread_response(self) -> Self {
        self.change(|inner| inner.unread = true)
    }

    /// Marks that the certificates of this system are the reason.
    #[must_use]
    pub(crate) fn with_untrusted_system(self) -> Self {
        self.change(|inner| inner.untrusted_system = true)
    }

    /// Marks that the proxy refused, before the server was reached.
    #[must_use]
    pub(crate) fn with_refusal_by_proxy(self) -> Self {
        self.change(|inner| inner.refused_by_proxy = true)
    }

    /// Marks that the time for the request ran out.
    #[must_use]
    pub(crate) fn with_timeout(self) -> Self {
        self.change(|inner| inner.timed_out = true)
    }

    /// Marks that the stored session belongs to another provider or account.
    #[must_use]
    pub(crate) fn with_foreign_session(self) -> Self {
        self.change(|inner| inner.foreign_session = true)
    }

    /// Marks that the session is a copy.
    #[must_use]
    pub(crate) fn with_copy(self) -> Self {
        self.change(|inner| inner.is_copy = true)
    }

    /// Marks that the session belongs to another server.
    #[must_use]
    pub(crate) fn with_other_server(self) -> Self {
        self.change(|inner| inner.other_server = true)
    }

    /// Adds the host that a redirect led to.
    #[must_use]
    pub(crate) fn with_redirected_to(self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.change(|inner| inner.redirected_to = Some(host))
    }

    /// Adds the new URL of the endpoint.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Redirected, "the token endpoint has moved")
    ///     .with_moved_to("https://login.example/token");
    /// assert_eq!(error.moved_to(), Some("https://login.example/token"));
    /// ```
    #[must_use]
    pub fn with_moved_to(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.change(|inner| inner.moved_to = Some(url))
    }

    fn change(mut self, edit: impl FnOnce(&mut Inner)) -> Self {
        edit(Arc::make_mut(&mut self.inner));
        self
    }

    /// The kind of failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, SecureUrl};
    ///
    /// let error = SecureUrl::new("http://auth.example/token").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed later, without any change.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// assert!(Error::new(ErrorKind::RateLimited, "too many requests").is_transient());
    /// assert!(!Error::new(ErrorKind::Config, "no client id is set").is_transient());
    /// ```
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::LeaseLost
                | ErrorKind::RateLimited
                | ErrorKind::StoreBusy
                | ErrorKind::Transient
        )
    }

    /// Whether only a new sign-in helps.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// assert!(Error::new(ErrorKind::NotSignedIn, "there is no session").needs_login());
    /// assert!(!Error::new(ErrorKind::Transient, "the connection broke").needs_login());
    /// ```
    #[must_use]
    pub fn needs_login(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::Denied
                | ErrorKind::Expired
                | ErrorKind::NotSignedIn
                | ErrorKind::RefreshRejected
                | ErrorKind::StateMismatch
        )
    }

    /// Whether the server may have acted on the request although its response never came whole.
    ///
    /// After such an error of a refresh, the refresh token may be spent (RFC 9700 section 4.14.2).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let refused = Error::new(ErrorKind::Transient, "connection refused");
    /// assert!(!refused.response_lost());
    /// assert!(refused.with_response_lost(true).response_lost());
    /// ```
    #[must_use]
    pub fn response_lost(&self) -> bool {
        self.inner.response_lost
    }

    /// Whether the authorization server has explicitly rejected the refresh token: an
    /// [`ErrorKind::RefreshRejected`] that came as an OAuth error in JSON, such as `invalid_grant`
    /// (RFC 6749 section 5.2).
    ///
    /// Only such a rejection may be remembered as the end of the session. Any other (plain text, a
    /// status alone, a code of the vendor's gateway) may come from something in between or be
    /// temporary, so the next call has to ask again.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{ErrorResponse, Operation, Response, error_for};
    ///
    /// let endpoint = SecureUrl::known("https://auth.example/token");
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_grant"}"#);
    /// let reason = ErrorResponse::new("invalid_grant", None);
    /// assert!(error_for(Operation::Refresh, &response, &reason).is_verdict());
    /// ```
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        self.inner.kind == ErrorKind::RefreshRejected && !self.inner.no_verdict
    }

    /// Whether the server's response had a 2xx status: the server has done what was asked, even if
    /// its response cannot be used. A one-time credential is spent then, and must not be sent
    /// again.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Protocol, "no access token").with_status(200);
    /// assert!(error.followed_success());
    /// ```
    #[must_use]
    pub fn followed_success(&self) -> bool {
        matches!(self.inner.status, Some(200..=299))
    }

    /// Whether a 2xx response of the vendor's own, not one from something in between, cannot be
    /// read.
    pub(crate) fn has_unread_success(&self) -> bool {
        self.inner.unread && self.followed_success()
    }

    /// Whether a whole 2xx response cannot be used, so that a retry does not help. A kind that is
    /// read without its status has 2xx.
    pub(crate) fn has_whole_unread_success(&self) -> bool {
        self.inner.unread
            && !self.inner.cut_off
            && (self.followed_success() || self.status().is_none())
    }

    /// Whether a response came, at least in part, and cannot be read.
    pub(crate) fn was_cut_off(&self) -> bool {
        self.inner.cut_off
    }

    /// Whether the CA certificates that this system trusts are the cause: none can be read, or the
    /// issuer of the server's certificate is not among them. The settings that name them (on Linux
    /// the variables `SSL_CERT_FILE` and `SSL_CERT_DIR`) may be wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// fn advise(error: &Error) -> Option<&'static str> {
    ///     error.is_about_trust().then_some("check SSL_CERT_FILE and SSL_CERT_DIR")
    /// }
    ///
    /// assert_eq!(advise(&Error::new(ErrorKind::Transient, "connection refused")), None);
    /// ```
    #[must_use]
    pub fn is_about_trust(&self) -> bool {
        self.inner.untrusted_system
    }

    /// Whether the proxy refused the request (status 407): it requires credentials, or other ones.
    /// Nothing reached the server.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// fn advise(error: &Error) -> Option<&'static str> {
    ///     error.is_about_proxy().then_some("check the user and password of the proxy")
    /// }
    ///
    /// assert_eq!(advise(&Error::new(ErrorKind::Transient, "connection refused")), None);
    /// ```
    #[must_use]
    pub fn is_about_proxy(&self) -> bool {
        self.inner.refused_by_proxy
    }

    /// Whether the server did not respond within the timeout of the HTTP client.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// fn advise(error: &Error) -> Option<&'static str> {
    ///     error.is_timeout().then_some("set a longer timeout")
    /// }
    ///
    /// assert_eq!(advise(&Error::new(ErrorKind::Transient, "connection refused")), None);
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.timed_out
    }

    /// Whether the stored session belongs to another provider or account. It was not used.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SessionKey};
    ///
    /// let mut session = OAuthToken::new("made-up".into(), None);
    /// session.metadata.provider = Some("minimax".into());
    /// let key = SessionKey::new("qwen", "default");
    /// let error = session.check_owner(&key, || "session.json".into()).unwrap_err();
    /// assert!(error.is_about_foreign_session());
    /// ```
    #[must_use]
    pub fn is_about_foreign_session(&self) -> bool {
        self.inner.foreign_session
    }

    /// Whether the session belongs to another server than the one that it would have been sent to.
    /// Nothing was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SecureUrl};
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let own = SecureUrl::known("https://auth.example/token");
    /// let session = OAuthToken::new("made-up".into(), None).issued_by(&own);
    /// let other = SecureUrl::known("https://other.example/token");
    /// let error = Recipients::of_provider([own]).permit(&session, &other).unwrap_err();
    /// assert!(error.is_about_other_server());
    /// ```
    #[must_use]
    pub fn is_about_other_server(&self) -> bool {
        self.inner.other_server
    }

    /// Whether the session is a [copy](crate::SessionMetadata::copied_from) of one in another
    /// store, and would have to be refreshed. Nothing was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// let mut session = OAuthToken::new("made-up".into(), None);
    /// session.refresh = Some("made-up-refresh".into());
    /// session.metadata.copied_from = Some("files".into());
    /// assert!(session.refresh_token().unwrap_err().is_about_copy());
    /// ```
    #[must_use]
    pub fn is_about_copy(&self) -> bool {
        self.inner.is_copy
    }

    /// The host, with its port, that a redirect led to. Nothing was sent there.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// fn advise(error: &Error) -> String {
    ///     match error.redirected_to() {
    ///         Some(host) => format!("a network sign-in page at {host} may be in between"),
    ///         None => "try again later".to_owned(),
    ///     }
    /// }
    ///
    /// let error = Error::new(ErrorKind::Transient, "connection refused");
    /// assert_eq!(advise(&error), "try again later");
    /// ```
    #[must_use]
    pub fn redirected_to(&self) -> Option<&str> {
        self.inner.redirected_to.as_deref()
    }

    /// The new URL of the endpoint, from the server ([`ErrorKind::Redirected`]): a whole URL fit
    /// for credentials. Nothing was sent there.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// fn advise(error: &Error) -> Option<String> {
    ///     Some(format!("set the token endpoint to {}", error.moved_to()?))
    /// }
    ///
    /// let error = Error::new(ErrorKind::Redirected, "the token endpoint has moved")
    ///     .with_moved_to("https://login.example/token");
    /// assert!(advise(&error).is_some());
    /// ```
    #[must_use]
    pub fn moved_to(&self) -> Option<&str> {
        self.inner.moved_to.as_deref()
    }

    /// The session, if known.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind, SessionKey};
    ///
    /// let key = SessionKey::new("qwen", "work");
    /// let error = Error::new(ErrorKind::NotSignedIn, "there is no session").with_session(&key);
    /// assert_eq!(error.session(), Some(&key));
    /// ```
    #[must_use]
    pub fn session(&self) -> Option<&SessionKey> {
        self.inner.session.as_ref()
    }

    /// The HTTP status of the response, if there was one.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Transient, "the server is overloaded").with_status(503);
    /// assert_eq!(error.status(), Some(503));
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// How long the server asked to wait before the next request.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::RateLimited, "too many requests");
    /// let pause = error.retry_after().unwrap_or(Duration::from_secs(5));
    /// assert_eq!(pause, Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// The message without the session's name, for programs that show the session separately.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, ErrorKind, SessionKey};
    ///
    /// let error = Error::new(ErrorKind::NotSignedIn, "there is no session")
    ///     .with_session(&SessionKey::new("qwen", "work"));
    /// assert_eq!(error.message(), "there is no session");
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.inner.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_session_and_not_the_cause() {
        let error = Error::new(ErrorKind::Store, "cannot write the token file")
            .with_source(std::io::Error::other("disk full"))
            .with_session(&SessionKey::new("qwen", "work"));
        assert_eq!(
            error.to_string(),
            "qwen (work): cannot write the token file"
        );
        assert_eq!(error.source().unwrap().to_string(), "disk full");
    }

    #[test]
    fn only_a_temporary_failure_is_transient() {
        for kind in [
            ErrorKind::RateLimited,
            ErrorKind::StoreBusy,
            ErrorKind::Transient,
        ] {
            assert!(Error::new(kind, "x").is_transient());
            assert!(!Error::new(kind, "x").needs_login());
        }
        for kind in [
            ErrorKind::Config,
            ErrorKind::Redirected,
            ErrorKind::RefreshRejected,
            ErrorKind::Store,
        ] {
            assert!(!Error::new(kind, "x").is_transient());
        }
    }
}
