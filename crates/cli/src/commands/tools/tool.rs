//! What each tool reads: one data file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::place::Place;
use crate::error::Failure;
use crate::providers::{Dialect, ProviderArgs, ProviderName, Stored, api_base};
use crate::session::selector::SessionSelector;
use crate::session::stores;

/// What each tool reads.
const TOOLS: &str = include_str!("tools.json");

/// What a variable is set to that holds the token.
const TOKEN: &str = "{token}";

/// A program that takes a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct Tool {
    pub(in crate::commands) name: String,
    pub(in crate::commands) title: String,
    /// What it speaks to the base URL.
    #[serde(default)]
    dialect: Option<Dialect>,
    /// The one provider whose tokens it takes, if it sends them to a server of its own choice.
    #[serde(default)]
    provider: Option<String>,
    /// Values with `{token}`, `{api}` (the base URL) and `{headers}` (`name: value, ...`). Without
    /// any, it takes no token from its environment.
    #[serde(default)]
    pub(in crate::commands) variables: BTreeMap<String, String>,
    /// Variables that hold other credentials, which it would send in place of the token or beside
    /// it.
    #[serde(default)]
    keys: Vec<String>,
    /// Variables that would take precedence over those, or lead the token elsewhere.
    #[serde(default)]
    unset: Vec<String>,
    /// Its own settings that take precedence over its environment.
    #[serde(default)]
    pub(in crate::commands) settings: Vec<OwnSettings>,
}

/// Settings of a tool that take precedence over its environment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct OwnSettings {
    /// The file of the user.
    pub(in crate::commands) file: Option<Place>,
    /// Files of a project: below the current directory, or one above it in its repository.
    #[serde(default)]
    pub(in crate::commands) project: Vec<String>,
    /// Files of the administrator.
    #[serde(default)]
    pub(in crate::commands) managed: Vec<String>,
    pub(in crate::commands) format: OwnFormat,
    /// The members that hold a credential or a URL. `{variable}` is each of the tool's variables,
    /// `{unset}` each that it must not have.
    pub(in crate::commands) members: Vec<String>,
}

/// How a tool's own settings are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands) enum OwnFormat {
    Json,
    /// `name: value`, without deeper members.
    Yaml,
    /// `NAME=value`.
    Env,
}

static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    // A test reads it too.
    serde_json::from_str(TOOLS).unwrap_or_default()
});

/// Those that take a token from their environment.
pub(super) fn in_environment() -> impl Iterator<Item = &'static Tool> {
    ALL.iter().filter(|tool| !tool.variables.is_empty())
}

pub(in crate::commands) fn named(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// The variables that hold a credential: the token, or one of the user's own.
    pub(in crate::commands) fn credentials(&self) -> impl Iterator<Item = &str> {
        let variables = self.variables.iter();
        let token = variables.filter(|(_, value)| *value == TOKEN);
        let keys = self.keys.iter().map(String::as_str);
        token.map(|(name, _)| &**name).chain(keys)
    }

    /// The variables that are not set for it, and that it would go by.
    pub(in crate::commands) fn others(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().chain(&self.unset).map(String::as_str)
    }

    /// Checks that it sends tokens of this provider to this provider, and speaks to it as its API
    /// wants. The error names providers for it, and others of these tools for the provider.
    pub(super) fn check(
        &self,
        provider: ProviderName,
        others: impl IntoIterator<Item = &'static Self>,
    ) -> Result<(), Failure> {
        let Some(message) = self.mismatch(provider) else {
            return Ok(());
        };
        let tools = others.into_iter();
        let tools: Vec<&str> = tools
            .filter(|other| other.mismatch(provider).is_none() && provider.check_hand_out().is_ok())
            .map(|other| &*other.name)
            .collect();
        let mut advice = format!("for {}: {}", self.name, self.providers().join(", "));
        if !tools.is_empty() {
            advice += &format!("; for {}: {}", provider.name(), tools.join(", "));
        }
        Err(Failure::Mismatch { message, advice })
    }

    /// The providers that it takes a token of, those that are signed in to first.
    pub(super) fn providers(&self) -> Vec<String> {
        let store = stores::open(&SessionSelector::default()).ok();
        let is_signed_in = |provider: &ProviderName| {
            let stored = store
                .as_ref()
                .map(|store| provider.accounts(store).stored());
            stored.is_some_and(|stored| stored.is_ok_and(|keys| !keys.is_empty()))
        };
        let fits = |provider: &&ProviderName| {
            // Whatever the user's own server is for, its API is where the session says.
            let is_known = provider.dialects().is_some() || names_api(**provider);
            is_known && self.mismatch(**provider).is_none() && provider.check_hand_out().is_ok()
        };
        let fitting = ProviderName::all().iter().filter(fits);
        let (mut names, mut others) = (Vec::new(), Vec::new());
        for provider in fitting {
            match is_signed_in(provider) {
                true => names.push(format!("{} (signed in)", provider.name())),
                false => others.push(provider.name().to_owned()),
            }
        }
        names.append(&mut others);
        names
    }

    fn mismatch(&self, provider: ProviderName) -> Option<String> {
        let title = provider.title();
        if let Some(only) = &self.provider
            && only != provider.name()
        {
            return Some(format!(
                "{} sends its token to {only}, and this one is for {title}",
                self.name
            ));
        }
        match (self.dialect, provider.dialects()) {
            (Some(wanted), Some(spoken)) if !spoken.contains(&wanted) => {
                let article = if wanted == Dialect::Google { "a" } else { "an" };
                let spoken: Vec<_> = spoken.iter().map(|one| format!("{one}-style")).collect();
                let other = match spoken.is_empty() {
                    true => "of another kind".to_owned(),
                    false => spoken.join(" or "),
                };
                Some(format!(
                    "{} needs {article} {wanted}-style API, and {title}'s is {other}",
                    self.name
                ))
            }
            _ => None,
        }
    }
}

/// Whether the API of the current session is known.
fn names_api(provider: ProviderName) -> bool {
    let args = ProviderArgs::default();
    let stored = Stored::read(provider, &SessionSelector::default(), &args, None);
    let Ok(Some(session)) = stored.map(|stored| stored.session) else {
        return false;
    };
    let configured = provider.configure_offline(&args, Some(&session));
    configured.is_ok_and(|configured| api_base(&configured, &session).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::variable_name::variable;
    use super::*;

    #[test]
    fn every_tool_names_variables_that_may_hold_a_token_and_values_that_are_known() {
        let tools: Vec<Tool> = serde_json::from_str(TOOLS).unwrap();
        assert!(!tools.is_empty());
        for tool in tools {
            assert!(!tool.title.is_empty(), "{}", tool.name);
            for (name, value) in &tool.variables {
                assert_eq!(variable(name).as_ref(), Ok(name), "{}", tool.name);
                let is_known = [TOKEN, "{api}", "{headers}"].contains(&value.as_str());
                assert!(is_known || !value.contains('{'), "{}: {value}", tool.name);
            }
            for settings in &tool.settings {
                assert!(!settings.members.is_empty(), "{}", tool.name);
                assert!(settings.file.as_ref().is_none_or(Place::is_complete));
            }
        }
    }
}
