//! The variables that hold a token for other programs: by name, or by the tool that reads them.

mod place;
mod tool;
mod variable_name;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use llm_auth_core::{Api, AuthProvider as _, OAuthToken};

pub(super) use self::place::{HOME, Place};
pub(super) use self::tool::{OwnFormat, OwnSettings, Tool, named};
use self::variable_name::variable;
use crate::error::Failure;
use crate::providers::{Provider, ProviderName, api_base};
use crate::ui::streams::say;

/// The variable that holds the access token, if no other is named.
pub(crate) const VARIABLE: &str = "LLM_AUTH_ACCESS_TOKEN";

/// The variables that are wanted.
#[derive(Args, Debug)]
pub(crate) struct Variables {
    /// Set the variables that this program reads.
    #[arg(
        long = "as",
        value_name = "TOOL",
        value_parser = tool(),
        conflicts_with_all = ["env", "api_base_env"]
    )]
    tool: Option<Named>,

    #[command(flatten)]
    names: Names,
}

/// The variables by their names.
#[derive(Args, Clone, Debug)]
pub(crate) struct Names {
    /// Set this variable to the access token. Repeatable [default: LLM_AUTH_ACCESS_TOKEN].
    #[arg(long, value_name = "NAME", value_parser = variable)]
    env: Vec<String>,

    /// Set this variable to the base URL of the API, if the provider has one.
    #[arg(long, value_name = "NAME", value_parser = variable)]
    api_base_env: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Named(&'static Tool);

fn tool() -> impl TypedValueParser<Value = Named> {
    let names = tool::in_environment().map(|tool| {
        let value = PossibleValue::new(tool.name.as_str());
        value.help(tool.title.as_str())
    });
    PossibleValuesParser::new(names).try_map(|name| {
        let found = named(&name);
        found.map(Named).ok_or("there is no such tool")
    })
}

impl From<Names> for Variables {
    fn from(names: Names) -> Self {
        Self { tool: None, names }
    }
}

impl Variables {
    /// Checks that the tool sends tokens of this provider to this provider, and speaks to it as its
    /// API wants; and that no variable is to hold two values.
    pub(super) fn check(&self, provider: ProviderName) -> Result<(), Failure> {
        if let Some(Named(tool)) = &self.tool {
            tool.check(provider, tool::in_environment())?;
        }
        match &self.names.api_base_env {
            Some(name) if self.names().any(|other| other == name) => Err(Failure::Usage(format!(
                "{name} cannot hold both the access token and the base URL"
            ))),
            _ => Ok(()),
        }
    }

    /// Checks that none is named, if none is printed.
    pub(super) fn check_unused(&self, used_by: &str) -> Result<(), Failure> {
        let named = [
            ("--as", self.tool.is_some()),
            ("--env", !self.names.env.is_empty()),
            ("--api-base-env", self.names.api_base_env.is_some()),
        ];
        match named.into_iter().find(|(_, is_named)| *is_named) {
            Some((flag, _)) => Err(Failure::Usage(format!("{flag} is for {used_by}"))),
            None => Ok(()),
        }
    }

    /// Whether a value is made of more than the token.
    pub(super) fn need_api(&self) -> bool {
        self.names.api_base_env.is_some() || self.has("{api}") || self.has("{headers}")
    }

    /// Checks that a program finds a proxy.
    pub(super) fn check_base(&self) -> Result<(), Failure> {
        if self.names.api_base_env.is_some() || self.has("{api}") {
            return Ok(());
        }
        Err(Failure::Usage(match &self.tool {
            Some(Named(tool)) => {
                format!("{} takes no base URL, so it cannot use a proxy", tool.name)
            }
            None => {
                "--proxy requires --api-base-env NAME or --as TOOL, where the program finds the \
                     proxy"
                    .into()
            }
        }))
    }

    fn has(&self, value: &str) -> bool {
        let of_tool = |Named(tool): &Named| tool.variables.values().any(|other| other == value);
        self.tool.as_ref().is_some_and(of_tool)
    }

    /// What the values are made of. A header that cannot be sent fails only a call that has headers.
    pub(super) fn api(&self, provider: &Provider, token: &OAuthToken) -> Result<Api, Failure> {
        if self.has("{headers}") {
            return Ok(provider.api(token)?);
        }
        let mut api = Api::default();
        api.base = api_base(provider, token);
        Ok(api)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let env = &self.names.env;
        let default = (env.is_empty() && self.tool.is_none()).then_some(VARIABLE);
        env.iter().map(String::as_str).chain(default)
    }

    /// The variables and their values; one whose value is unknown is left out, with a message.
    ///
    /// # Errors
    ///
    /// A tool that would send the token to a server of its own choice, because the API is unknown.
    pub(super) fn values(&self, api: &Api, access: &str) -> Result<Vec<(String, String)>, Failure> {
        if let (Some(Named(tool)), None) = (&self.tool, &api.base)
            && self.has("{api}")
        {
            return Err(Failure::Config {
                message: format!(
                    "the API of this session is unknown, and {} would send its token elsewhere",
                    tool.name
                ),
                advice:
                    "if it is a server of your own, sign out of it, then sign in with --api-base \
                         URL; otherwise use --env and set its base URL yourself"
                        .into(),
            });
        }
        let plain = self.names().map(|name| (name, "{token}"));
        let base = self
            .names
            .api_base_env
            .iter()
            .map(|name| (&**name, "{api}"));
        let of_tool = self.tool.iter().flat_map(|Named(tool)| {
            let variables = tool.variables.iter();
            variables.map(|(name, value)| (&**name, &**value))
        });
        let wanted = plain.chain(base).chain(of_tool);
        let filled = wanted.filter_map(|(name, value)| {
            let value = filled(name, value, api, access)?;
            Some((name.to_owned(), value))
        });
        Ok(filled.collect())
    }

    /// The variables that would take precedence over those.
    pub(super) fn unset(&self) -> Vec<&'static str> {
        let tool = self.tool.map(|Named(tool)| tool);
        tool.into_iter().flat_map(Tool::others).collect()
    }

    /// The tool whose variables they are.
    pub(super) fn tool(&self) -> Option<&'static Tool> {
        self.tool.map(|Named(tool)| tool)
    }
}

/// Checks that a tool speaks to a provider as its API wants. The error names others of these tools.
pub(super) fn check_tool<'a>(
    name: &str,
    provider: ProviderName,
    others: impl IntoIterator<Item = &'a str>,
) -> Result<(), Failure> {
    let others = others.into_iter().filter_map(named);
    named(name).map_or(Ok(()), |tool| tool.check(provider, others))
}

/// The providers that a tool takes a token of, those that are signed in to first.
pub(super) fn providers_for(name: &str) -> Vec<String> {
    named(name).map(Tool::providers).unwrap_or_default()
}

fn filled(name: &str, value: &str, api: &Api, access: &str) -> Option<String> {
    match value {
        "{token}" => Some(access.to_owned()),
        "{api}" => {
            if api.base.is_none() {
                say(&format!(
                    "llm-auth: the API of this session is unknown, so {name} is not set"
                ));
            }
            api.base.clone()
        }
        "{headers}" if api.headers.is_empty() => None,
        "{headers}" => {
            let headers = api.headers.iter();
            let headers: Vec<String> = headers
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            Some(headers.join(", "))
        }
        literal => Some(literal.to_owned()),
    }
}
