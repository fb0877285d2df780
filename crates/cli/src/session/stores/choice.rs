//! Which store the settings name from now on, and whether other commands will believe them.
//!
//! Settings to which a variable leads name no server, and run no command, because they may be a
//! project's; see decision 0067. Sessions that are moved there would be found by no other command.

use super::key_source;
use super::trust;
use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::Settings;
use crate::session::store_name::{KeySource, StoreName};
use crate::system::env;

/// Remembers a store of all sessions, and where its key is.
pub(crate) fn choose(name: &StoreName, key: &KeySource) -> Result<(), Failure> {
    if let StoreName::Encrypted(Some(_)) | StoreName::Server(_) = name {
        // What shows that another store was chosen, also once the settings are damaged.
        let directory = directories::home()?.join("encrypted");
        llm_auth_core::files::make_directories(&directory).map_err(|error| Failure::Config {
            message: format!("cannot create {}: {error}", directory.display()),
            advice: "check the directory and its permissions".into(),
        })?;
    }
    Settings::set_store(name, key)
}

/// Checks that other commands will find the sessions in a store that is chosen.
pub(crate) fn check_choice(name: &StoreName, key: &KeySource) -> Result<(), Failure> {
    let settings = Settings::load()?;
    let file = settings.file().display();
    let refused = |why: String, remedy: String, flags: &str| Failure::Config {
        message: format!("{why}; nothing was moved"),
        advice: format!(
            "{remedy}{}, or move them with --keep-settings, and give {flags} to each command",
            elsewhere()
        ),
    };
    if let StoreName::Server(server) = name
        && !settings.are_users_own()
    {
        let own = trust::settings_of_user();
        if trust::trusted(server)?.is_none() {
            let why = format!(
                "other commands would not find the sessions: {file} would name {name}, which your own \
                 settings do not"
            );
            let remedy = format!(
                "list its URL, or `@FILE` with the full path of a file that has it, under \
                 \"trusted_stores\" in {own}"
            );
            return Err(refused(why, remedy, "--store"));
        }
        match key_source::of_user_for_servers()? {
            Some(other) if other != *key => {
                let why = format!(
                    "other commands would not find the sessions: {own} names another key for databases"
                );
                let remedy = "leave out the key, or correct it there".to_owned();
                return Err(refused(why, remedy, "--store and the key"));
            }
            Some(_same) => return Ok(()),
            None => {}
        }
    }
    let needs_key = matches!(name, StoreName::Encrypted(_) | StoreName::Server(_));
    if needs_key && key.command.is_some() && !settings.may_name_a_command() {
        let why = format!(
            "other commands would not find the sessions: `key_command` is not run from {file}, \
             which is outside of your home directory"
        );
        let remedy = "use --key-file".to_owned();
        return Err(refused(why, remedy, "--store and --key-command"));
    }
    Ok(())
}

/// How the settings would be the user's own, as the end of a list.
fn elsewhere() -> String {
    match (directories::named_home(), env::value(directories::HOME)) {
        (Some(_), _) => ", leave out --home".into(),
        (None, Some(_)) => format!(", unset {}", directories::HOME),
        (None, None) => String::new(),
    }
}
