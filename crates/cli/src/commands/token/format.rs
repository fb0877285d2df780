//! The forms in which a token is printed.

use std::collections::BTreeMap;

use clap::ValueEnum;
use llm_auth_core::{Api, OAuthToken, SessionKey, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::text::shown;
use crate::time::rfc3339;
use crate::ui::streams::VERSION;

/// What `token` prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(in crate::commands) enum Format {
    /// The token alone
    #[value(alias = "text")]
    Raw,
    /// As --json
    Json,
    /// The headers of an API call, one a line, as `curl -H @-` reads them
    Header,
    /// The same as one JSON object, for `headersHelper` of Claude Code and `http_headers_helper` of
    /// codex
    HeadersJson,
    /// Assignments for a POSIX shell
    Env,
    /// Assignments for PowerShell
    Powershell,
    /// Assignments for fish
    Fish,
    /// An ExecCredential of Kubernetes
    ExecCredential,
}

impl Format {
    /// Whether it names variables.
    pub(in crate::commands) fn has_variables(self) -> bool {
        matches!(self, Self::Env | Self::Powershell | Self::Fish)
    }
}

/// The headers of a call.
pub(in crate::commands) fn headers(api: &Api, token: &OAuthToken) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = api.headers.iter().cloned().collect();
    let bearer = format!("Bearer {}", token.access.expose());
    headers.insert("Authorization".into(), bearer);
    headers
}

pub(in crate::commands) fn header_lines(api: &Api, token: &OAuthToken) -> String {
    let headers = headers(api, token).into_iter();
    headers
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// One assignment a line, after what is unset.
///
/// # Errors
///
/// A value that no shell line can hold.
pub(in crate::commands) fn assignments(
    format: Format,
    unset: &[&str],
    variables: &[(String, String)],
) -> Result<String, Failure> {
    let mut lines = String::new();
    for name in unset {
        lines += &match format {
            Format::Powershell => {
                format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n")
            }
            Format::Fish => format!("set -e {name}\n"),
            _ => format!("unset {name}\n"),
        };
    }
    for (name, value) in variables {
        if value.contains(['\n', '\r', '\0']) {
            return Err(Failure::Usage(format!("{name} would contain a line break")));
        }
        lines += &match format {
            Format::Powershell => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
            Format::Fish => {
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                format!("set -gx {name} '{value}'\n")
            }
            _ => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
        };
    }
    Ok(lines)
}

/// What `exec` plugins of Kubernetes clients print (client.authentication.k8s.io/v1).
pub(in crate::commands) fn exec_credential(token: &OAuthToken) -> Value {
    let mut status = json!({"token": token.access.expose()});
    if let Some(expires_at) = token.expires_at.and_then(rfc3339) {
        status["expirationTimestamp"] = expires_at.into();
    }
    json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    })
}

/// What `--json` prints.
#[derive(Serialize)]
pub(in crate::commands) struct Printed<'a> {
    v: u32,
    #[serde(rename = "vendor")]
    provider: &'a str,
    account: &'a str,
    access_token: &'a str,
    token_type: &'static str,
    expires_at: Option<String>,
    expires_at_ms: Option<i64>,
    scope: Option<String>,
    api_base: Option<String>,
    headers: BTreeMap<String, String>,
}

impl<'a> Printed<'a> {
    pub(in crate::commands) fn new(key: &'a SessionKey, token: &'a OAuthToken, api: Api) -> Self {
        Self {
            v: VERSION,
            provider: key.provider(),
            account: key.account(),
            access_token: token.access.expose(),
            token_type: "Bearer",
            expires_at: token.expires_at.and_then(rfc3339),
            expires_at_ms: token.expires_at.map(Timestamp::as_unix_millis),
            scope: token.scope.as_deref().map(shown),
            api_base: api.base,
            headers: api.headers.into_iter().collect(),
        }
    }
}
