//! The client at one server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stored;
use crate::Secret;
use crate::provider::ClientAuth;

/// The client at one server.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::ServerClient;
///
/// let client = ServerClient::new("native-cli");
/// assert_eq!(client.secret, None);
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerClient {
    /// The client id.
    pub id: String,
    /// The client secret, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How it authenticates with its secret.
    #[serde(default)]
    pub auth: ClientAuth,
    /// When the secret expires, in seconds since the Unix epoch; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<u64>,
    /// Whether it was registered by a program, so that it can be registered again if the server has
    /// lost it.
    #[serde(default, skip_serializing_if = "stored::is_false")]
    pub is_registered: bool,
    /// What a later version wrote, which is written back.
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

impl ServerClient {
    /// A public client, which has no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::ServerClient;
    ///
    /// assert_eq!(ServerClient::new("native-cli").id, "native-cli");
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            auth: ClientAuth::default(),
            secret_expires_at: None,
            is_registered: false,
            unknown: BTreeMap::new(),
        }
    }
}
