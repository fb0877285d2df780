//! Which of several accounts at a vendor is meant.

use llm_auth_core::{DEFAULT_ACCOUNT, FileTokenStore, SessionKey, printable};

use crate::commands::{PlaceArgs, SessionArgs};
use crate::environment::Variables;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::vendor::Vendor;

/// Where a session remembers the program that it was taken over from.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

/// The session that the flags, the environment or else the settings mean.
pub(crate) fn meant(session: &SessionArgs, store: &FileTokenStore) -> Result<SessionKey, Failure> {
    match named_by(session, store)? {
        Some(key) => Ok(key),
        None => current(session.vendor, store),
    }
}

/// The same for a sign-in: where nothing names an account, it is none that happens to be alone.
pub(crate) fn meant_for_login(
    session: &SessionArgs,
    store: &FileTokenStore,
) -> Result<SessionKey, Failure> {
    if let Some(key) = named_by(session, store)? {
        return Ok(key);
    }
    let vendor = session.vendor;
    let settings = Settings::load()?;
    let account = settings.current(vendor.name())?;
    Ok(key(vendor, account.unwrap_or(DEFAULT_ACCOUNT)))
}

/// Whether the account was named, so that no other one can be meant.
pub(crate) fn is_named(session: &SessionArgs) -> Result<bool, Failure> {
    let PlaceArgs { account, store } = &session.place;
    Ok(account.is_some() || store.is_some() || of_environment(session.vendor)?.is_some())
}

fn named_by(session: &SessionArgs, store: &FileTokenStore) -> Result<Option<SessionKey>, Failure> {
    let vendor = session.vendor;
    let PlaceArgs {
        account,
        store: file,
    } = &session.place;
    match (account, file) {
        // A file holds one session, whatever it is called.
        (account, Some(_)) => {
            let account = account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
            Ok(Some(key(vendor, account)))
        }
        (Some(name), None) => named(vendor, name, store).map(Some),
        (None, None) => match of_environment(vendor)? {
            Some(name) => named(vendor, &name, store).map(Some),
            None => Ok(None),
        },
    }
}

fn of_environment(vendor: Vendor) -> Result<Option<String>, Failure> {
    Variables::of(vendor.name()).text("ACCOUNT")
}

/// The current account of a vendor: the one that `switch` or a sign-in made it, else the default
/// one, else the only one.
pub(crate) fn current(vendor: Vendor, store: &FileTokenStore) -> Result<SessionKey, Failure> {
    let unreadable = match Settings::load() {
        Ok(settings) => match settings.current(vendor.name()) {
            Ok(Some(account)) => return Ok(key(vendor, account)),
            Ok(None) => None,
            Err(failure) => Some(failure),
        },
        Err(failure) => Some(failure),
    };
    let default = key(vendor, DEFAULT_ACCOUNT);
    // A folder that cannot be listed has no account that could be meant instead.
    let mut stored = of(vendor, store).unwrap_or_default();
    match (unreadable, stored.len()) {
        (_, 0) => Ok(default),
        (_, 1) => Ok(stored.remove(0)),
        (Some(failure), _) => Err(failure),
        (None, _) if stored.contains(&default) => Ok(default),
        (None, _) => Err(Failure::Which(which(vendor, &stored))),
    }
}

/// The account of that name, or else the one whose verified identity it is.
pub(crate) fn named(
    vendor: Vendor,
    name: &str,
    store: &FileTokenStore,
) -> Result<SessionKey, Failure> {
    let by_name = key(vendor, name);
    if store.path(&by_name).exists() {
        return Ok(by_name);
    }
    let stored = of(vendor, store)?;
    let alike = stored
        .iter()
        .find(|key| key.account().eq_ignore_ascii_case(name));
    Ok(alike
        .cloned()
        .or_else(|| of_identity(&stored, name, store))
        .unwrap_or(by_name))
}

/// The one of these accounts that belongs to this person.
pub(crate) fn of_identity(
    stored: &[SessionKey],
    identity: &str,
    store: &FileTokenStore,
) -> Option<SessionKey> {
    let mut found = stored.iter().filter(|key| {
        // One that cannot be read is nobody's, and no reason to stop.
        let session = store.read(key).ok().flatten();
        let owner = session.and_then(|token| token.notes.identity);
        owner.is_some_and(|owner| owner.eq_ignore_ascii_case(identity))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// All accounts of a vendor that are stored.
pub(crate) fn of(vendor: Vendor, store: &FileTokenStore) -> Result<Vec<SessionKey>, Failure> {
    Ok(store.sessions_of(vendor.name())?)
}

pub(crate) fn key(vendor: Vendor, account: &str) -> SessionKey {
    SessionKey::new(vendor.name(), account)
}

/// What is asked of a person who has to name one.
pub(crate) fn which(vendor: Vendor, stored: &[SessionKey]) -> String {
    let names: Vec<String> = stored.iter().map(|key| printable(key.account())).collect();
    format!(
        "name one of the accounts at {}: {}",
        vendor.title(),
        names.join(", ")
    )
}
