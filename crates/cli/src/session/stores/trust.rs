//! Which stores on servers may have the sessions, independent of the environment.
//!
//! A variable may come from a project's `.env`, and so may settings that a variable brings. Such a
//! store would get the sessions of later sign-ins. It is used only if the user's own settings name it,
//! and then as they name it: the same server and database with another user, another address or other
//! parameters may be another person's.
//!
//! See decision 0067.

use super::server::Server;
use crate::error::Failure;
use crate::session::directories;
use crate::session::server_name::ServerName;
use crate::session::settings::Settings;
use crate::session::store_name::StoreName;

/// The store that the environment names, as the user's own settings have it; `said_by` is what names
/// it. A store on this computer is itself.
pub(super) fn own(named: StoreName, said_by: &str) -> Result<StoreName, Failure> {
    let StoreName::Server(server) = &named else {
        return Ok(named);
    };
    if let Some(trusted) = trusted(server)? {
        return Ok(StoreName::Server(trusted));
    }
    let place = Server::open(server, None)?.place();
    let settings = settings_of_user();
    Err(Failure::Config {
        message: format!(
            "{said_by} names {place}, which your own settings do not; nothing was sent"
        ),
        advice: format!(
            "if you know that server and trust it, name it with --store, or list its URL, or \
             `@FILE` with the full path of a file that has it, under \"trusted_stores\" in {settings}"
        ),
    })
}

/// The same server and database as the user's own settings have it, if they do.
pub(super) fn trusted(server: &ServerName) -> Result<Option<ServerName>, Failure> {
    let place = Server::open(server, None)?.place();
    let own = Settings::of_user().transpose()?;
    let trusted = own
        .as_ref()
        .map_or_else(|| Ok(Vec::new()), Settings::trusted_stores)?;
    let is_same_place =
        |known: &ServerName| Server::open(known, None).is_ok_and(|known| known.place() == place);
    let mut same: Vec<ServerName> = trusted
        .into_iter()
        .filter_map(|known| match known {
            // A project may be the current directory.
            StoreName::Server(known) if known.is_anywhere_the_same() => Some(known),
            _ => None,
        })
        .filter(is_same_place)
        .collect();
    // Of two users of one database, the one that is named.
    let url = server.url()?;
    let named = same
        .iter()
        .position(|known| known.url().is_ok_and(|known| known == url));
    Ok(match same.is_empty() {
        true => None,
        false => Some(same.swap_remove(named.unwrap_or(0))),
    })
}

/// The file of the user's own settings, in words.
pub(super) fn settings_of_user() -> String {
    let settings = directories::trusted_home().map(|home| home.join("settings.json"));
    settings.map_or_else(
        || "your settings".to_owned(),
        |file| file.display().to_string(),
    )
}
