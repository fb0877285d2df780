//! The key of a client, and what it is good for.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use llm_auth_core::provider::random_state;
use llm_auth_core::{Result, Secret};

use crate::failure::Failure;

/// The key of one client of a proxy: random, with 256 bits, and good for this proxy only.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_proxy::ClientKey;
///
/// let key = ClientKey::random()?
///     .expires_in(Duration::from_secs(3600))
///     .max_requests(100)
///     .allow_path("/chat/completions");
/// assert_eq!(key.secret().expose().len(), 43);
/// assert!(!format!("{key:?}").contains(key.secret().expose()));
/// # Ok::<(), llm_auth_proxy::Error>(())
/// ```
#[must_use]
pub struct ClientKey {
    secret: Secret,
    end: Option<Instant>,
    /// The requests that are left.
    left: Option<AtomicU64>,
    paths: Vec<String>,
}

impl ClientKey {
    /// A new key without limits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`](llm_auth_core::ErrorKind::System) if the operating system provides no
    /// randomness.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_proxy::ClientKey;
    ///
    /// assert_ne!(ClientKey::random()?.secret(), ClientKey::random()?.secret());
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn random() -> Result<Self> {
        Ok(Self {
            secret: random_state()?,
            end: None,
            left: None,
            paths: Vec::new(),
        })
    }

    /// Ends the key after this time; a request that has begun by then goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use llm_auth_proxy::ClientKey;
    /// let key = ClientKey::random()?.expires_in(Duration::from_secs(3600));
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn expires_in(mut self, time: Duration) -> Self {
        // What no clock of this computer reaches is no limit.
        self.end = Instant::now().checked_add(time);
        self
    }

    /// Ends the key after this number of requests. One that the proxy refuses does not count.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_proxy::ClientKey;
    /// let key = ClientKey::random()?.max_requests(1);
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn max_requests(mut self, count: u64) -> Self {
        self.left = Some(AtomicU64::new(count));
        self
    }

    /// Allows only paths that begin with this one, after the base URL of the session; `/models`
    /// allows `/models/x` and not `/modelsx`. May be called several times. Without it, every path is
    /// allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_proxy::ClientKey;
    /// let key = ClientKey::random()?.allow_path("/models").allow_path("/chat/completions");
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    pub fn allow_path(mut self, prefix: impl Into<String>) -> Self {
        let prefix: String = prefix.into();
        self.paths
            .push(format!("/{}", prefix.trim_start_matches('/')));
        self
    }

    /// The key itself, for its client.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_proxy::ClientKey;
    /// let key = ClientKey::random()?;
    /// println!("{} characters", key.secret().expose().len());
    /// # Ok::<(), llm_auth_proxy::Error>(())
    /// ```
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Refuses a key that has ended.
    pub(crate) fn check_end(&self) -> std::result::Result<(), Failure> {
        match self.end {
            Some(end) if end <= Instant::now() => Err(Failure::new(
                StatusCode::UNAUTHORIZED,
                "key_expired",
                "the key of this proxy has expired: start the proxy again for a new one",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a path, without the base URL of the session, that the key is not for.
    pub(crate) fn check_path(&self, path: &str) -> std::result::Result<(), Failure> {
        if self.paths.is_empty() || self.paths.iter().any(|prefix| is_below(path, prefix)) {
            return Ok(());
        }
        Err(Failure::forbidden(
            "path_not_allowed",
            format!(
                "the key of this proxy is only for {}: use another path, or start the proxy with \
                 --allow-path for this one",
                self.paths.join(" and ")
            ),
        ))
    }

    /// Counts a request, and refuses it if there have been too many. It does not count if it is not
    /// [sent](Counted::is_sent).
    pub(crate) fn count(&self) -> std::result::Result<Counted<'_>, Failure> {
        let Some(left) = &self.left else {
            return Ok(Counted(None));
        };
        let counted = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        match counted {
            Ok(_left) => Ok(Counted(Some(left))),
            // Not 429, after which an SDK would try again.
            Err(_none) => Err(Failure::forbidden(
                "too_many_requests",
                "the key of this proxy has had all its requests: start the proxy again for a new \
                 one",
            )),
        }
    }
}

/// A request that counts against the limit of its key, unless it is dropped before it is sent.
#[derive(Debug)]
pub(crate) struct Counted<'a>(Option<&'a AtomicU64>);

impl Counted<'_> {
    /// The request is sent to the API.
    pub(crate) fn is_sent(&mut self) {
        self.0 = None;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.0 {
            left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else {
        return false;
    };
    // `/models/gemini:generateContent` is a method of what stands before the colon.
    rest.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', ':'])
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("left", &self.left)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        let key = ClientKey::random().unwrap().allow_path("models");
        for path in ["/models", "/models/x", "/models/x:y", "/models:z"] {
            assert!(key.check_path(path).is_ok(), "{path}");
        }
        for path in ["/", "/modelsx", "/chat/models", "/Models", "/models%2Fx"] {
            assert!(key.check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_key_ends_with_its_time_and_its_requests() {
        let key = ClientKey::random().unwrap().max_requests(2);
        // Refused, and so given back.
        drop(key.count().unwrap());
        key.count().unwrap().is_sent();
        let open = key.count().unwrap();
        assert!(key.count().is_err() && key.count().is_err());
        drop(open);
        key.count().unwrap().is_sent();
        assert!(key.count().is_err());
        assert!(key.check_end().is_ok());
        let key = ClientKey::random().unwrap().expires_in(Duration::ZERO);
        assert!(key.check_end().is_err());
        let key = ClientKey::random().unwrap().expires_in(Duration::MAX);
        assert!(key.check_end().is_ok());
    }
}
