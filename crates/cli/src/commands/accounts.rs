//! `llm-auth accounts` and `llm-auth switch`.

use clap::{Args, ValueEnum as _};
use llm_auth_core::{Clock as _, FileTokenStore, SessionKey, SystemClock, printable};
use serde::Serialize;

use super::PlaceArgs;
use super::status::state_of;
use crate::accounts;
use crate::exit::Failure;
use crate::output::{self, VERSION, say};
use crate::settings::Settings;
use crate::store;
use crate::vendor::Vendor;

#[derive(Args, Debug)]
pub(crate) struct AccountsArgs {
    /// Only accounts at this vendor.
    #[arg(value_enum)]
    vendor: Option<Vendor>,

    /// Write one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SwitchArgs {
    /// The vendor.
    #[arg(value_enum)]
    vendor: Vendor,

    /// The account, or the identity of its owner; of two accounts, the other one may be left out.
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
        accounts.extend(list(*vendor, &store)?);
    }
    if args.json {
        return output::json(&Report {
            v: VERSION,
            accounts,
        });
    }
    if accounts.is_empty() {
        say("nobody is signed in; `llm-auth login qwen`, `minimax` or `gemini` starts");
    }
    for account in &accounts {
        output::answer(&account.line())?;
    }
    Ok(())
}

pub(crate) fn switch(args: &SwitchArgs) -> Result<(), Failure> {
    let (vendor, store) = (args.vendor, all()?);
    let known = accounts::of(vendor, &store)?;
    let current = accounts::current(vendor)?;
    let wanted = match &args.account {
        Some(name) => accounts::named(vendor, name, &store)?,
        None => {
            let mut others = known.iter().filter(|key| **key != current);
            match (others.next(), others.next()) {
                (Some(other), None) if known.contains(&current) => other.clone(),
                _ => return Err(Failure::Usage(which(vendor, &known))),
            }
        }
    };
    if !known.contains(&wanted) {
        return Err(Failure::Usage(which(vendor, &known)));
    }
    Settings::set_current(vendor.name(), Some(wanted.account()))?;
    say(&format!(
        "{} is now the current account of {}.",
        printable(wanted.account()),
        vendor.title()
    ));
    if !args.json {
        return Ok(());
    }
    output::json(&serde_json::json!({
        "v": VERSION,
        "event": "switched",
        "vendor": vendor.name(),
        "account": wanted.account(),
    }))
}

fn list(vendor: Vendor, store: &FileTokenStore) -> Result<Vec<Account>, Failure> {
    let current = accounts::current(vendor)?;
    let accounts = accounts::of(vendor, store)?.into_iter().map(|key| {
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
            current: key == current,
            account: printable(key.account()),
            identity: identity.as_deref().map(printable),
            state,
        }
    });
    Ok(accounts.collect())
}

fn which(vendor: Vendor, known: &[SessionKey]) -> String {
    if known.is_empty() {
        return format!("nobody is signed in to {}", vendor.title());
    }
    let names: Vec<String> = known.iter().map(|key| printable(key.account())).collect();
    format!(
        "name one of the accounts at {}: {}",
        vendor.title(),
        names.join(", ")
    )
}

fn all() -> Result<FileTokenStore, Failure> {
    store::open(&PlaceArgs::default())
}

impl Account {
    fn line(&self) -> String {
        let mark = if self.current { "*" } else { " " };
        let identity = self.identity.as_deref().unwrap_or_default();
        let line = format!(
            "{mark} {:<8} {:<20} {:<10} {identity}",
            self.vendor, self.account, self.state
        );
        line.trim_end().to_owned()
    }
}
