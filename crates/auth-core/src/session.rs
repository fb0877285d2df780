//! The name of a session: one account at one vendor.

use std::fmt;
use std::sync::Arc;

/// The default account name.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{DEFAULT_ACCOUNT, SessionKey};
///
/// assert_eq!(SessionKey::new("qwen", "").account(), DEFAULT_ACCOUNT);
/// ```
pub const DEFAULT_ACCOUNT: &str = "default";

/// Names one session: a provider and an account at it.
///
/// # Examples
///
/// ```
/// use llm_auth_core::SessionKey;
///
/// let key = SessionKey::new("qwen", "work");
/// assert_eq!(key.to_string(), "qwen (work)");
/// assert_eq!(SessionKey::new("qwen", "").to_string(), "qwen");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionKey {
    provider: Arc<str>,
    account: Box<str>,
}

impl SessionKey {
    /// Names a session. An empty account means [`DEFAULT_ACCOUNT`].
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{DEFAULT_ACCOUNT, SessionKey};
    ///
    /// assert_eq!(SessionKey::new("qwen", "").account(), DEFAULT_ACCOUNT);
    /// ```
    pub fn new(provider: impl Into<String>, account: impl Into<String>) -> Self {
        Self::of(provider.into().into(), account.into())
    }

    /// Names one of many sessions of a provider, which share its name.
    pub(crate) fn of(provider: Arc<str>, account: String) -> Self {
        let account = match account.is_empty() {
            true => DEFAULT_ACCOUNT.into(),
            false => account.into_boxed_str(),
        };
        Self { provider, account }
    }

    /// The provider's name, such as `qwen`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SessionKey;
    ///
    /// assert_eq!(SessionKey::new("qwen", "work").provider(), "qwen");
    /// ```
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The account's name, such as `default` or `work`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SessionKey;
    ///
    /// assert_eq!(SessionKey::new("qwen", "work").account(), "work");
    /// ```
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.account == *DEFAULT_ACCOUNT {
            f.write_str(&self.provider)
        } else {
            write!(f, "{} ({})", self.provider, self.account)
        }
    }
}
