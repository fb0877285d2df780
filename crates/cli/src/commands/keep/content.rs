//! What a kept file holds.

use clap::ValueEnum;
use llm_auth_core::{AuthProvider as _, OAuthToken, Secret, SessionKey};
use serde_json::{Value, json};

use crate::commands::token::format::{self, Format, Printed};
use crate::commands::tools::Variables;
use crate::error::Failure;
use crate::providers::Provider;

/// What a kept file holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Content {
    /// The token alone
    Raw,
    /// What `token --json` prints
    Json,
    /// The headers of an API call, one a line
    Header,
    /// The same as one JSON object
    HeadersJson,
    /// Assignments for a POSIX shell, by --env and --api-base-env
    Env,
    /// The credentials of a profile for the SDKs of Anthropic
    AnthropicProfile,
    /// A generic secret of Envoy (file-based SDS)
    EnvoySds,
}

impl Content {
    pub(super) fn of(
        self,
        name: &str,
        key: &SessionKey,
        token: &OAuthToken,
        provider: &Provider,
    ) -> Result<Secret, Failure> {
        let access = token.access.expose();
        Ok(match self {
            Self::Raw | Self::Env => token.access.clone(),
            Self::Json => line(&json!(Printed::new(key, token, provider.api(token)?))),
            Self::Header => format::header_lines(&provider.api(token)?, token).into(),
            Self::HeadersJson => line(&json!(format::headers(&provider.api(token)?, token))),
            Self::AnthropicProfile => {
                let expires_at = token.expires_at.map(|at| at.as_unix_millis() / 1000);
                line(&json!({"access_token": access, "expires_at": expires_at}))
            }
            // Envoy API v3: config.core.v3.DataSource in a Secret of the TLS transport socket.
            Self::EnvoySds => line(&json!({"resources": [{
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
                "name": name,
                "generic_secret": {"secret": {"inline_string": access}},
            }]})),
        })
    }
}

/// The assignments of a shell.
pub(super) fn variables(
    variables: &Variables,
    provider: &Provider,
    token: &OAuthToken,
) -> Result<Secret, Failure> {
    let api = variables.api(provider, token)?;
    let values = variables.values(&api, token.access.expose())?;
    format::assignments(Format::Env, &variables.unset(), &values).map(Secret::from)
}

fn line(value: &Value) -> Secret {
    format!("{value}\n").into()
}
