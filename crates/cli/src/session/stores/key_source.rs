//! Where the key of a store is.

use crate::error::Failure;
use crate::session::settings::Settings;
use crate::session::store_name::{self, KeySource, StoreName};

/// Where the key of a store is: as the call says, otherwise as the settings say.
///
/// Settings that cannot be read are an error: without their key, sessions would leave this computer in
/// clear text.
pub(crate) fn key_source(name: &StoreName) -> Result<KeySource, Failure> {
    match (name, store_name::key()) {
        (StoreName::Files | StoreName::Keyring, _) => Ok(KeySource::default()),
        (_, Some(named)) => Ok(named),
        (StoreName::Encrypted(_), None) => Settings::load()?.key(),
        (StoreName::Server(_), None) => of_server(),
    }
}

/// The key for a server. Settings that a variable brings, and so perhaps a project, do not take the
/// place of the user's own key.
fn of_server() -> Result<KeySource, Failure> {
    let settings = Settings::load()?;
    if !settings.are_users_own()
        && let Some(key) = of_user_for_servers()?
    {
        return Ok(key);
    }
    for_servers(&settings)
}

/// The key for servers of the user's own settings, if they name one.
pub(super) fn of_user_for_servers() -> Result<Option<KeySource>, Failure> {
    let own = Settings::of_user().transpose()?;
    let key = own.as_ref().map(for_servers).transpose()?;
    Ok(key.filter(KeySource::is_some))
}

/// The key of these settings, unless it is that of encrypted files.
fn for_servers(settings: &Settings) -> Result<KeySource, Failure> {
    match settings.store()? {
        Some(StoreName::Encrypted(_)) => Ok(KeySource::default()),
        _ => settings.key(),
    }
}
