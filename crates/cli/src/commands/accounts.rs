//! `llm-auth accounts` and `llm-auth switch`.

use clap::Args;
use llm_auth_core::{
    Clock as _, DEFAULT_ACCOUNT, Error, ErrorKind, SessionKey, SystemClock, printable,
};
use serde::Serialize;

use crate::error::Failure;
use crate::providers::ProviderName;
use crate::session::command_line::{command_about_all, command_line};
use crate::session::selector::SessionSelector;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::session::stores::{self, SessionStore};
use crate::text::shown;
use crate::ui::events::Event;
use crate::ui::streams::{self, VERSION, say};
use crate::ui::width::{columns, padded};

#[derive(Args, Debug)]
pub(crate) struct AccountsArgs {
    /// List only accounts of this provider.
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    provider: Option<ProviderName>,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SwitchArgs {
    /// The provider.
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    pub(crate) provider: ProviderName,

    /// The account, by name or by the e-mail address of its user; optional if there are only two.
    account: Option<String>,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    accounts: Vec<Account>,
}

/// One stored account. Nothing in it is secret.
#[derive(Serialize)]
struct Account {
    #[serde(rename = "vendor")]
    provider: &'static str,
    account: String,
    current: bool,
    identity: Option<String>,
    state: &'static str,
}

pub(crate) fn run(args: &AccountsArgs) -> Result<(), Failure> {
    let store = all()?;
    let providers = match &args.provider {
        Some(provider) => std::slice::from_ref(provider),
        None => ProviderName::all(),
    };
    let mut accounts = Vec::new();
    for provider in providers {
        match list(*provider, &store) {
            Ok(found) => accounts.extend(found),
            // The other providers' are not affected.
            Err(failure) => say(&failure.message()),
        }
    }
    accounts.sort_by(|a, b| (a.provider, &a.account).cmp(&(b.provider, &b.account)));
    if args.json {
        return streams::json(&Report {
            v: VERSION,
            accounts,
        });
    }
    if accounts.is_empty() {
        let others = args.provider.is_some() && store.providers().is_ok_and(|all| !all.is_empty());
        say(&match args.provider {
            Some(provider) => format!(
                "no {} account is signed in; run `{}`{}",
                provider.title(),
                command_line(
                    "login",
                    Some(provider.name()),
                    &SessionSelector::default(),
                    &[]
                ),
                if others {
                    ", or `llm-auth accounts` to list the others"
                } else {
                    ""
                }
            ),
            None => format!("not signed in; run `{}`", command_about_all("login")),
        });
    }
    let width = accounts.iter().map(|account| columns(&account.account));
    let width = width.max().unwrap_or_default();
    for account in &accounts {
        streams::answer(&account.line(width))?;
    }
    Ok(())
}

pub(crate) fn switch(args: &SwitchArgs) -> Result<(), Failure> {
    let (provider, store) = (args.provider, all()?);
    let known = provider.accounts(&store).stored()?;
    if known.is_empty() {
        let error = Error::new(ErrorKind::NotSignedIn, "not signed in");
        return Err(error
            .with_session(&provider.accounts(&store).key(DEFAULT_ACCOUNT))
            .into());
    }
    let wanted = match &args.account {
        Some(name) => provider.accounts(&store).by_name(name)?,
        None => the_other(provider, &known, &store)
            .ok_or_else(|| Failure::AmbiguousSwitch(provider.accounts(&store).ambiguous(&known)))?,
    };
    if !known.contains(&wanted) {
        return Err(Failure::AmbiguousSwitch(format!(
            "no account {} at {}: {}",
            printable(wanted.account()),
            provider.title(),
            provider.accounts(&store).ambiguous(&known)
        )));
    }
    Settings::set_current(provider.name(), wanted.account())?;
    say(&format!(
        "{} is now the current account of {}.",
        printable(wanted.account()),
        provider.title()
    ));
    if !args.json {
        return Ok(());
    }
    Event::Switched {
        provider: provider.name(),
        account: wanted.account(),
    }
    .print()
}

fn list(provider: ProviderName, store: &SessionStore) -> Result<Vec<Account>, Failure> {
    let current = provider.accounts(store).current().ok();
    let accounts = provider.accounts(store).stored()?.into_iter().map(|key| {
        let read = store.read(&key);
        let now = SystemClock.now();
        let (state, identity) = match read {
            Ok(Some(token)) => (state_of(&token, now), token.metadata.identity),
            // It went away just now.
            Ok(None) => ("signed_out", None),
            Err(_) => ("unreadable", None),
        };
        Account {
            provider: provider.name(),
            current: current.as_ref() == Some(&key),
            account: printable(key.account()),
            identity: identity.as_deref().map(shown),
            state,
        }
    });
    Ok(accounts.collect())
}

/// Of two accounts the one that is not the current one, of one that one.
fn the_other(
    provider: ProviderName,
    known: &[SessionKey],
    store: &SessionStore,
) -> Option<SessionKey> {
    let current = provider.accounts(store).current().ok();
    match known {
        [only] => Some(only.clone()),
        [first, second] if current.as_ref() == Some(first) => Some(second.clone()),
        [first, second] if current.as_ref() == Some(second) => Some(first.clone()),
        _ => None,
    }
}

fn all() -> Result<SessionStore, Failure> {
    stores::open(&SessionSelector::default())
}

impl Account {
    fn line(&self, width: usize) -> String {
        let mark = if self.current { "*" } else { " " };
        let identity = self.identity.as_deref().unwrap_or_default();
        let line = format!(
            "{mark} {:<8} {}  {:<10} {identity}",
            self.provider,
            padded(&self.account, width),
            self.state
        );
        line.trim_end().to_owned()
    }
}
