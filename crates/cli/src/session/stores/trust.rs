//! Which stores on servers may have the sessions, independent of the environment.
//!
//! A variable may come from a project's `.env`, and so may settings that a variable brings. Such a
//! store would get the sessions of later sign-ins. It is used only if the user's own settings name it.

use super::server::Server;
use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::Settings;
use crate::session::store_name::StoreName;

/// Refuses a store on a server that only the environment names; `said_by` is what names it.
pub(super) fn check(name: &StoreName, said_by: &str) -> Result<(), Failure> {
    let StoreName::Server(server) = name else {
        return Ok(());
    };
    let place = Server::open(server, None)?.place();
    let own = Settings::of_user().transpose()?;
    let trusted = own
        .as_ref()
        .map_or_else(|| Ok(Vec::new()), Settings::trusted_stores)?;
    for known in trusted {
        if let StoreName::Server(known) = known
            && Server::open(&known, None).is_ok_and(|known| known.place() == place)
        {
            return Ok(());
        }
    }
    let settings = directories::trusted_home().map(|home| home.join("settings.json"));
    let settings = settings.map_or_else(
        || "your settings".to_owned(),
        |file| file.display().to_string(),
    );
    Err(Failure::Config {
        message: format!(
            "{said_by} names {place}, which your own settings do not; nothing was sent"
        ),
        advice: format!(
            "if you know that server and trust it, name it with --store, or list `{server}` under \
             \"trusted_stores\" in {settings}"
        ),
    })
}
