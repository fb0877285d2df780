//! Which of several accounts at a vendor is meant.

use llm_auth_core::{
    Clock as _, DEFAULT_ACCOUNT, ErrorKind, FileTokenStore, OAuthToken, SessionKey, SystemClock,
    printable,
};

use crate::args::SessionArgs;
use crate::error::Failure;
use crate::providers::Vendor;
use crate::session::selector::PlaceArgs;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::system::env::{Variables, not_valid};
use crate::text::not_a_name;

/// Where a session remembers the program that it was taken over from.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

/// The session that the flags, the environment or else the settings mean.
pub(crate) fn meant(session: &SessionArgs, store: &FileTokenStore) -> Result<SessionKey, Failure> {
    let vendor = session.vendor;
    let PlaceArgs {
        account,
        store: file,
    } = &session.place;
    match (account, file) {
        // A file holds one session: that of the account which it names, if none is named here.
        (account, Some(_)) => {
            let named = match account {
                Some(name) => Some(name.clone()),
                None => of_environment(vendor)?,
            };
            let noted = || {
                let stored = store.read(&key(vendor, DEFAULT_ACCOUNT)).ok().flatten()?;
                stored.notes.account
            };
            let account = named.or_else(noted);
            Ok(key(vendor, account.as_deref().unwrap_or(DEFAULT_ACCOUNT)))
        }
        (Some(name), None) => named(vendor, name, store),
        (None, None) => current(vendor, store),
    }
}

/// The same for a sign-in: an account that happens to be the only one is meant only where its
/// session is over, for else the sign-in might be another's.
pub(crate) fn meant_for_login(
    session: &SessionArgs,
    store: &FileTokenStore,
) -> Result<SessionKey, Failure> {
    let vendor = session.vendor;
    let meant = match meant(session, store) {
        // None of them, then.
        Err(Failure::Which(_)) => key(vendor, DEFAULT_ACCOUNT),
        meant => meant?,
    };
    let PlaceArgs {
        account,
        store: file,
    } = &session.place;
    let is_chosen = account.is_some() || file.is_some() || is_chosen(vendor)?;
    if is_chosen || is_over(store, &meant) {
        return Ok(meant);
    }
    Ok(key(vendor, DEFAULT_ACCOUNT))
}

/// Whether somebody named the account itself, so that no other one will do. Who names a person
/// means that person.
pub(crate) fn is_named(
    session: &SessionArgs,
    before: Option<&OAuthToken>,
) -> Result<bool, Failure> {
    let PlaceArgs { account, store } = &session.place;
    let name = match account {
        Some(name) => Some(name.clone()),
        None => of_environment(session.vendor)?,
    };
    let owner = before.and_then(|session| session.notes.identity.as_deref());
    Ok(match (name, store) {
        (_, Some(_)) => true,
        (Some(name), None) => owner.is_none_or(|owner| !owner.eq_ignore_ascii_case(&name)),
        (None, None) => false,
    })
}

/// Whether the name of an account is an e-mail address, and so says whose it is to be.
pub(crate) fn is_address(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains(['@', ' ']);
    let is_host = |host: &str| is_part(host) && host.trim_matches('.').contains('.');
    matches!(name.split_once('@'), Some((person, host)) if is_part(person) && is_host(host))
}

/// The person that the account is named after is another one than this.
pub(crate) fn is_of_another(key: &SessionKey, identity: Option<&str>) -> bool {
    let name = key.account();
    is_address(name) && identity.is_some_and(|identity| !identity.eq_ignore_ascii_case(name))
}

/// Whether the environment or the settings say which account is meant.
fn is_chosen(vendor: Vendor) -> Result<bool, Failure> {
    if of_environment(vendor)?.is_some() {
        return Ok(true);
    }
    // Settings that cannot be read choose nothing.
    let settings = Settings::load().ok();
    Ok(settings.is_some_and(|settings| settings.current(vendor.name()).ok().flatten().is_some()))
}

fn is_over(store: &FileTokenStore, key: &SessionKey) -> bool {
    match store.read(key) {
        Ok(Some(session)) => {
            ["expired", "refused"].contains(&state_of(&session, SystemClock.now()))
        }
        Ok(None) => false,
        Err(error) => error.kind() == ErrorKind::Corrupt,
    }
}

fn of_environment(vendor: Vendor) -> Result<Option<String>, Failure> {
    let variables = Variables::of(vendor.name());
    let name = variables.text("ACCOUNT")?;
    match name.as_deref().and_then(not_a_name) {
        Some(why) => Err(not_valid(&variables.name("ACCOUNT"), &format!("it {why}"))),
        None => Ok(name),
    }
}

/// The current account of a vendor: the one that the environment names, or that `switch` or a
/// sign-in made it, else the default one, else the only one.
pub(crate) fn current(vendor: Vendor, store: &FileTokenStore) -> Result<SessionKey, Failure> {
    if let Some(name) = of_environment(vendor)? {
        return named(vendor, &name, store);
    }
    let settings = Settings::load();
    let chosen = settings.and_then(|settings| {
        let chosen = settings.current(vendor.name())?;
        Ok(chosen.map(str::to_owned))
    });
    if let Ok(Some(account)) = &chosen {
        return Ok(key(vendor, account));
    }
    let default = key(vendor, DEFAULT_ACCOUNT);
    // A folder that cannot be listed has no account that could be meant instead.
    let mut stored = of(vendor, store).unwrap_or_default();
    match (chosen, stored.len()) {
        (_, 0) => Ok(default),
        (_, 1) => Ok(stored.remove(0)),
        (Err(failure), _) => Err(failure),
        (Ok(_), _) if stored.contains(&default) => Ok(default),
        (Ok(_), _) => Err(Failure::Which(which(vendor, &stored))),
    }
}

/// Whether it is the account of that name, or of the person of that identity.
pub(crate) fn is_called(key: &SessionKey, store: &FileTokenStore, name: &str) -> bool {
    key.account().eq_ignore_ascii_case(name)
        || of_identity(std::slice::from_ref(key), name, store).is_some()
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
