//! `llm-auth accounts` and `llm-auth switch`.

use clap::{Args, ValueEnum as _};
use llm_auth_core::{
    Clock as _, DEFAULT_ACCOUNT, Error, ErrorKind, FileTokenStore, SessionKey, SystemClock,
    printable,
};
use serde::Serialize;

use crate::error::Failure;
use crate::providers::Vendor;
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::text::shown;
use crate::ui::streams::{self, VERSION, say};
use crate::ui::width::{columns, padded};

#[derive(Args, Debug)]
pub(crate) struct AccountsArgs {
    /// Only accounts at this vendor.
    #[arg(value_enum, ignore_case = true)]
    vendor: Option<Vendor>,

    /// Write one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SwitchArgs {
    /// The vendor.
    #[arg(value_enum, ignore_case = true)]
    pub(crate) vendor: Vendor,

    /// The account, or the identity of its owner; it may be left out where there are two.
    account: Option<String>,

    /// Write one JSON object.
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
    vendor: &'static str,
    account: String,
    current: bool,
    identity: Option<String>,
    state: &'static str,
}

pub(crate) fn run(args: &AccountsArgs) -> Result<(), Failure> {
    let store = all()?;
    let vendors = match &args.vendor {
        Some(vendor) => std::slice::from_ref(vendor),
        None => Vendor::value_variants(),
    };
    let mut accounts = Vec::new();
    for vendor in vendors {
        match list(*vendor, &store) {
            Ok(found) => accounts.extend(found),
            // The other vendors' are not affected.
            Err(failure) => say(&failure.message()),
        }
    }
    accounts.sort_by(|a, b| (a.vendor, &a.account).cmp(&(b.vendor, &b.account)));
    if args.json {
        return streams::json(&Report {
            v: VERSION,
            accounts,
        });
    }
    if accounts.is_empty() {
        let others = args.vendor.is_some() && store.providers().is_ok_and(|all| !all.is_empty());
        say(&match args.vendor {
            Some(vendor) => format!(
                "no account at {} is signed in; `llm-auth login {}` starts{}",
                vendor.title(),
                vendor.name(),
                if others {
                    ", `llm-auth accounts` shows the others"
                } else {
                    ""
                }
            ),
            None => "nobody is signed in; `llm-auth login qwen`, `minimax` or `gemini` starts"
                .to_owned(),
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
    let (vendor, store) = (args.vendor, all()?);
    let known = vendor.accounts(&store).stored()?;
    if known.is_empty() {
        let error = Error::new(ErrorKind::NotSignedIn, "nobody is signed in");
        return Err(error
            .with_session(&vendor.accounts(&store).key(DEFAULT_ACCOUNT))
            .into());
    }
    let wanted = match &args.account {
        Some(name) => vendor.accounts(&store).by_name(name)?,
        None => the_other(vendor, &known, &store)
            .ok_or_else(|| Failure::AmbiguousSwitch(vendor.accounts(&store).ambiguous(&known)))?,
    };
    if !known.contains(&wanted) {
        return Err(Failure::AmbiguousSwitch(format!(
            "there is no account {} at {}: {}",
            printable(wanted.account()),
            vendor.title(),
            vendor.accounts(&store).ambiguous(&known)
        )));
    }
    Settings::set_current(vendor.name(), wanted.account())?;
    say(&format!(
        "{} is now the current account of {}.",
        printable(wanted.account()),
        vendor.title()
    ));
    if !args.json {
        return Ok(());
    }
    streams::json(&serde_json::json!({
        "v": VERSION,
        "event": "switched",
        "vendor": vendor.name(),
        "account": wanted.account(),
    }))
}

fn list(vendor: Vendor, store: &FileTokenStore) -> Result<Vec<Account>, Failure> {
    let current = vendor.accounts(store).current().ok();
    let accounts = vendor.accounts(store).stored()?.into_iter().map(|key| {
        let read = store.read(&key);
        let now = SystemClock.now();
        let (state, identity) = match read {
            Ok(Some(token)) => (state_of(&token, now), token.notes.identity),
            // It went away just now.
            Ok(None) => ("signed_out", None),
            Err(_) => ("unreadable", None),
        };
        Account {
            vendor: vendor.name(),
            current: current.as_ref() == Some(&key),
            account: printable(key.account()),
            identity: identity.as_deref().map(shown),
            state,
        }
    });
    Ok(accounts.collect())
}

/// Of two accounts the one that is not the current one, of one that one.
fn the_other(vendor: Vendor, known: &[SessionKey], store: &FileTokenStore) -> Option<SessionKey> {
    let current = vendor.accounts(store).current().ok();
    match known {
        [only] => Some(only.clone()),
        [first, second] if current.as_ref() == Some(first) => Some(second.clone()),
        [first, second] if current.as_ref() == Some(second) => Some(first.clone()),
        _ => None,
    }
}

fn all() -> Result<FileTokenStore, Failure> {
    directories::open(&SessionSelector::default())
}

impl Account {
    fn line(&self, width: usize) -> String {
        let mark = if self.current { "*" } else { " " };
        let identity = self.identity.as_deref().unwrap_or_default();
        let line = format!(
            "{mark} {:<8} {}  {:<10} {identity}",
            self.vendor,
            padded(&self.account, width),
            self.state
        );
        line.trim_end().to_owned()
    }
}
