//! What the stores on servers have in common: their URLs, and why a server cannot be used.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// Why a server cannot be used.
///
/// # Examples
///
/// ```
/// use llm_auth_core::store::ServerFault;
///
/// assert!(ServerFault::Unreachable.is_temporary());
/// assert!(!ServerFault::Credentials.is_temporary());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ServerFault {
    /// No connection could be made, or it broke.
    Unreachable,
    /// It did not respond within the time limit.
    NoResponse,
    /// It starts, fails over, or accepts no more connections now.
    Busy,
    /// No authority that is trusted here has issued its certificate, or that has expired.
    Certificate,
    /// Its certificate is for other host names.
    CertificateName,
    /// TLS failed in another way.
    Tls,
    /// It rejects the user or the password, or requires them.
    Credentials,
    /// The user lacks a permission.
    Permission,
    /// It is a standby, or read-only.
    ReadOnly,
    /// The database does not exist.
    NoDatabase,
    /// The tables are missing, or are not as they were made.
    Tables,
    /// The tables are older than this program needs.
    OlderTables,
    /// What is stored was written by a newer version of this program.
    NewerFormat,
    /// It may lose what it has confirmed.
    NotDurable,
    /// It removes sessions when its memory is full.
    Evicts,
    /// Its disk or its memory is full.
    Full,
    /// Anything else.
    Other,
}

impl ServerFault {
    /// Whether the same call may succeed later, without any change.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::ServerFault;
    ///
    /// assert!(ServerFault::NoResponse.is_temporary());
    /// assert!(!ServerFault::Certificate.is_temporary());
    /// ```
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Unreachable | Self::NoResponse | Self::Busy)
    }
}

/// The source of an error of a store on a server: what is wrong, without what to do about it. A program
/// that has its own words for that, such as the name of its settings, chooses them by
/// [`fault`](Self::fault).
///
/// # Examples
///
/// ```
/// use std::error::Error as _;
///
/// use llm_auth_core::store::{ServerError, ServerFault};
///
/// let found = ServerError::new(ServerFault::Full, "db.example: the disk is full");
/// let error = found.into_error("make room");
/// assert_eq!(error.to_string(), "db.example: the disk is full: make room");
/// let found = error.source().unwrap().downcast_ref::<ServerError>().unwrap();
/// assert_eq!(found.fault(), ServerFault::Full);
/// assert_eq!(found.to_string(), "db.example: the disk is full");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerError {
    fault: ServerFault,
    what: String,
}

impl ServerError {
    /// `what` names the server, without a user and a password, and says what is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::{ServerError, ServerFault};
    ///
    /// let found = ServerError::new(ServerFault::ReadOnly, "db.example: a standby");
    /// assert_eq!(found.to_string(), "db.example: a standby");
    /// ```
    #[must_use]
    pub fn new(fault: ServerFault, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { fault, what }
    }

    /// Why the server cannot be used.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::{ServerError, ServerFault};
    ///
    /// let found = ServerError::new(ServerFault::ReadOnly, "db.example: a standby");
    /// assert_eq!(found.fault(), ServerFault::ReadOnly);
    /// ```
    #[must_use]
    pub fn fault(&self) -> ServerFault {
        self.fault
    }

    /// The error of the kind [`ErrorKind::Store`] that the store returns; `advice` says what to do, in
    /// the words of the store.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// use llm_auth_core::store::{ServerError, ServerFault};
    ///
    /// let found = ServerError::new(ServerFault::ReadOnly, "db.example: a standby");
    /// let error = found.into_error("connect to the primary");
    /// assert_eq!(error.kind(), ErrorKind::Store);
    /// assert_eq!(error.to_string(), "db.example: a standby: connect to the primary");
    /// ```
    #[must_use]
    pub fn into_error(self, advice: &str) -> Error {
        let mark = if advice.is_empty() { "" } else { ": " };
        let message = format!("{}{mark}{advice}", self.what);
        Error::new(ErrorKind::Store, message).with_source(self)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ServerError {}

/// Checks that a URL of a server has one reading, before anything of it is connected to or shown.
///
/// A password with an unescaped `@`, `/`, `?` or `#` ends early for one reader and not for another: its
/// tail would be taken for a host, looked up and printed. At most one `@` is accepted, which must
/// come before the first `/` and `?`, and a port is digits; a fragment, white space and control characters are not. The one
/// fragment that means something is accepted: `#insecure` of `rediss://`, with which a Redis client
/// does not check the certificate.
///
/// # Errors
///
/// [`ErrorKind::Config`]; the message quotes nothing of the URL.
///
/// # Examples
///
/// ```
/// use llm_auth_core::store::check_server_url;
///
/// assert!(check_server_url("postgres://app:made%40up@db.example/sessions").is_ok());
/// let error = check_server_url("postgres://app:made@up@db.example/sessions").unwrap_err();
/// assert!(error.to_string().contains("write `@` as `%40`"));
/// ```
pub fn check_server_url(url: &str) -> Result<()> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let fragment = match scheme {
        "rediss" | "valkeys" => "#insecure",
        _ => "",
    };
    let rest = rest.strip_suffix(fragment).unwrap_or(rest);
    let (authority, others) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_plain = |character: char| !character.is_control() && !character.is_whitespace();
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_user, hosts)| hosts);
    let is_clear = authority.matches('@').count() <= 1
        && hosts.split(',').all(has_plain_port)
        && !others.contains(['@', '#'])
        && !authority.contains('\\')
        && rest.chars().all(is_plain);
    if is_clear {
        return Ok(());
    }
    let message = "the URL of the server has more than one reading: percent-encode the special \
                   characters of its password and parameters (write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, \
                   `#` as `%23`, a space as `%20`)";
    Err(Error::new(ErrorKind::Config, message))
}

/// Whether what follows the host is a port: it is a password if the `@` behind that is missing.
fn has_plain_port(host: &str) -> bool {
    let rest = match host.strip_prefix('[') {
        Some(address) => address.split_once(']').map_or("x", |(_address, rest)| rest),
        None => host.find(':').map_or("", |colon| &host[colon..]),
    };
    let is_port = |port: &str| port.chars().all(|digit| digit.is_ascii_digit());
    rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_whose_password_may_end_elsewhere_is_refused_and_not_quoted() {
        for url in [
            "postgres://u:made@up@h/d",
            "postgres://u:made/up@h/d",
            "postgres://u:made?up@h/d",
            "postgres://u:made#up@h/d",
            "postgres://u:made\\up@h/d",
            "postgres://u:made@up/x@h/d",
            "redis://:12#34@h/0",
            "redis://:12/34@h/0",
            "redis://h/0#made-up",
            "redis://h/0#insecure",
            "rediss://u:made@up@h#insecure",
            "redis://u:made up@h/0",
            "redis://u:made\tup@h/0",
            "postgres://h/d?user=u&password=made@up",
            "postgres://u:madeup/d",
            "postgres://u:12,h:made/d",
            "redis://:madeup",
            "redis://:12@h:made/0",
            "redis://[::1]made/0",
        ] {
            let error = check_server_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            for part in ["made", "up", "12", "34", "u:"] {
                assert!(!format!("{error:?}").contains(part), "{url}: {error:?}");
            }
        }
    }

    #[test]
    fn a_url_with_one_reading_is_accepted() {
        for url in [
            "postgres://u:made%40up%2F%3F%23:x@h:1,[::1]:2/d?sslmode=require",
            "postgres:///d?host=/run/pg&user=u",
            "rediss://:pässword@h:1/2?protocol=resp3",
            "redis://h",
            "rediss://h#insecure",
            "redis+unix:///run/redis.sock?db=1",
        ] {
            check_server_url(url).unwrap();
        }
    }
}
