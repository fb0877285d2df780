//! Which of several accounts at a vendor is meant.

use llm_auth_core::{DEFAULT_ACCOUNT, FileTokenStore, SessionKey};

use crate::commands::{PlaceArgs, SessionArgs};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::vendor::Vendor;

/// Where a session remembers the program that it was taken over from.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

/// The session that the flags, or else the settings, mean.
pub(crate) fn meant(session: &SessionArgs, store: &FileTokenStore) -> Result<SessionKey, Failure> {
    let vendor = session.vendor;
    let PlaceArgs {
        account,
        store: file,
    } = &session.place;
    match (account, file) {
        // A file holds one session, whatever it is called.
        (account, Some(_)) => Ok(key(vendor, account.as_deref().unwrap_or(DEFAULT_ACCOUNT))),
        (Some(name), None) => named(vendor, name, store),
        (None, None) => current(vendor),
    }
}

/// The current account of a vendor.
pub(crate) fn current(vendor: Vendor) -> Result<SessionKey, Failure> {
    let settings = Settings::load()?;
    let account = settings.current(vendor.name());
    Ok(key(vendor, account.unwrap_or(DEFAULT_ACCOUNT)))
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
    Ok(of_identity(vendor, name, store)?.unwrap_or(by_name))
}

/// The one account that belongs to this person.
pub(crate) fn of_identity(
    vendor: Vendor,
    identity: &str,
    store: &FileTokenStore,
) -> Result<Option<SessionKey>, Failure> {
    let mut found = of(vendor, store)?;
    // One that cannot be read is nobody's, and no reason to stop.
    found.retain(|key| {
        let stored = store.read(key).ok().flatten();
        let owner = stored.and_then(|token| token.notes.identity);
        owner.is_some_and(|owner| owner.eq_ignore_ascii_case(identity))
    });
    Ok(found.pop().filter(|_| found.is_empty()))
}

/// All accounts that are stored.
pub(crate) fn of(vendor: Vendor, store: &FileTokenStore) -> Result<Vec<SessionKey>, Failure> {
    let mut keys = store.sessions()?;
    keys.retain(|key| key.provider() == vendor.name());
    Ok(keys)
}

fn key(vendor: Vendor, account: &str) -> SessionKey {
    SessionKey::new(vendor.name(), account)
}
