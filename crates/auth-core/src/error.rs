//! The one error type of every crate of this workspace.

mod shown;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use crate::session::SessionKey;

/// What every fallible call of these crates returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, for which session, and whether it is worth trying again.
///
/// Cheap to clone, because one failed refresh is told to every caller that waited for it.
/// The text never holds a secret, and never the raw body of an answer; the cause, where
/// there is one, is in [`source`](StdError::source) and not repeated in the text. `{error:#}`
/// adds the causes, on one line; `{error:?}`, which is what `main` prints of an error that it
/// returns, the kind and the status too.
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
    answer_lost: bool,
    unread: bool,
    cut_off: bool,
    no_verdict: bool,
    untrusted_system: bool,
    refused_by_proxy: bool,
    foreign_session: bool,
    moved_to: Option<String>,
    redirected_to: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kinds of failure that a caller can act upon; deliberately few.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The loopback redirect listener could not be opened.
    Callback,
    /// The client id, the client secret, the scope or an endpoint is not right.
    Config,
    /// What the store holds cannot be read as a session; it is left as it is.
    Corrupt,
    /// The person, or the vendor on their behalf, said no.
    Denied,
    /// The device code, the authorization code, or the time to wait for the person, ran out.
    Expired,
    /// There is no session, or none that can be refreshed.
    NotSignedIn,
    /// The vendor closed this account, plan or client.
    PolicyDenied,
    /// An answer that makes no sense, or an OAuth error without a kind of its own.
    Protocol,
    /// The vendor asks for fewer requests (HTTP 429).
    RateLimited,
    /// A credential endpoint has moved; redirects are never followed with a credential.
    Redirected,
    /// The authorization server refused the refresh token; for good if
    /// [`Error::is_verdict`] says so.
    RefreshRejected,
    /// An answer carries another `state` than the one that was sent.
    StateMismatch,
    /// The store could not be read or written.
    Store,
    /// Another process holds the session's lock for too long.
    StoreBusy,
    /// The operating system failed us (no randomness, no threads).
    System,
    /// Network trouble, a 5xx answer, a web page in place of an answer.
    Transient,
}

impl Error {
    /// Makes an error of one kind, with a lower-case message without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                message: message.into(),
                session: None,
                status: None,
                retry_after: None,
                answer_lost: false,
                unread: false,
                cut_off: false,
                no_verdict: false,
                untrusted_system: false,
                refused_by_proxy: false,
                foreign_session: false,
                moved_to: None,
                redirected_to: None,
                source: None,
            }),
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Names the session that it happened to.
    #[must_use]
    pub fn with_session(self, session: &SessionKey) -> Self {
        self.change(|inner| inner.session = Some(session.clone()))
    }

    /// Adds the HTTP status of the answer.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        self.change(|inner| inner.status = Some(status))
    }

    /// Adds how long the server asked to wait (`Retry-After`).
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.change(|inner| inner.retry_after = wait)
    }

    /// Says that the request may have been acted upon although no whole answer came.
    #[must_use]
    pub fn with_answer_lost(self, lost: bool) -> Self {
        self.change(|inner| inner.answer_lost = lost)
    }

    /// Says whether a refusal is the authorization server's own word on the refresh token, so
    /// that it may be remembered. It is by default.
    #[must_use]
    pub fn with_verdict(self, verdict: bool) -> Self {
        self.change(|inner| inner.no_verdict = !verdict)
    }

    /// Says that the vendor's own response came, at least in part, and cannot be read.
    #[must_use]
    pub(crate) fn with_cut_off_response(self) -> Self {
        self.with_unread_response()
            .change(|inner| inner.cut_off = true)
    }

    /// Says that the response came whole and cannot be read.
    pub(crate) fn with_unread_response(self) -> Self {
        self.change(|inner| inner.unread = true)
    }

    /// Says that the certificates of this system are what stands in the way.
    #[must_use]
    pub(crate) fn with_untrusted_system(self) -> Self {
        self.change(|inner| inner.untrusted_system = true)
    }

    /// Says that the proxy refused, before the server was reached.
    #[must_use]
    pub(crate) fn with_refusal_by_proxy(self) -> Self {
        self.change(|inner| inner.refused_by_proxy = true)
    }

    /// Says that the place of the session holds one of another provider or account.
    #[must_use]
    pub(crate) fn with_foreign_session(self) -> Self {
        self.change(|inner| inner.foreign_session = true)
    }

    /// Says which host a redirect led to.
    #[must_use]
    pub(crate) fn with_redirected_to(self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.change(|inner| inner.redirected_to = Some(host))
    }

    /// Says where the endpoint is now.
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
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed later, with nothing changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::RateLimited | ErrorKind::StoreBusy | ErrorKind::Transient
        )
    }

    /// Whether only a new sign-in helps.
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

    /// Whether the server may have acted on the request although its answer never came whole.
    ///
    /// After such an error of a refresh, the refresh token may be spent (RFC 9700 section 4.14.2).
    #[must_use]
    pub fn answer_lost(&self) -> bool {
        self.inner.answer_lost
    }

    /// Whether the authorization server has refused the refresh token in so many words: an
    /// [`ErrorKind::RefreshRejected`] that came as an OAuth error in JSON, such as
    /// `invalid_grant` (RFC 6749 section 5.2).
    ///
    /// Only such a refusal may be remembered as the end of the session. Any other (plain text,
    /// a status alone, a code of the vendor's gateway) may come from something in between or
    /// pass, so the next call has to ask again.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        self.inner.kind == ErrorKind::RefreshRejected && !self.inner.no_verdict
    }

    /// Whether the server's response had a 2xx status: what was asked for has been done, even if
    /// the response cannot be used. A credential that serves once is spent, and is not to be
    /// sent again.
    #[must_use]
    pub fn followed_success(&self) -> bool {
        matches!(self.inner.status, Some(200..=299))
    }

    /// Whether a 2xx response of the vendor's own, not of something in between, cannot be read.
    pub(crate) fn has_unread_success(&self) -> bool {
        self.inner.unread && self.followed_success()
    }

    /// Whether a whole response of success cannot be used, so that asking once more brings
    /// nothing. One of a kind that is read without its status has 2xx.
    pub(crate) fn has_whole_unread_success(&self) -> bool {
        self.inner.unread
            && !self.inner.cut_off
            && (self.followed_success() || self.status().is_none())
    }

    /// Whether a response came, at least in part, and cannot be read.
    pub(crate) fn was_cut_off(&self) -> bool {
        self.inner.cut_off
    }

    /// Whether it failed for the CA certificates that this system trusts: none can be read, or
    /// the issuer of the server's certificate is not among them. What names them (on Linux the
    /// variables `SSL_CERT_FILE` and `SSL_CERT_DIR`) may be wrong.
    #[must_use]
    pub fn is_about_trust(&self) -> bool {
        self.inner.untrusted_system
    }

    /// Whether the proxy refused the request (status 407): it wants other credentials, or some at
    /// all. Nothing reached the server.
    #[must_use]
    pub fn is_about_proxy(&self) -> bool {
        self.inner.refused_by_proxy
    }

    /// Whether the place of the session holds one of another provider or account, which was not
    /// used.
    #[must_use]
    pub fn is_about_foreign_session(&self) -> bool {
        self.inner.foreign_session
    }

    /// The host, with its port, that a redirect led to, whatever became of it. Nothing was sent
    /// there.
    #[must_use]
    pub fn redirected_to(&self) -> Option<&str> {
        self.inner.redirected_to.as_deref()
    }

    /// Where the endpoint is now, as the server says ([`ErrorKind::Redirected`]): a whole URL
    /// fit for credentials. Nothing was sent there.
    #[must_use]
    pub fn moved_to(&self) -> Option<&str> {
        self.inner.moved_to.as_deref()
    }

    /// The session that it happened to, where that is known.
    #[must_use]
    pub fn session(&self) -> Option<&SessionKey> {
        self.inner.session.as_ref()
    }

    /// The HTTP status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// How long the server asked to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// The message without the session's name, for those who show the session elsewhere.
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
    fn only_trouble_that_passes_by_itself_is_transient() {
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
