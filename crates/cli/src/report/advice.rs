//! Advice on files and settings that cannot be used, by the error of the system.

use std::error::Error as _;
use std::io;

use llm_auth::encrypted::WrongKey;
#[cfg(feature = "keyring")]
use llm_auth::keyring::KeyringError;
use llm_auth_core::store::ServerFault;
use llm_auth_core::{Error, ErrorKind};

use crate::error::server_fault;
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

/// Whether a keyring or a key is the reason.
pub(crate) fn is_about_protection(error: &Error) -> bool {
    protection_advice(error).is_some()
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

/// What to do about a store on a server, if the server is not at fault.
const KEY_OF_SERVER: &str = "see to the key (--key-file, --key-command; sessions that were stored without a key are read without \
     one) or the server as the message says, then try again";

/// What to do about a server, by what is wrong with it.
fn server_advice(fault: ServerFault, engine: Option<Engine>) -> &'static str {
    let is_redis = engine == Some(Engine::Redis);
    match fault {
        ServerFault::Unreachable => {
            "start the server, or correct its address in the URL; then try again"
        }
        ServerFault::NoResponse if is_redis => {
            "check the load of the server and the network, then try again; the URL of a port with TLS begins \
             with `rediss://`"
        }
        ServerFault::NoResponse => "check the load of the server and the network, then try again",
        ServerFault::Busy => "try again in a moment; if this persists, see to the server",
        ServerFault::Certificate => {
            "add the CA of the server to the certificates of this system, or name a PEM file with all CAs \
             that are trusted in SSL_CERT_FILE"
        }
        ServerFault::CertificateName => "name the server in the URL as its certificate does",
        ServerFault::Tls if is_redis => "check that the port in the URL is the one with TLS",
        ServerFault::Tls => {
            "turn TLS on at the server: sessions are sent to another computer with TLS only"
        }
        ServerFault::Credentials => {
            "correct the user and the password in the URL, with special characters percent-encoded (`@` as \
             `%40`)"
        }
        ServerFault::Permission => {
            "let an administrator of the database grant that to the user of the URL, then try again"
        }
        ServerFault::ReadOnly => "name the primary in the URL",
        ServerFault::NoDatabase => "create the database, or correct its name in the URL",
        ServerFault::Tables => {
            "restore the tables of the schema `llm_auth` from a backup; nothing was changed"
        }
        ServerFault::OlderTables => {
            "run the same command once as a user of the database who may create tables"
        }
        ServerFault::NewerFormat => {
            "install the newest llm-auth on this computer; nothing was changed"
        }
        ServerFault::NotDurable if is_redis => {
            "set `appendonly yes` and `appendfsync always` at the server, or accept the loss in the URL: of the \
             last second with `?accept=everysec`, of all sessions with `?accept=memory`"
        }
        ServerFault::NotDurable => {
            "change that at the server (`fsync = on`, tables that are logged), or use another one"
        }
        ServerFault::Evicts => {
            "set `maxmemory-policy noeviction` at the server, or use one for sessions alone; nothing in the URL \
             accepts this"
        }
        ServerFault::Full => "make room at the server, then try again",
        _ => "see to the server as the message says, or to its log, then try again",
    }
}

/// What to do about a store that cannot be used, by what the system said; `takes_file` if the
/// command has the flag --store.
pub(super) fn store_advice(error: &Error, takes_file: bool) -> &'static str {
    if let Some(advice) = protection_advice(error) {
        return advice;
    }
    if let Some(fault) = server_fault(error) {
        return server_advice(fault, stores::engine());
    }
    if stores::engine().is_some() && !takes_file {
        return KEY_OF_SERVER;
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
    use llm_auth_core::store::ServerError;

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
    fn each_fault_of_a_server_has_advice_in_the_words_of_the_command() {
        let advice = |fault| {
            let error = ServerError::new(fault, "x").into_error("y");
            // Of a call that can have a file, too.
            assert_eq!(store_advice(&error, true), store_advice(&error, false));
            store_advice(&error, false)
        };
        assert!(advice(ServerFault::Certificate).contains("SSL_CERT_FILE"));
        let name = advice(ServerFault::CertificateName);
        assert!(!name.contains("SSL_CERT_FILE"), "{name}");
        let evicts = server_advice(ServerFault::Evicts, Some(Engine::Redis));
        assert!(!evicts.contains("?accept="), "{evicts}");
        let durable = server_advice(ServerFault::NotDurable, Some(Engine::Redis));
        assert!(durable.contains("?accept=everysec"), "{durable}");
        let durable = server_advice(ServerFault::NotDurable, Some(Engine::Postgres));
        assert!(durable.contains("fsync") && !durable.contains("accept"));
        assert!(advice(ServerFault::Credentials).contains("%40"));
        assert!(advice(ServerFault::NewerFormat).contains("newest llm-auth"));
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
