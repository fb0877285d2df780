//! The flags of `login oidc`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use llm_auth::oidc::Preset;
use llm_auth_core::provider::{ClientAuth, LoopbackHost, LoopbackRedirect};
use llm_auth_core::{ClientCredentials, Error, ErrorKind, Secret, SecureUrl, files};

use crate::error::{Failure, chain};
use crate::system::files::{LARGEST, check_path, check_private, check_unchanged_by_others};
use crate::text;

/// A server that the call names, and the client there.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Any other server (`llm-auth login oidc`, `llm-auth login mcp URL`)")]
pub(crate) struct ServerArgs {
    /// The issuer, exactly as the server names it; for `mcp`, one of several that the server names.
    #[arg(long, value_name = "URL", value_parser = issuer)]
    pub(super) issuer: Option<String>,

    /// Accept metadata that names this issuer, although it was found at another: compare the two
    /// first.
    #[arg(long, value_name = "URL", value_parser = issuer)]
    pub(super) accept_issuer: Option<String>,

    /// A server that is known as data: one of `azure-openai`, `databricks`, `snowflake`,
    /// `cloudflare`, `gitlab`, `chutes`, `litellm`, `keycloak`, `auth0`, `okta`, or a file of your
    /// own.
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "issuer", value_hint = ValueHint::AnyPath)]
    pub(super) preset: Option<String>,

    /// A value that the preset leaves to you. Repeatable.
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "preset", value_parser = pair)]
    values: Vec<(String, String)>,

    /// The name under which the server and its sessions are remembered [default: the preset's, or the
    /// host of the issuer].
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// The client id; without one, a new client is registered if the server allows it.
    #[arg(long, value_name = "ID", value_parser = client_id)]
    pub(super) client_id: Option<String>,

    /// A file with the client secret, if the client has one; no other user may read it.
    #[arg(long, value_name = "FILE", requires = "client_id", value_hint = ValueHint::AnyPath)]
    client_secret_file: Option<PathBuf>,

    /// The URL of a document of yours that describes the client; it is the client id at a server that
    /// takes such documents.
    #[arg(long, value_name = "URL", value_parser = endpoint, conflicts_with = "client_id")]
    pub(super) client_document: Option<SecureUrl>,

    /// How the client sends its secret [default: in the header, unless the server lists only `post`].
    #[arg(long, value_enum, value_name = "WAY", requires = "client_secret_file")]
    client_auth: Option<SecretWay>,

    /// Register a new client, even if one is remembered.
    #[arg(long, conflicts_with = "client_id")]
    pub(super) register: bool,

    /// A file with the token that the server wants for a registration.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, conflicts_with = "client_id")]
    registration_token_file: Option<PathBuf>,

    /// Sign in with a device code.
    #[arg(long, conflicts_with = "flow")]
    pub(super) device: bool,

    /// The scopes, separated by spaces.
    #[arg(long, value_name = "SCOPES", value_parser = text::printable_only)]
    pub(super) scope: Option<String>,

    /// The API that the access token is for, as the server spells it (RFC 8707).
    #[arg(long, value_name = "URI", value_parser = named_api)]
    pub(super) resource: Option<String>,

    /// The same for servers that call it audience.
    #[arg(long, value_name = "NAME", value_parser = named_api)]
    pub(super) audience: Option<String>,

    /// The base URL of the API.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(super) api_base: Option<SecureUrl>,

    /// The token endpoint of a server that does not describe itself.
    #[arg(long, value_name = "URL", value_parser = endpoint, conflicts_with = "preset")]
    pub(super) token_endpoint: Option<SecureUrl>,

    /// Its authorization endpoint.
    #[arg(long, value_name = "URL", value_parser = endpoint, requires = "token_endpoint")]
    pub(super) authorization_endpoint: Option<SecureUrl>,

    /// Its device authorization endpoint.
    #[arg(long, value_name = "URL", value_parser = endpoint, requires = "token_endpoint")]
    pub(super) device_endpoint: Option<SecureUrl>,

    /// Its revocation endpoint.
    #[arg(long, value_name = "URL", value_parser = endpoint, requires = "token_endpoint")]
    pub(super) revocation_endpoint: Option<SecureUrl>,

    /// The host of the redirect URI, as it is registered [default: 127.0.0.1].
    #[arg(long, value_enum, value_name = "HOST")]
    redirect_host: Option<RedirectHost>,

    /// The port of the redirect URI [default: any].
    #[arg(long, value_name = "PORT", value_parser = redirect_port, allow_negative_numbers = true)]
    pub(super) redirect_port: Option<u16>,

    /// The path of the redirect URI [default: /callback].
    #[arg(long, value_name = "PATH", value_parser = redirect_path)]
    pub(super) redirect_path: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum RedirectHost {
    #[value(name = "127.0.0.1")]
    Literal,
    Localhost,
}

/// `client_secret_basic` and `client_secret_post` of RFC 7591 section 2. Documented variants would
/// change the layout of the whole help.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum SecretWay {
    Basic,
    Post,
}

impl ServerArgs {
    /// The name of a flag that was given; they are for servers of the user's own.
    pub(super) fn given(&self) -> Option<&'static str> {
        let others = [
            ("--client-id", self.client_id.is_some()),
            ("--register", self.register),
            (
                "--registration-token-file",
                self.registration_token_file.is_some(),
            ),
            ("--device", self.device),
            ("--scope", self.scope.is_some()),
            ("--resource", self.resource.is_some()),
            ("--audience", self.audience.is_some()),
            ("--api-base", self.api_base.is_some()),
            ("--redirect-host", self.redirect_host.is_some()),
            ("--redirect-port", self.redirect_port.is_some()),
            ("--redirect-path", self.redirect_path.is_some()),
        ];
        self.naming_a_server().or_else(|| first(&others))
    }

    /// The name of a flag that was given and says which server is meant, or under which name. The
    /// flags that require one of them are not listed.
    pub(super) fn naming_a_server(&self) -> Option<&'static str> {
        first(&[
            ("--issuer", self.issuer.is_some()),
            ("--accept-issuer", self.accept_issuer.is_some()),
            ("--preset", self.preset.is_some()),
            ("--name", self.name.is_some()),
            ("--token-endpoint", self.token_endpoint.is_some()),
            ("--client-document", self.client_document.is_some()),
        ])
    }

    /// The name of a flag that was given and has a secret that belongs to one authorization server.
    pub(super) fn with_a_secret(&self) -> Option<&'static str> {
        first(&[
            ("--client-secret-file", self.client_secret_file.is_some()),
            (
                "--registration-token-file",
                self.registration_token_file.is_some(),
            ),
        ])
    }

    /// The name of a flag that was given and says where a server is, which an MCP server does itself.
    pub(super) fn of_described_servers(&self) -> Option<&'static str> {
        first(&[
            ("--preset", self.preset.is_some()),
            ("--token-endpoint", self.token_endpoint.is_some()),
            ("--api-base", self.api_base.is_some()),
        ])
    }

    /// The same, with this scope if none was given.
    pub(super) fn with_scope(&self, scope: String) -> Self {
        let named = self.scope.clone();
        Self {
            scope: named.or(Some(scope)).filter(|scope| !scope.is_empty()),
            ..self.clone()
        }
    }

    /// What is wrong with the preset, if it is a file of the user's.
    pub(super) fn of_preset(&self, error: Error) -> Failure {
        match &self.preset {
            Some(named)
                if is_file(named)
                    && error.kind() == ErrorKind::Config
                    && !error.is_about_proxy() =>
            {
                Failure::Config {
                    message: format!("{named}: {}", chain(&error)),
                    advice: match self.values.is_empty() {
                        true => "correct that file; docs/cli/servers.md lists its members",
                        false => "correct that file, or the values of --set; docs/cli/servers.md lists its members",
                    }
                    .into(),
                }
            }
            _ => error.into(),
        }
    }

    /// The preset with its values.
    pub(super) fn preset(&self) -> Result<Option<Preset>, Failure> {
        let Some(named) = &self.preset else {
            // The parser does not require the preset beside --issuer, which excludes it.
            return match self.values.is_empty() {
                true => Ok(None),
                false => Err(Failure::Usage("--set is for a --preset".into())),
            };
        };
        let preset = match is_file(named) {
            true => {
                check_unchanged_by_others(Path::new(named))?;
                Preset::from_json(&read("--preset", Path::new(named))?)
                    .map_err(|error| self.of_preset(error))?
            }
            false => Preset::shipped(named)?,
        };
        let explained = preset.values.clone();
        let mut values = BTreeMap::new();
        for (name, value) in &self.values {
            if values.insert(name.clone(), value.clone()).is_some() {
                let why = format!("--set {name}= is given more than once");
                return Err(Failure::Usage(why));
            }
        }
        preset.with_values(&values).map(Some).map_err(|error| {
            let is_set = |name| values.get(name).is_some_and(|value| !value.is_empty());
            let missing = explained.iter().filter(|(name, _)| !is_set(*name));
            let missing: Vec<_> = missing
                .map(|(name, what)| format!("--set {name}=... ({what})"))
                .collect();
            match missing.is_empty() {
                true => self.of_preset(error),
                false => Failure::Config {
                    message: chain(&error),
                    advice: format!("add {}", missing.join(" and ")),
                },
            }
        })
    }

    pub(super) fn client_secret(&self) -> Result<Option<Secret>, Failure> {
        secret(
            "--client-secret-file",
            self.client_secret_file.as_deref(),
            |secret| ClientCredentials::new("x", Some(secret.clone())).check(),
        )
    }

    pub(super) fn client_auth(&self) -> Option<ClientAuth> {
        self.client_auth.map(|way| match way {
            SecretWay::Basic => ClientAuth::Basic,
            SecretWay::Post => ClientAuth::Post,
        })
    }

    pub(super) fn registration_token(&self) -> Result<Option<Secret>, Failure> {
        secret(
            "--registration-token-file",
            self.registration_token_file.as_deref(),
            |token| match text::not_a_token(token.expose()) {
                None if !token.expose().is_empty() => Ok(()),
                why => {
                    let why = why.unwrap_or("is empty");
                    Err(Error::new(ErrorKind::Config, format!("the token {why}")))
                }
            },
        )
    }

    pub(super) fn redirect_host(&self) -> Option<LoopbackHost> {
        self.redirect_host.map(|host| match host {
            RedirectHost::Literal => LoopbackHost::Literal,
            RedirectHost::Localhost => LoopbackHost::Localhost,
        })
    }
}

/// An issuer is compared letter for letter, so the text stays as it is.
fn issuer(text: &str) -> Result<String, String> {
    endpoint(text).map(|_url| text.to_owned())
}

/// Whether a preset is a file of the user's.
pub(super) fn is_file(preset: &str) -> bool {
    preset.contains(['/', '\\']) || preset.ends_with(".json")
}

fn first(flags: &[(&'static str, bool)]) -> Option<&'static str> {
    let mut flags = flags.iter();
    flags.find_map(|(flag, is_given)| is_given.then_some(*flag))
}

/// The text of a file without the line ends after it, if `check` finds nothing wrong with it.
fn secret(
    flag: &str,
    file: Option<&Path>,
    check: impl FnOnce(&Secret) -> Result<(), Error>,
) -> Result<Option<Secret>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    check_private(flag, file)?;
    let bytes = read(flag, file)?;
    let text = std::str::from_utf8(&bytes).unwrap_or("\u{fffd}");
    let secret = Secret::from(text.trim_end_matches(['\r', '\n']));
    check(&secret).map_err(|error| Failure::Config {
        message: format!("{flag} {}: {}", file.display(), chain(&error)),
        advice: "write only the secret into that file".into(),
    })?;
    Ok(Some(secret))
}

fn read(flag: &str, file: &Path) -> Result<impl std::ops::Deref<Target = Vec<u8>>, Failure> {
    check_path(flag, file)?;
    files::read_or_pipe(file, LARGEST).map_err(|error| Failure::Config {
        message: format!("{flag}: cannot read {}: {error}", file.display()),
        advice: format!("name a file that you can read with {flag}"),
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// The URL of an MCP server. The name of one has been read before (`arguments.rs`).
pub(super) fn mcp_server(text: &str) -> Result<SecureUrl, String> {
    if text.contains("://") {
        return endpoint(text);
    }
    Err(
        "it is neither a URL, which begins with https://, nor the name of an MCP server that is \
         remembered; `llm-auth login NAME` signs in to any server that is"
            .to_owned(),
    )
}

fn client_id(text: &str) -> Result<String, String> {
    let client = ClientCredentials::new(text, None);
    client.check().map_err(|error| chain(&error))?;
    Ok(client.id)
}

/// An API as a parameter names it: an empty one would still be sent.
fn named_api(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty: name the API, or omit the flag".to_owned()),
        _ => text::printable_only(text),
    }
}

fn redirect_path(text: &str) -> Result<String, String> {
    let redirect = LoopbackRedirect::new(text);
    redirect.check().map_err(|error| chain(&error))?;
    Ok(redirect.path)
}

/// One that a page can be sent to.
fn redirect_port(text: &str) -> Result<u16, String> {
    let port = match text::port(text) {
        Ok(port) if port > 0 => port,
        _ => return Err("the port of a redirect URI is a number from 1 to 65535".to_owned()),
    };
    let mut redirect = LoopbackRedirect::new("");
    redirect.ports = vec![port];
    redirect.check().map_err(|error| chain(&error))?;
    Ok(port)
}

pub(super) fn endpoint(text: &str) -> Result<SecureUrl, String> {
    SecureUrl::new(text).map_err(|error| chain(&error))
}
