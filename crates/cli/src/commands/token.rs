//! `llm-auth token`.

pub(super) mod format;
mod refused;
mod verdicts;
mod wanted;

use clap::Args;
use llm_auth_core::{AuthProvider as _, OAuthToken, SessionKey};

use self::format::{Format, Printed};
pub(crate) use self::wanted::Wanted;
use super::setup::check_environment;
use super::tools::Variables;
use crate::error::Failure;
use crate::providers::ignored_api;
use crate::ui::streams;

#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// Print a JSON object with the token, its expiry, and what an API call needs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How to print the token.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        conflicts_with = "json",
        default_value = "raw"
    )]
    format: Format,

    /// Refresh the token if it is still the one that the API refused, which is read from standard
    /// input: `-`.
    #[arg(long, value_name = "-", conflicts_with = "force_refresh")]
    refused: Option<String>,

    #[command(flatten)]
    variables: Variables,
}

impl TokenArgs {
    /// Whether the output is one JSON object, in place of which an error is one too.
    pub(crate) fn prints_json(&self) -> bool {
        self.json || self.format == Format::Json
    }
}

pub(crate) fn run(args: &TokenArgs) -> Result<(), Failure> {
    let format = match args.json {
        true => Format::Json,
        false => args.format,
    };
    match format.has_variables() {
        true => {
            args.variables.check(args.wanted.session.provider)?;
            check_environment(args.variables.tool())?;
        }
        false => args
            .variables
            .check_unused("--format env, powershell and fish")?,
    }
    let refused = args.refused.as_deref().map(refused::read).transpose()?;
    let (key, token) = args.wanted.get(refused.as_ref())?;
    print(args, format, &key, &token)
}

fn print(
    args: &TokenArgs,
    format: Format,
    key: &SessionKey,
    token: &OAuthToken,
) -> Result<(), Failure> {
    match format {
        Format::Raw => return streams::answer(token.access.expose()),
        Format::ExecCredential => return streams::json(&format::exec_credential(token)),
        _ => {}
    }
    let provider = args.wanted.session.provider;
    let configured = provider.configure_offline(&args.wanted.provider_args, Some(token))?;
    if let Some(ignored) = ignored_api(provider, &configured, token) {
        streams::say(&format!("llm-auth: {ignored}"));
    }
    let api = match format.has_variables() {
        true => args.variables.api(&configured, token)?,
        false => configured.api(token)?,
    };
    match format {
        Format::Header => streams::document(format::header_lines(&api, token).as_bytes()),
        Format::HeadersJson => streams::json(&format::headers(&api, token)),
        Format::Env | Format::Powershell | Format::Fish => {
            let variables = args.variables.values(&api, token.access.expose())?;
            let lines = format::assignments(format, &args.variables.unset(), &variables)?;
            streams::document(lines.as_bytes())
        }
        _ => streams::json(&Printed::new(key, token, api)),
    }
}
