//! Where the sessions are kept: can it be written, can they be read, who holds a lock.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm_auth_core::{
    Clock as _, ErrorKind, FileTokenStore, SessionKey, SystemClock, TokenStore as _,
};

use super::{Check, Status};
use crate::commands::PlaceArgs;
use crate::commands::status::state_of;
use crate::exit::{Failure, chain};
use crate::store;
use crate::vendor::Vendor;

pub(super) async fn checks(place: &PlaceArgs, vendor: Option<Vendor>) -> Vec<Check> {
    match looked_at(place, vendor).await {
        Ok(checks) => checks,
        Err(failure) => vec![Check::failed("store", &failure)],
    }
}

async fn looked_at(place: &PlaceArgs, vendor: Option<Vendor>) -> Result<Vec<Check>, Failure> {
    let store = store::open(place)?;
    let folder = match &place.store {
        Some(file) => folder_of(file),
        None => store::folder()?,
    };
    let mut checks = vec![writable(&folder)];
    let keys = match &place.store {
        Some(_) => vec![SessionKey::new(vendor.map_or("", Vendor::name), "")],
        None => store.sessions()?,
    };
    let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
    for key in &keys {
        match store.read(key) {
            Ok(None) => continue,
            Ok(Some(token)) => {
                let state = state_of(&token, SystemClock.now());
                *states.entry(state).or_default() += 1;
            }
            Err(error) => {
                checks.push(Check::new("session", Status::Fail, chain(&error)).advice(
                    "look at the file, or sign in again, which keeps it aside; other sessions \
                         are not affected",
                ));
                continue;
            }
        }
        checks.extend(held(&store, key).await);
    }
    checks.push(summary(&states));
    Ok(checks)
}

fn folder_of(file: &Path) -> PathBuf {
    // A link is followed, as the store does.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Proved by a file that comes and goes; no session is touched.
fn writable(folder: &Path) -> Check {
    let shown = folder.display().to_string();
    let mut above = folder
        .ancestors()
        .map(|place| match place.as_os_str().is_empty() {
            true => Path::new("."),
            false => place,
        });
    let existing = above.find(|place| place.symlink_metadata().is_ok());
    let existing = existing.unwrap_or_else(|| Path::new("."));
    if !existing.is_dir() {
        let message = format!("{} is no folder", existing.display());
        return Check::new("store", Status::Fail, message)
            .advice("move it away, or move the sessions with LLM_AUTH_HOME")
            .fact("folder", shown);
    }
    let is_there = existing == folder;
    let check = match proved(existing) {
        Err(source) => Check::new(
            "store",
            Status::Fail,
            format!("{} cannot be written: {source}", existing.display()),
        )
        .advice(advice(&source)),
        Ok(()) if is_there => match wide_rights(folder) {
            Some(mode) => Check::new(
                "store",
                Status::Warn,
                format!("{shown} can be written, but others may enter it (mode {mode:o})"),
            )
            .advice(format!("chmod 700 '{shown}'")),
            None => Check::new("store", Status::Ok, format!("{shown} can be written")),
        },
        Ok(()) => Check::new(
            "store",
            Status::Ok,
            format!("{shown} is not there yet; the first sign-in makes it"),
        ),
    };
    check.fact("folder", shown)
}

fn proved(folder: &Path) -> io::Result<()> {
    let file = tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(folder)?;
    std::fs::write(file.path(), [0; 4096])?;
    file.as_file().sync_all()?;
    file.close()
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space (or files) on the disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "make the file system writable, or move the sessions with LLM_AUTH_HOME"
        }
        _ => "check the rights of the folder, or move the sessions with LLM_AUTH_HOME",
    }
}

#[cfg(unix)]
fn wide_rights(folder: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = folder.metadata().ok()?.permissions().mode() & 0o777;
    // A single file may stand in a folder of others: its own rights count there.
    let ours = folder.ends_with("sessions");
    (ours && mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn wide_rights(_folder: &Path) -> Option<u32> {
    None
}

/// Whether somebody holds the lock of a session right now.
async fn held(store: &FileTokenStore, key: &SessionKey) -> Option<Check> {
    let mut lock = store.path(key).into_os_string();
    lock.push(".lock");
    // Asking for a lock that nobody ever took would make its file.
    if !Path::new(&lock).exists() {
        return None;
    }
    match store.clone().lock_wait(Duration::ZERO).lock(key).await {
        Ok(free) => {
            drop(free);
            None
        }
        Err(error) if error.kind() == ErrorKind::StoreBusy => Some(
            Check::new("lock", Status::Warn, format!("{key}: {error}"))
                .advice("if that program hangs, end it; the lock goes with it"),
        ),
        Err(error) => Some(Check::new(
            "lock",
            Status::Fail,
            format!("{key}: {}", chain(&error)),
        )),
    }
}

fn summary(states: &BTreeMap<&'static str, usize>) -> Check {
    let words: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let message = if words.is_empty() {
        "nobody is signed in".to_owned()
    } else {
        words.join(", ")
    };
    let mut check = Check::new("sessions", Status::Ok, message);
    for (state, count) in states {
        check = check.fact(state, *count);
    }
    check
}
