//! Qwen's endpoints, the client and the pace of the polls.

use llm_auth_core::{PollSchedule, Result, SecureUrl};

/// Hosts, client id, scope and pace of Qwen's device sign-in, as data.
///
/// The default is what qwen-code 0.24.4 uses. Every member can be set, so that a moved host
/// or another client needs no new release of this crate.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_qwen::Error> {
/// use llm_auth_qwen::{SecureUrl, QwenEndpoints};
///
/// let mut endpoints = QwenEndpoints::default();
/// endpoints.token = SecureUrl::new("https://login.example.com/token")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QwenEndpoints {
    /// The device authorization endpoint;
    /// `https://chat.qwen.ai/api/v1/oauth2/device/code` (qwen-code).
    pub device_authorization: SecureUrl,
    /// The token endpoint, for polls and refreshes;
    /// `https://chat.qwen.ai/api/v1/oauth2/token` (qwen-code).
    pub token: SecureUrl,
    /// The API base of a session without an acceptable one of its own;
    /// `https://dashscope.aliyuncs.com/compatible-mode/v1` (qwen-code).
    pub api_base: SecureUrl,
    /// The public client id, for which there is no secret (qwen-code, CLIProxyAPI,
    /// hermes-agent and gochat agree on it).
    pub client_id: String,
    /// The scope, separated by spaces; `openid profile email model.completion` (qwen-code).
    pub scope: String,
    /// The pace of the polls: that of RFC 8628, since Qwen announces `interval` in seconds
    /// if at all. qwen-code's own pace of 2 s with a reset after each `slow_down` is not
    /// copied: the standard wants the longer wait kept.
    pub schedule: PollSchedule,
}

impl QwenEndpoints {
    /// The same paths at another scheme, host and port, such as a proxy or a simulated vendor. The
    /// API base moves too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if `base` is neither `https` nor
    /// loopback, or has a path.
    pub fn with_base(&self, base: &str) -> Result<Self> {
        Ok(Self {
            device_authorization: self.device_authorization.with_base(base)?,
            token: self.token.with_base(base)?,
            api_base: self.api_base.with_base(base)?,
            ..self.clone()
        })
    }
}

impl Default for QwenEndpoints {
    fn default() -> Self {
        Self {
            device_authorization: SecureUrl::known(
                "https://chat.qwen.ai/api/v1/oauth2/device/code",
            ),
            token: SecureUrl::known("https://chat.qwen.ai/api/v1/oauth2/token"),
            api_base: SecureUrl::known("https://dashscope.aliyuncs.com/compatible-mode/v1"),
            client_id: "f0304373b74a44d2b584a3fb70ca9e56".into(),
            scope: "openid profile email model.completion".into(),
            schedule: PollSchedule::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_moves_every_endpoint_and_keeps_the_paths() {
        let moved = QwenEndpoints::default()
            .with_base("http://127.0.0.1:4000")
            .unwrap();
        assert_eq!(
            [moved.device_authorization, moved.token, moved.api_base]
                .map(|endpoint| endpoint.as_str().to_owned()),
            [
                "http://127.0.0.1:4000/api/v1/oauth2/device/code",
                "http://127.0.0.1:4000/api/v1/oauth2/token",
                "http://127.0.0.1:4000/compatible-mode/v1",
            ]
        );
    }

    #[test]
    fn a_base_that_is_plain_http_elsewhere_is_refused() {
        assert!(
            QwenEndpoints::default()
                .with_base("http://example.com")
                .is_err()
        );
    }
}
