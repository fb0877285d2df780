//! The store: whether it can be written, whether sessions can be read, and which process holds a
//! lock.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use llm_auth_core::store::LockHolder;
use llm_auth_core::{Clock as _, SessionKey, SystemClock};

use super::check::{Check, Status};
use crate::error::{Failure, chain};
use crate::providers::ProviderName;
use crate::report::advice_for_unreadable;
use crate::session::resolve::is_called;
use crate::session::selector::SessionSelector;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::session::stores::{self, SessionStore};
use crate::shell_quote::quoted;

pub(super) fn checks(selector: &SessionSelector, provider: Option<ProviderName>) -> Vec<Check> {
    match looked_at(selector, provider) {
        Ok(checks) => checks,
        Err(failure) => vec![Check::failed("store", &failure)],
    }
}

fn looked_at(
    selector: &SessionSelector,
    provider: Option<ProviderName>,
) -> Result<Vec<Check>, Failure> {
    let store = stores::open(selector)?;
    let directory = match &selector.store {
        Some(file) => directory_of(file),
        // One on a server has none.
        None => stores::current()?.directory()?.unwrap_or_default(),
    };
    let mut checks = vec![match &store {
        SessionStore::Files(_) => writable(&directory, selector),
        SessionStore::Server(server) => match server.description() {
            Ok(words) => Check::new("store", Status::Ok, words),
            Err(error) => Check::new("store", Status::Fail, chain(&error))
                .advice(advice_for_unreadable(&error, selector)),
        },
    }];
    if let Err(failure) = stores::check(selector) {
        checks.push(Check::failed("store", &failure));
    }
    let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
    for provider in providers(&store, selector, provider)? {
        let keys = match &selector.store {
            Some(_) => {
                let account = selector.account.as_deref().unwrap_or_default();
                Ok(vec![SessionKey::new(&provider, account)])
            }
            None => store.sessions_of(&provider),
        };
        match keys {
            Ok(keys) => {
                let is_meant = |key: &&SessionKey| {
                    let wanted = selector.account.as_deref();
                    wanted.is_none_or(|name| is_called(key, &store, name))
                };
                for key in keys.iter().filter(is_meant) {
                    checks.extend(session(&store, selector, key, &mut states));
                }
            }
            Err(error) => checks.push(
                Check::new("session", Status::Fail, chain(&error))
                    .at(&provider)
                    .advice(
                        "check its permissions; the sessions of other providers are not affected",
                    ),
            ),
        }
    }
    checks.push(summary(&states));
    if selector.store.is_none() {
        checks.extend(settings(provider));
    }
    Ok(checks)
}

fn providers(
    store: &SessionStore,
    selector: &SessionSelector,
    provider: Option<ProviderName>,
) -> Result<Vec<String>, Failure> {
    Ok(match provider {
        Some(provider) => vec![provider.name().to_owned()],
        None if selector.store.is_some() => vec![String::new()],
        None => store.providers()?,
    })
}

/// The findings about one session; it is counted under its state.
fn session(
    store: &SessionStore,
    selector: &SessionSelector,
    key: &SessionKey,
    states: &mut BTreeMap<&'static str, usize>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    match store.read(key) {
        Ok(None) => return checks,
        Ok(Some(token)) => {
            let state = state_of(&token, SystemClock.now());
            *states.entry(state).or_default() += 1;
            if token.is_rejected() || state == "expired" {
                let why = if token.is_rejected() {
                    "the provider rejected its refresh token"
                } else {
                    "it has expired and cannot be refreshed"
                };
                checks.push(
                    Check::new("session", Status::Warn, format!("{key}: {why}"))
                        .at(key.provider())
                        .advice(format!(
                            "sign in again; run `{}` for the command",
                            status(selector)
                        )),
                );
            }
        }
        Err(error) => {
            *states.entry("unreadable").or_default() += 1;
            checks.push(
                Check::new("session", Status::Fail, chain(&error))
                    .at(key.provider())
                    .advice(format!(
                        "{}; other sessions are not affected",
                        advice_for_unreadable(&error, selector)
                    )),
            );
        }
    }
    checks.extend(held(store, key));
    checks
}

/// The command that shows these sessions, fit for a shell.
fn status(selector: &SessionSelector) -> String {
    match &selector.store {
        Some(file) => format!(
            "llm-auth status --store {}",
            quoted(&file.display().to_string())
        ),
        None => "llm-auth status".to_owned(),
    }
}

/// Whether the settings can be read, for the providers that are looked at.
fn settings(provider: Option<ProviderName>) -> Option<Check> {
    let wanted = provider.as_ref().map(std::slice::from_ref);
    let read = Settings::load().and_then(|settings| {
        for provider in wanted.unwrap_or_else(|| ProviderName::all()) {
            settings.current(provider.name())?;
        }
        Ok(())
    });
    read.err()
        .map(|failure| Check::failed("settings", &failure))
}

fn directory_of(file: &Path) -> PathBuf {
    // A link is followed, as the store does.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        // A relative name stands where the command was started.
        _ => std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
    }
}

/// Proved by a file that comes and goes; no session is touched.
fn writable(directory: &Path, selector: &SessionSelector) -> Check {
    let elsewhere = match selector.store {
        Some(_) => "use another file with --store",
        None => "move the sessions with LLM_AUTH_HOME",
    };
    let shown = directory.display().to_string();
    let mut above = directory
        .ancestors()
        .map(|above| match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        });
    let existing = above.find(|above| above.symlink_metadata().is_ok());
    let existing = existing.unwrap_or_else(|| Path::new("."));
    if !existing.is_dir() {
        let message = format!("{} is not a directory", existing.display());
        return Check::new("store", Status::Fail, message)
            .advice(format!("move it out of the way, or {elsewhere}"))
            .fact("folder", shown);
    }
    let is_there = existing == directory;
    let check = match proved(existing) {
        Err(source) => Check::new(
            "store",
            Status::Fail,
            format!("{} is not writable: {source}", existing.display()),
        )
        .advice(advice(&source, elsewhere)),
        Ok(()) if is_there => match wide_rights(directory, selector) {
            Some(mode) => Check::new(
                "store",
                Status::Warn,
                format!("{shown} is writable, but other users can access it (mode {mode:o})"),
            )
            .advice(format!("chmod 700 {}", quoted(&shown))),
            None => Check::new("store", Status::Ok, format!("{shown} is writable")),
        },
        Ok(()) => Check::new(
            "store",
            Status::Ok,
            format!("{shown} does not exist yet; the first sign-in creates it"),
        ),
    };
    check.fact("folder", shown)
}

fn proved(directory: &Path) -> io::Result<()> {
    let file = tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(directory)?;
    std::fs::write(file.path(), [0; 4096])?;
    file.as_file().sync_all()?;
    file.close()
}

fn advice(source: &io::Error, elsewhere: &str) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space (or inodes) on the disk".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("make the file system writable, or {elsewhere}")
        }
        _ => format!("check the owner and permissions of the directory, or {elsewhere}"),
    }
}

#[cfg(unix)]
fn wide_rights(directory: &Path, selector: &SessionSelector) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = directory.metadata().ok()?.permissions().mode() & 0o777;
    // A single file may stand in a directory of another user: its own rights count there.
    let ours = selector.store.is_none();
    (ours && mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn wide_rights(_directory: &Path, _selector: &SessionSelector) -> Option<u32> {
    None
}

/// Whether a process holds the lock of a session right now; the lock is not touched.
fn held(store: &SessionStore, key: &SessionKey) -> Option<Check> {
    let holder = match store.lock_holder(key) {
        Ok(LockHolder::Free) => return None,
        Ok(LockHolder::Process(id)) => format!("process {id} (as recorded by itself)"),
        Ok(_) => "another process".to_owned(),
        Err(error) => {
            let message = format!("{key}: {}", chain(&error));
            return Some(Check::new("lock", Status::Fail, message).at(key.provider()));
        }
    };
    let message = format!("{key}: {holder} is holding the lock");
    Some(
        Check::new("lock", Status::Note, message)
            .at(key.provider())
            .advice("a refresh holds it for seconds; if this persists, inspect that process"),
    )
}

fn summary(states: &BTreeMap<&'static str, usize>) -> Check {
    let words: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let message = if words.is_empty() {
        "not signed in".to_owned()
    } else {
        words.join(", ")
    };
    let mut check = Check::new("sessions", Status::Ok, message);
    for (state, count) in states {
        check = check.fact(state, *count);
    }
    check
}
