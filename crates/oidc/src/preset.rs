//! Servers that are known as data.

mod client;
mod endpoints;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use self::client::PresetClient;
pub use self::endpoints::PresetEndpoints;
use crate::discovery::discover;
use crate::provider::{Endpoints, LoopbackRedirect};
use crate::server::{Server, ServerClient, check_audience, check_resource, check_scope};
use crate::values::{Whole, filled, placeholder};
use crate::{Error, ErrorKind, HttpClient, ProviderSpec as _, Result, SecureUrl, printable};

/// The presets of this version. Each names its sources and the day on which they were read.
const SHIPPED: &str = include_str!("../presets.json");

/// Copies one member of a preset to a server.
type Copy = fn(&Preset, &mut Server);

/// The members that are copied to a server as they are, and may be such as no server has.
const CHECKED: [(&str, Copy); 5] = [
    ("client", |preset, server| {
        server.client = match &preset.client {
            PresetClient::Own => None,
            PresetClient::Id(id) => Some(ServerClient::new(id.clone())),
        };
    }),
    ("redirect", |preset, server| {
        if let Some(redirect) = &preset.redirect {
            server.redirect = redirect.clone();
        }
    }),
    ("authorization_parameters", |preset, server| {
        let parameters = &preset.authorization_parameters;
        server.authorization_parameters.clone_from(parameters);
    }),
    ("error_codes", |preset, server| {
        server.error_codes.clone_from(&preset.error_codes);
    }),
    ("api_headers", |preset, server| {
        server.api_headers.clone_from(&preset.api_headers);
    }),
];

/// The parameters that a sign-in sets itself (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, RFC 9101,
/// OpenID Connect): another value ends in an error of the server, or in none.
const OF_THE_SIGN_IN: [&str; 13] = [
    "audience",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// A server as data, with placeholders for what differs between its users, such as `{tenant}`.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use llm_auth_oidc::Preset;
///
/// let preset = Preset::shipped("keycloak")?;
/// let values = [("host", "sso.example"), ("realm", "models")];
/// let values = BTreeMap::from(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
/// let preset = preset.with_values(&values)?;
/// assert_eq!(preset.issuer.as_deref(), Some("https://sso.example/realms/models"));
/// # Ok::<(), llm_auth_oidc::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name: lower case, fit for a file name.
    pub name: String,
    /// Its name as a user knows it.
    pub title: String,
    /// The issuer, if the server describes itself (RFC 8414, OpenID Connect Discovery).
    #[serde(default)]
    pub issuer: Option<String>,
    /// The endpoints, if it does not.
    #[serde(default)]
    pub endpoints: Option<PresetEndpoints>,
    /// The client.
    #[serde(default)]
    pub client: PresetClient,
    /// The scopes, separated by spaces.
    #[serde(default)]
    pub scope: String,
    /// The API that the access token is for (RFC 8707).
    #[serde(default)]
    pub resource: Option<String>,
    /// The same in the words of some servers.
    #[serde(default)]
    pub audience: Option<String>,
    /// Further parameters of the request for authorization.
    #[serde(default)]
    pub authorization_parameters: BTreeMap<String, String>,
    /// Whether the device flow is the default.
    #[serde(default)]
    pub prefers_device: bool,
    /// The redirect URIs that the server accepts; `http://127.0.0.1:<any port>/callback` by default.
    #[serde(default)]
    pub redirect: Option<LoopbackRedirect>,
    /// Whether a refresh repeats the scope.
    #[serde(default)]
    pub scope_in_refresh: bool,
    /// The server's own error codes and the RFCs' codes for them.
    #[serde(default)]
    pub error_codes: BTreeMap<String, String>,
    /// The base URL of the API.
    #[serde(default)]
    pub api_base: Option<String>,
    /// Headers that each API call needs besides `Authorization`.
    #[serde(default)]
    pub api_headers: BTreeMap<String, String>,
    /// What each placeholder stands for.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// The terms of use.
    #[serde(default)]
    pub terms: Option<String>,
    /// The day on which the sources were read, such as 2026-11-25.
    #[serde(default)]
    pub checked: Option<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What a user should know before they sign in.
    #[serde(default)]
    pub note: Option<String>,
}

impl Preset {
    /// The presets of this version, by name.
    ///
    /// # Errors
    ///
    /// None in a released version: a test reads them all.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::Preset;
    ///
    /// let names: Vec<_> = Preset::all()?.into_iter().map(|preset| preset.name).collect();
    /// assert!(names.contains(&"gitlab".to_owned()));
    /// # Ok::<(), llm_auth_oidc::Error>(())
    /// ```
    pub fn all() -> Result<Vec<Self>> {
        serde_json::from_str(SHIPPED).map_err(|error| unreadable("", &error))
    }

    /// A preset of this version.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with the names that there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::Preset;
    ///
    /// assert!(Preset::shipped("okta").is_ok());
    /// let error = Preset::shipped("unknown").unwrap_err();
    /// assert!(error.to_string().contains("okta"));
    /// ```
    pub fn shipped(name: &str) -> Result<Self> {
        let mut presets = Self::all()?;
        if let Some(at) = presets.iter().position(|preset| preset.name == name) {
            return Ok(presets.swap_remove(at));
        }
        let names: Vec<_> = presets.into_iter().map(|preset| preset.name).collect();
        Err(Error::new(
            ErrorKind::Config,
            format!("unknown preset: use one of {}, or a file", names.join(", ")),
        ))
    }

    /// A preset of the user's own, from a file with one JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is no preset: with an unknown member, or one of another type,
    /// which the error names; with neither an issuer nor endpoints, or with a placeholder that
    /// `values` does not explain.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::Preset;
    ///
    /// let file = r#"{"name": "acme", "title": "Acme", "issuer": "https://auth.acme.example"}"#;
    /// assert_eq!(Preset::from_json(file.as_bytes())?.title, "Acme");
    /// assert!(Preset::from_json(b"{}").is_err());
    /// # Ok::<(), llm_auth_oidc::Error>(())
    /// ```
    pub fn from_json(file: &[u8]) -> Result<Self> {
        if file.trim_ascii_start().first() != Some(&b'{') {
            let message = "the preset cannot be read: it is no JSON object";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let preset: Self = serde_json::from_slice(file).map_err(|error| {
            let member = wrong_member(file).map(|name| format!("its member `{name}`: "));
            unreadable(member.as_deref().unwrap_or_default(), &error)
        })?;
        preset.check()?;
        Ok(preset)
    }

    /// The preset with its placeholders replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a value is missing, not a piece of a URL, or not one that the preset
    /// has.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use llm_auth_oidc::Preset;
    ///
    /// let gitlab = Preset::shipped("gitlab")?;
    /// let error = gitlab.with_values(&BTreeMap::new()).unwrap_err();
    /// assert!(error.to_string().contains("`host`"));
    /// # Ok::<(), llm_auth_oidc::Error>(())
    /// ```
    pub fn with_values(mut self, values: &BTreeMap<String, String>) -> Result<Self> {
        if let Some(unknown) = values.keys().find(|name| !self.values.contains_key(*name)) {
            let known: Vec<_> = self.values.keys().map(String::as_str).collect();
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the preset {} has no value `{unknown}`: it has {}",
                    self.name,
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                ),
            ));
        }
        for (text, takes) in self.templates() {
            *text = filled(text, values, takes)?;
        }
        Ok(self)
    }

    /// The server, with the metadata that it has of itself or with the endpoints of the preset. It
    /// has no client if each user brings one.
    ///
    /// # Errors
    ///
    /// As [`discover`], and [`ErrorKind::Config`] if an endpoint is not fit for a credential.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_oidc::{HttpClient, Preset};
    ///
    /// # async fn run(preset: Preset) -> llm_auth_oidc::Result<()> {
    /// // Sends requests.
    /// let server = preset.server(&HttpClient::default(), "company").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn server(&self, http: &HttpClient, name: &str) -> Result<Server> {
        // Before a request is sent.
        let api_base = self.api_base.as_deref();
        let api_base = api_base.map(|text| url("api_base", text)).transpose()?;
        check_scope(&self.scope).map_err(|error| wrong("scope", error))?;
        let (resource, audience) = (self.resource.as_deref(), self.audience.as_deref());
        let checked = resource.map_or(Ok(()), check_resource);
        checked.map_err(|error| wrong("resource", error))?;
        let checked = audience.map_or(Ok(()), check_audience);
        checked.map_err(|error| wrong("audience", error))?;
        let mut server = match (&self.issuer, &self.endpoints) {
            (_, Some(endpoints)) => {
                let mut server = Server::new(name, endpoints.read()?);
                server.issuer.clone_from(&self.issuer);
                server
            }
            (Some(issuer), None) => {
                url("issuer", issuer)?;
                Server::discovered(name, &discover(http, issuer).await?)
            }
            (None, None) => return Err(no_server(&self.name)),
        };
        server.title.clone_from(&self.title);
        server.scope.clone_from(&self.scope);
        server.resource.clone_from(&self.resource);
        server.audience.clone_from(&self.audience);
        server.prefers_device = self.prefers_device;
        server.scope_in_refresh = self.scope_in_refresh;
        server.endpoints.api_base = api_base;
        for (_, copy) in CHECKED {
            copy(self, &mut server);
        }
        Ok(server)
    }

    fn check(&self) -> Result<()> {
        if self.issuer.is_none() && self.endpoints.is_none() {
            return Err(no_server(&self.name));
        }
        let begins_nowhere = |endpoints: &PresetEndpoints| {
            endpoints.authorization.is_none() && endpoints.device_authorization.is_none()
        };
        if self.endpoints.as_ref().is_some_and(begins_nowhere) {
            let why = "no sign-in begins there: add `authorization` or `device_authorization`";
            return Err(wrong("endpoints", Error::new(ErrorKind::Config, why)));
        }
        let fixed = |name: &&String| name.is_empty() || OF_THE_SIGN_IN.contains(&name.as_str());
        if let Some(name) = self.authorization_parameters.keys().find(fixed) {
            let why = format!("each sign-in has its own `{}`: remove it", printable(name));
            let error = Error::new(ErrorKind::Config, why);
            return Err(wrong("authorization_parameters", error));
        }
        self.check_members()?;
        let mut used = BTreeSet::new();
        for (text, _) in self.clone().templates() {
            let mut rest = text.as_str();
            while let Some((_, name, after)) = placeholder(rest) {
                used.insert(name.to_owned());
                rest = after;
            }
        }
        let explained: BTreeSet<_> = self.values.keys().cloned().collect();
        let why = if let Some(name) = used.difference(&explained).next() {
            format!(
                "it lacks `{name}`, which is a placeholder elsewhere: explain it, or correct its name"
            )
        } else if let Some(name) = explained.difference(&used).next() {
            format!(
                "it explains `{name}`, and no `{{{name}}}` stands in `issuer`, `endpoints`, `scope`, \
                 `resource`, `audience` or `api_base`: use it there, or remove it"
            )
        } else {
            return Ok(());
        };
        Err(wrong("values", Error::new(ErrorKind::Config, why)))
    }

    /// Checks each member by itself, so that an error names the one that is wrong.
    fn check_members(&self) -> Result<()> {
        for (name, copy) in CHECKED {
            let mut endpoints = Endpoints::new(SecureUrl::known("https://preset.example/token"));
            endpoints.authorization = Some(SecureUrl::known("https://preset.example/authorize"));
            let mut server = Server::new(&self.name, endpoints);
            copy(self, &mut server);
            let checked = server.config().check();
            checked.map_err(|error| wrong(name, error))?;
        }
        Ok(())
    }

    /// The members that may have placeholders, with what one that is a whole member stands for.
    fn templates(&mut self) -> impl Iterator<Item = (&mut String, Whole)> {
        let endpoints = self.endpoints.iter_mut().flat_map(|endpoints| {
            let others = [
                &mut endpoints.authorization,
                &mut endpoints.device_authorization,
                &mut endpoints.revocation,
                &mut endpoints.userinfo,
            ];
            let others = others.into_iter().flatten();
            std::iter::once(&mut endpoints.token).chain(others)
        });
        let urls = [&mut self.issuer, &mut self.api_base];
        let urls = endpoints.chain(urls.into_iter().flatten());
        // They are checked as a whole before anything is sent.
        let texts = [&mut self.resource, &mut self.audience];
        let texts = texts.into_iter().flatten().chain([&mut self.scope]);
        urls.map(|text| (text, Whole::Url))
            .chain(texts.map(|text| (text, Whole::Text)))
    }
}

fn no_server(name: &str) -> Error {
    let message = format!("the preset {name} has neither an issuer nor endpoints: add one of them");
    Error::new(ErrorKind::Config, message)
}

/// The message of serde quotes values; a preset holds no secret.
fn unreadable(member: &str, error: &serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the preset cannot be read: {member}{error}"),
    )
}

/// The member of a file that a preset cannot have so.
fn wrong_member(file: &[u8]) -> Option<String> {
    // All that a preset must have.
    let least = json!({"name": "x", "title": "x"});
    let members: Map<String, Value> = serde_json::from_slice(file).ok()?;
    let is_wrong = |(name, value): &(String, Value)| {
        let mut preset = least.clone();
        preset[name.as_str()] = value.clone();
        Preset::deserialize(preset).is_err()
    };
    members.into_iter().find(is_wrong).map(|(name, _)| name)
}

/// The URL in a member of a preset.
fn url(member: &str, text: &str) -> Result<SecureUrl> {
    SecureUrl::new(text).map_err(|error| wrong(member, error))
}

fn wrong(member: &str, error: Error) -> Error {
    let message = format!("the member `{member}` of the preset cannot be used");
    Error::new(ErrorKind::Config, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_preset_is_whole_and_names_its_sources() {
        for preset in Preset::all().unwrap() {
            let name = preset.name.clone();
            preset.check().unwrap();
            assert!(!preset.sources.is_empty(), "{name}");
            assert!(
                preset.checked.as_deref().is_some_and(|day| day.len() == 10),
                "{name}"
            );
            assert!(preset.terms.is_some(), "{name}");
            let is_url = |text: &str| text.starts_with('{') && text.ends_with('}');
            let value = |(name, _): (&String, &String)| (name.clone(), "a.example".to_owned());
            let mut values: BTreeMap<_, _> = preset.values.iter().map(value).collect();
            for (text, _) in preset.clone().templates() {
                if is_url(text) {
                    values.insert(
                        text[1..text.len() - 1].to_owned(),
                        "https://a.example".into(),
                    );
                }
            }
            let filled = preset.with_values(&values).unwrap();
            for url in [&filled.issuer, &filled.api_base].into_iter().flatten() {
                SecureUrl::new(url).unwrap();
            }
            if let Some(endpoints) = &filled.endpoints {
                endpoints.read().unwrap();
            }
        }
    }

    #[test]
    fn a_preset_that_is_not_whole_is_a_clear_error() {
        for (file, why) in [
            ("", "cannot be read"),
            ("[]", "cannot be read"),
            (
                r#"{"name":"a","title":"A"}"#,
                "neither an issuer nor endpoints",
            ),
            (
                r#"{"name":"a","title":"A","issuer":"https://{host}"}"#,
                "`host`",
            ),
            (
                r#"{"name":"a","title":"A","issuer":"https://a.example","values":{"x":"y"}}"#,
                "`x`",
            ),
            (
                r#"{"name":"a","title":"A","issuer":"https://a.example","scopes":"x"}"#,
                "its member `scopes`: unknown field",
            ),
            (
                r#"{"name":7,"title":"A"}"#,
                "its member `name`: invalid type",
            ),
            (r#"{"title":"A"}"#, "missing field `name`"),
            (
                r#"{"name":"a","title":"A","endpoints":{"token":7}}"#,
                "its member `endpoints`: invalid type",
            ),
            (
                r#"{"name":"a","title":"A","redirect":{"path":"","host":"x","ports":[]}}"#,
                "its member `redirect`: unknown variant",
            ),
        ] {
            let error = Preset::from_json(file.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(format!("{error:#}").contains(why), "{file}: {error:#}");
        }
    }

    #[tokio::test]
    async fn a_member_that_is_no_url_for_credentials_is_named_before_anything_is_sent() {
        let http = HttpClient::default();
        for (member, rest) in [
            ("issuer", r#""issuer":"htp://a.example""#),
            (
                "api_base",
                r#""issuer":"https://a.invalid","api_base":"a.example""#,
            ),
            (
                "endpoints.token",
                r#""endpoints":{"token":"http://a.example","authorization":"https://a.example"}"#,
            ),
            (
                "endpoints.userinfo",
                r#""endpoints":{"token":"https://a.example","authorization":"https://a.example","userinfo":"x"}"#,
            ),
        ] {
            let file = format!(r#"{{"name":"a","title":"A",{rest}}}"#);
            let preset = Preset::from_json(file.as_bytes()).unwrap();
            let error = preset.server(&http, "a").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let named = format!("the member `{member}` of the preset");
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
}
