//! The stores of all sessions: the one place that opens them.
//!
//! A store is named by `--store`, `LLM_AUTH_STORE` or the settings, in this order; without any of
//! them, sessions are plain files. There is no fallback: a store that cannot be opened is an error.

mod blocking;
mod choice;
mod key;
mod key_command;
mod key_source;
#[cfg(feature = "keyring")]
mod keyring;
mod server;
mod session_store;
mod trust;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use llm_auth::encrypted::Encryption;
use llm_auth_core::FileTokenStore;

use crate::error::Failure;
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::session::server_name::{Engine, ServerName};
use crate::session::settings::Settings;
use crate::session::store_name::{self, KeySource, StoreName};
use crate::system::env;
use crate::system::files;
use crate::ui::streams::say;

pub(crate) use self::choice::{check_choice, choose};
pub(crate) use self::key_source::key_source;
use self::server::Server;
pub(crate) use self::session_store::SessionStore;
pub(crate) use crate::system::env::STORE;

/// A passphrase is asked for, and stretched, once.
static OPENED: Mutex<Vec<(StoreName, SessionStore)>> = Mutex::new(Vec::new());

/// The store that was asked for: one file, or the store of all sessions.
pub(crate) fn open(selector: &SessionSelector) -> Result<SessionStore, Failure> {
    check_key_is_used(selector)?;
    match &selector.store {
        Some(file) if file.as_os_str().is_empty() => {
            Err(Failure::Usage("--store requires a file name".into()))
        }
        Some(file) => {
            check_file(file)?;
            Ok(SessionStore::Files(FileTokenStore::file(file)))
        }
        None => open_named(&current()?),
    }
}

/// Refuses a key for sessions that are not encrypted: the user takes them for encrypted.
fn check_key_is_used(selector: &SessionSelector) -> Result<(), Failure> {
    if store_name::key().is_none() {
        return Ok(());
    }
    let is_plain = match &selector.store {
        Some(_file) => true,
        None => matches!(current()?, StoreName::Files | StoreName::Keyring),
    };
    match is_plain {
        true => Err(Failure::Usage(
            "--key-file and --key-command name the key of encrypted sessions: add --store encrypted, or \
             the URL of a database"
                .into(),
        )),
        false => Ok(()),
    }
}

/// Refuses a URL that names no database: it is no path either.
fn check_file(file: &Path) -> Result<(), Failure> {
    match files::scheme_of(file) {
        Some(scheme) if !scheme.eq_ignore_ascii_case("file") => Err(Failure::Config {
            message: "--store cannot be used: it is neither a path nor the URL of a database that \
                      llm-auth can use"
                .into(),
            advice: "name a file on this computer, or a database with postgres://…, redis://… or \
                     rediss://…"
                .into(),
        }),
        _ => files::check_path("--store", file),
    }
}

/// The store of all sessions that this call is about.
pub(crate) fn current() -> Result<StoreName, Failure> {
    if let Some(named) = store_name::store() {
        return Ok(named);
    }
    if let Some(text) = env::text(STORE)? {
        let parsed = StoreName::of(&text).map_err(|why| env::not_valid(STORE, &why))?;
        return trust::own(parsed, STORE);
    }
    match Settings::load() {
        Ok(settings) => {
            let chosen = settings.store()?.unwrap_or(StoreName::Files);
            match settings.are_users_own() {
                true => Ok(chosen),
                false => trust::own(chosen, &settings.file().display().to_string()),
            }
        }
        // They cannot have chosen another store if there is none, and they name none.
        Err(_unreadable) if !has_protected()? && !Settings::mention_a_store() => {
            Ok(StoreName::Files)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether another store than plain files has ever been used.
fn has_protected() -> Result<bool, Failure> {
    for name in [StoreName::Keyring, StoreName::Encrypted(None)] {
        if name
            .directory()?
            .is_some_and(|directory| directory.exists())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What holds the sessions of a call, in a word.
pub(crate) fn kind(selector: &SessionSelector) -> &'static str {
    match (&selector.store, current()) {
        (None, Ok(StoreName::Keyring)) => "keyring",
        (None, Ok(StoreName::Encrypted(_))) => "encrypted",
        (None, Ok(StoreName::Server(name))) => name.engine().map_or("server", Engine::word),
        _ => "file",
    }
}

/// Opens a store of all sessions.
pub(crate) fn open_named(name: &StoreName) -> Result<SessionStore, Failure> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, store)) = opened.iter().find(|(known, _)| known == name) {
        return Ok(store.clone());
    }
    let store = match name {
        StoreName::Files => {
            SessionStore::Files(FileTokenStore::directory(directories::sessions()?))
        }
        StoreName::Keyring => SessionStore::Files(keyring()?),
        StoreName::Encrypted(_) => {
            let directory = name.directory()?.unwrap_or_default();
            SessionStore::Files(encrypted(directory, &key_source(name)?)?.store())
        }
        StoreName::Server(server_name) => {
            SessionStore::Server(server(server_name, &key_source(name)?)?)
        }
    };
    opened.push((name.clone(), store.clone()));
    Ok(store)
}

/// Checks before a sign-in that a session can be stored. The other stores find that out by themselves
/// as the sign-in begins.
pub(crate) fn check(selector: &SessionSelector) -> Result<(), Failure> {
    match selector.store.is_none() {
        true => check_named(&current()?),
        false => Ok(()),
    }
}

/// The same for a store by its name.
pub(crate) fn check_named(name: &StoreName) -> Result<(), Failure> {
    match name {
        StoreName::Keyring => check_keyring(),
        _ => Ok(()),
    }
}

/// The names of sessions, without their content: no key is asked for.
pub(crate) fn names() -> Result<Option<SessionStore>, Failure> {
    // No server is connected to for a completion.
    let directory = current()?.directory()?;
    Ok(directory.map(|directory| SessionStore::Files(FileTokenStore::directory(directory))))
}

/// What tells two stores apart, however they are named.
pub(crate) fn identity(name: &StoreName) -> Result<String, Failure> {
    Ok(match name {
        StoreName::Server(name) => Server::open(name, None)?.place(),
        other => {
            let directory = other.directory()?.unwrap_or_default();
            let directory = directory.canonicalize().unwrap_or(directory);
            directory.display().to_string()
        }
    })
}

/// The server that the call has been about, if it has.
pub(crate) fn engine() -> Option<Engine> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.iter().find_map(|(name, _)| match name {
        StoreName::Server(name) => name.engine().ok(),
        _ => None,
    })
}

fn server(name: &ServerName, source: &KeySource) -> Result<Server, Failure> {
    let key = key::read(source)?;
    Server::open(name, key.as_ref().map(|key| key.as_slice()))
}

#[cfg(feature = "keyring")]
fn keyring() -> Result<FileTokenStore, Failure> {
    Ok(keyring::system()?.store(directories::home()?.join("keyring")))
}

#[cfg(not(feature = "keyring"))]
fn keyring() -> Result<FileTokenStore, Failure> {
    Err(Failure::Config {
        message: "this llm-auth was built without keyrings".into(),
        advice: "use one with the feature `keyring`, or another store".into(),
    })
}

#[cfg(feature = "keyring")]
fn check_keyring() -> Result<(), Failure> {
    Ok(keyring::system()?.probe()?)
}

#[cfg(not(feature = "keyring"))]
fn check_keyring() -> Result<(), Failure> {
    keyring().map(drop)
}

fn encrypted(directory: PathBuf, source: &KeySource) -> Result<Encryption, Failure> {
    let unfit = |error| key::unfit(error, source);
    let encryption = match key::read(source)? {
        Some(key) => Encryption::with_key(directory, key).map_err(unfit)?,
        None => {
            let passphrase = key::ask(&directory)?;
            let encryption = Encryption::with_passphrase(directory, passphrase.clone());
            let encryption = encryption.map_err(unfit)?;
            if encryption.replaces_another_key() {
                key::ask_again(&passphrase)?;
            }
            encryption
        }
    };
    for file in encryption.kept_with_former_key() {
        let file = file.display();
        say(&format!(
            "{file} was kept aside under another key, and stays: to open it, keep that key too."
        ));
    }
    Ok(encryption)
}
