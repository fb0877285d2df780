//! Advice on files and settings that cannot be used, by the error of the system.

use std::error::Error as _;
use std::io;

use llm_auth::encrypted::WrongKey;
#[cfg(feature = "keyring")]
use llm_auth::keyring::KeyringError;
use llm_auth_core::{Error, ErrorKind};

use crate::session::selector::SessionSelector;
use crate::session::server_name::Engine;
use crate::session::stores;
use crate::system::env::Proxy;

/// What to do about a session that cannot be read. Only what is damaged gives way to a sign-in.
pub(crate) fn advice_for_unreadable(error: &Error, selector: &SessionSelector) -> &'static str {
    match error.kind() {
        ErrorKind::Corrupt if server_of(selector).is_some() => {
            "restore it from a backup, or sign in again, which keeps a copy of it in the database"
        }
        ErrorKind::Corrupt => "inspect the file, or sign in again, which keeps a copy of it",
        _ => store_advice(error, selector.store.is_some()),
    }
}

/// The server that has the sessions of a call, if one has; `--store FILE` is a file whatever else the
/// call has opened.
pub(super) fn server_of(selector: &SessionSelector) -> Option<Engine> {
    stores::engine().filter(|_| selector.store.is_none())
}

/// Where the settings of a sign-in come from.
#[derive(Clone, Copy)]
pub(super) enum Settings<'a> {
    /// Variables whose names begin so, and the provider itself.
    Variables(&'a str),
    /// What is remembered of a server of the user's own.
    Remembered,
    /// The flags of its first sign-in.
    Flags,
}

/// What to do about the credentials, the settings or the session of a call that is not right;
/// `login` is the command that signs in.
pub(super) fn config_advice(
    error: &Error,
    settings: Settings<'_>,
    selector: &SessionSelector,
    login: &str,
) -> String {
    if error.is_about_proxy() {
        return proxy_advice();
    }
    if error.is_about_foreign_session() {
        return match selector.store.is_some() {
            true => {
                "use another file with --store, or name the provider and account that the file \
                 belongs to"
            }
            false => "move that file back to its account, or out of the way",
        }
        .into();
    }
    match settings {
        Settings::Variables(begin) if error.is_about_other_server() => format!(
            "set LLM_AUTH_{begin}_BASE_URL as when you signed in, or sign in again with {login}"
        ),
        Settings::Variables(begin) => {
            format!("check the client, the scope and the endpoints (LLM_AUTH_{begin}_...)")
        }
        Settings::Remembered if error.is_about_other_server() => {
            format!("check the file of the server, or sign in again with {login}")
        }
        Settings::Remembered => format!(
            "check the client and the scope: {login} takes others with --client-id ID \
             (--client-secret-file, --client-auth) and --scope SCOPES, registers a new client with \
             --register, and remembers them"
        ),
        Settings::Flags => {
            "check the flags about the client, the scope, the resource, the redirect URI and the \
             endpoints, such as --client-id, --scope, --resource and --redirect-port"
                .into()
        }
    }
}

/// What to do about a proxy that refused, and so was found in the environment.
pub(crate) fn proxy_advice() -> String {
    let variable = Proxy::find().ok().flatten().map(|proxy| proxy.variable);
    format!(
        "correct the user name and password in {} (http://USER:PASSWORD@HOST:PORT), or unset it",
        variable.unwrap_or("the proxy variable")
    )
}

/// What the system, or this program in its place, said of it.
fn said_of_files(error: &Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(said) = next.downcast_ref::<io::Error>() {
            return Some(said);
        }
        cause = next.source();
    }
    None
}

/// What to do about a keyring, or a key.
fn protection_advice(error: &Error) -> Option<&'static str> {
    let mut cause = error.source();
    while let Some(next) = cause {
        if next.is::<WrongKey>() {
            return Some(match stores::engine() {
                Some(_server) => {
                    "use the --key-file or --key-command that the sessions were stored with"
                }
                None => {
                    "use the passphrase, --key-file or --key-command that the sessions were stored with"
                }
            });
        }
        #[cfg(feature = "keyring")]
        if let Some(why) = next.downcast_ref::<KeyringError>() {
            return Some(match why {
                KeyringError::Absent => {
                    "start a keyring in this session, or name another store with --store, such as \
                     `encrypted`"
                }
                KeyringError::Locked => "unlock the keyring, then try again",
                KeyringError::NoResponse => "look for a prompt of the keyring, then try again",
                _ => "check the keyring, then try again",
            });
        }
        cause = next.source();
    }
    None
}

/// What to do about a store on a server.
fn server_advice(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "see to the server, its URL (--store) or the key (--key-file, --key-command; sessions that \
             were stored without a key are read without one) as the message says, then try again"
        }
        Engine::Redis => {
            "see to the server, its URL (--store) or the key (--key-file, --key-command; sessions that \
             were stored without a key are read without one) as the message says, then try again; \
             `?accept=everysec` or `?accept=memory` in the URL accepts \
             a server that may lose sessions"
        }
    }
}

/// What to do about a store that cannot be used, by what the system said; `takes_file` if the
/// command has the flag --store.
pub(super) fn store_advice(error: &Error, takes_file: bool) -> &'static str {
    if let Some(advice) = protection_advice(error) {
        return advice;
    }
    if let Some(advice) = stores::engine().map(server_advice).filter(|_| !takes_file) {
        return advice;
    }
    let said = said_of_files(error);
    // The system did not refuse it: this program did, and its message says what to change.
    let is_our_own = said.is_some_and(|said| said.get_ref().is_some());
    match (said.map(io::Error::kind), takes_file) {
        (Some(io::ErrorKind::PermissionDenied), true) if is_our_own => {
            "correct this as the owner of the file or directory, or use another file with --store"
        }
        (Some(io::ErrorKind::PermissionDenied), false) if is_our_own => {
            "correct this as the owner of the file or directory, or set LLM_AUTH_HOME to another \
             directory"
        }
        (Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded), _) => {
            "free some space (or inodes) on the disk that holds the session, then try again"
        }
        (Some(io::ErrorKind::FileTooLarge), _) => {
            "raise the file size limit (`ulimit -f`), then try again"
        }
        (Some(io::ErrorKind::ReadOnlyFilesystem), true) => {
            "make the file system of this file writable, or use another file with --store"
        }
        (Some(io::ErrorKind::ReadOnlyFilesystem), false) => {
            "make the file system of this file writable, or set LLM_AUTH_HOME to another directory"
        }
        (Some(io::ErrorKind::PermissionDenied), true) => {
            "run this as the user that owns the file and its directory, or correct their owner and \
             permissions, or use another file with --store"
        }
        (Some(io::ErrorKind::PermissionDenied), false) => {
            "run this as the user that owns the file and its directory, or correct their owner and \
             permissions, or set LLM_AUTH_HOME to another directory"
        }
        (_, true) => "check the directory and its permissions, or use another file with --store",
        (_, false) => {
            "check the directory and its permissions, or set LLM_AUTH_HOME to another directory"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_what_to_free() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::new(ErrorKind::Store, "cannot write").with_source(full);
        assert!(store_advice(&error, true).starts_with("free some space"));
        let error = Error::new(ErrorKind::Store, "cannot write");
        assert!(store_advice(&error, true).starts_with("check the directory"));
    }

    #[test]
    fn a_file_of_another_user_is_not_signed_in_over() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let foreign = Error::new(ErrorKind::Store, "cannot read").with_source(denied);
        let advice = advice_for_unreadable(&foreign, &SessionSelector::default());
        assert!(advice.contains("owns the file") && !advice.contains("sign in"));
        assert!(!advice.contains("--store"));
        let damaged = Error::new(ErrorKind::Corrupt, "no JSON");
        assert!(
            advice_for_unreadable(&damaged, &SessionSelector::default()).contains("sign in again")
        );
    }
}
