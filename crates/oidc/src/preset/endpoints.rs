//! The endpoints of a preset.

use serde::Deserialize;

use super::url;
use crate::Result;
use crate::provider::Endpoints;

/// The endpoints of a server that does not describe itself; they may have placeholders.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::Preset;
///
/// let file = r#"{"name": "acme", "title": "Acme",
///     "endpoints": {"token": "https://{host}/token", "device_authorization": "https://{host}/device"},
///     "values": {"host": "the host of your server"}}"#;
/// let endpoints = Preset::from_json(file.as_bytes())?.endpoints.unwrap();
/// assert_eq!(endpoints.token, "https://{host}/token");
/// # Ok::<(), llm_auth_oidc::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct PresetEndpoints {
    /// The token endpoint.
    pub token: String,
    /// The authorization endpoint.
    #[serde(default)]
    pub authorization: Option<String>,
    /// The device authorization endpoint.
    #[serde(default)]
    pub device_authorization: Option<String>,
    /// The revocation endpoint.
    #[serde(default)]
    pub revocation: Option<String>,
    /// The userinfo endpoint.
    #[serde(default)]
    pub userinfo: Option<String>,
}

impl PresetEndpoints {
    pub(super) fn read(&self) -> Result<Endpoints> {
        let named = |name: &str, text: &str| url(&format!("endpoints.{name}"), text);
        let optional = |name: &str, text: &Option<String>| {
            let read = text.as_deref().map(|text| named(name, text));
            read.transpose()
        };
        let mut endpoints = Endpoints::new(named("token", &self.token)?);
        endpoints.authorization = optional("authorization", &self.authorization)?;
        endpoints.device_authorization =
            optional("device_authorization", &self.device_authorization)?;
        endpoints.revocation = optional("revocation", &self.revocation)?;
        endpoints.userinfo = optional("userinfo", &self.userinfo)?;
        Ok(endpoints)
    }
}
