//! The part of a stored session that llm-auth itself keeps besides the tokens.
//!
//! See decision 0002.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ProviderData;
use crate::clock::Timestamp;
use crate::json;
use crate::secret::Secret;

/// The records besides the tokens: the owner, and how the last refresh went.
///
/// # Examples
///
/// ```
/// use llm_auth_core::OAuthToken;
///
/// let mut session = OAuthToken::new("made-up".into(), None);
/// session.metadata.identity = Some("user@example.com".into());
/// assert!(session.metadata.last_failure.is_none());
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(default, remote = "Self")]
pub struct SessionMetadata {
    /// The provider of the session. A token file of one vendor is never sent to another (RFC 6749
    /// section 10.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The account name under which the session is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The user's identity from the vendor (an e-mail address), if it was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The origin of the token endpoint that issued the session; only host and port if an older
    /// version wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What the provider needs to refresh this session: its region, its client id.
    #[serde(rename = "context", skip_serializing_if = "ProviderData::is_empty")]
    pub provider_data: ProviderData,
    /// The secret of the OAuth client that the refresh token is bound to, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// How far the server's clock was ahead of ours at the last response, in milliseconds; absent
    /// if less than half a minute. The expiry is by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// When the user signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<Timestamp>,
    /// When it was last refreshed.
    #[serde(rename = "renewed_at", skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// The store that this is a copy of the session of, in words, while a program moves it from there:
    /// as long as the original may be there too, the copy is handed out and not refreshed, because
    /// both have the same refresh token. A sign-in replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<String>,
    /// Why the last refresh failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Box<RefreshRecord>>,
    /// A refresh that has begun and is not known to have ended.
    #[serde(rename = "intent", skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<Box<RefreshRecord>>,
    /// The rejection of a refresh token.
    #[serde(rename = "refused", skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Box<RefreshRecord>>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub extra: UnknownMembers,
}

/// JSON members that this version does not know: kept, written back, never shown, and wiped on
/// drop, since they may be secret.
///
/// # Examples
///
/// ```
/// use llm_auth_core::OAuthToken;
///
/// let file = br#"{"access": "made-up", "expires": 1000, "plan": "free"}"#;
/// let session = OAuthToken::from_json(file)?;
/// assert_eq!(session.extra.0["plan"], "free");
/// // The values may be secret.
/// assert_eq!(format!("{:?}", session.extra), r#"{"plan"}"#);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct UnknownMembers(pub Map<String, Value>);

/// A record about one refresh token, identified by its fingerprint; it applies to no other.
///
/// # Examples
///
/// ```
/// use llm_auth_core::OAuthToken;
/// use llm_auth_core::store::RefreshRecord;
///
/// fn reason(session: &OAuthToken) -> Option<&str> {
///     let failure: &RefreshRecord = session.metadata.last_failure.as_deref()?;
///     failure.reason.as_deref()
/// }
///
/// assert_eq!(reason(&OAuthToken::new("made-up".into(), None)), None);
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RefreshRecord {
    /// [`Secret::fingerprint`] of the refresh token.
    pub refresh_fingerprint: String,
    /// When the record was made.
    pub at: Timestamp,
    /// The server's reason, sanitized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The end of the server's wait (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// [`Secret::fingerprint`] of the access token, if an API has rejected that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_fingerprint: Option<String>,
    /// Whether the server has not rejected the refresh token but spent it: its response had a 2xx
    /// status and could not be read. Only [`AuthManager::refresh`](crate::AuthManager::refresh),
    /// which a user demands, sends the token again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl RefreshRecord {
    /// A record of the refresh token of this fingerprint, and nothing else.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::store::RefreshRecord;
    /// use llm_auth_core::{OAuthToken, Secret, Timestamp};
    ///
    /// let refresh = Secret::from("made-up-refresh");
    /// let mut session = OAuthToken::new("made-up".into(), None);
    /// let record = RefreshRecord::new(refresh.fingerprint(), Timestamp::from_unix_millis(0));
    /// session.refresh = Some(refresh);
    /// session.metadata.in_progress = Some(Box::new(record));
    /// assert!(session.may_be_spent());
    /// ```
    #[must_use]
    pub fn new(refresh_fingerprint: String, at: Timestamp) -> Self {
        Self {
            refresh_fingerprint,
            at,
            reason: None,
            until: None,
            access_fingerprint: None,
            unread: false,
        }
    }
}

impl SessionMetadata {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Drop for UnknownMembers {
    fn drop(&mut self) {
        self.0.values_mut().for_each(json::wipe);
    }
}

impl fmt::Debug for UnknownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
