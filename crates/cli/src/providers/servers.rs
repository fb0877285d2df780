//! The servers that a user has named, one file for each: what `login oidc` found out and
//! registered. They outlive a sign-out.
//!
//! A file may hold a client secret, so it is written as a session is: whole or not at all, for its
//! owner alone.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use llm_auth::oidc::Server;
use llm_auth_core::files;
use tokio::time::{Instant, sleep};

use super::table;
use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::{self, Held};
use crate::system::files::LARGEST;

/// Words of the command line that are no server.
const RESERVED: [&str; 2] = ["oidc", "mcp"];

/// How long another sign-in or sign-out may take to write what it has found out. It may wait for the
/// lock of its session, which takes at most a minute.
const LOCK_WAIT: Duration = Duration::from_secs(90);

/// How long another sign-in may take to register a client: two requests and their connections.
const REGISTRATION_WAIT: Duration = Duration::from_secs(60);

/// How often a lock is tried.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// The longest name: it is a part of file names.
const LONGEST: usize = 60;

/// Why a text is not fit for the name of a server; `None` if it is.
pub(crate) fn not_a_name(name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_known = |row: &&table::Row| row.name == name || row.alias == Some(name);
    if name.is_empty() || name.len() > LONGEST || !begins_well || !name.chars().all(is_plain) {
        let rule = "lower-case letters, digits and any of .-_";
        Some(format!("use at most {LONGEST} characters: {rule}"))
    } else if RESERVED.contains(&name) || table::ALL.into_iter().any(|row| is_known(&row)) {
        Some("it is taken by a provider".to_owned())
    } else if is_device(name) || name.ends_with('.') {
        Some("Windows does not allow it".to_owned())
    } else {
        None
    }
}

/// Whether Windows takes a plain name for a device, with any ending.
fn is_device(name: &str) -> bool {
    const PORTS: [&str; 2] = ["com", "lpt"];
    let stem = name.split('.').next().unwrap_or_default();
    let is_port = |port: &&str| {
        let number = stem.strip_prefix(*port);
        number.is_some_and(|number| number.len() == 1)
    };
    ["con", "prn", "aux", "nul"].contains(&stem) || PORTS.iter().any(is_port)
}

/// The names of the servers that are remembered, in order. They are read once: each argument that
/// names a provider has them.
pub(crate) fn names() -> Vec<String> {
    static READ: Mutex<Option<(PathBuf, Vec<String>)>> = Mutex::new(None);
    let Ok(directory) = directory() else {
        return Vec::new();
    };
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    // `--home` may have moved them.
    match &*read {
        Some((known, names)) if *known == directory => names.clone(),
        _ => {
            let names = names_in(&directory);
            *read = Some((directory, names.clone()));
            names
        }
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let file = entry.ok()?.file_name().into_string().ok()?;
            let name = file.strip_suffix(".json")?;
            not_a_name(name).is_none().then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// The server of that name, if one is remembered; why it cannot be used.
pub(crate) fn load(name: &str) -> Result<Option<Server>, String> {
    if not_a_name(name).is_some() {
        return Ok(None);
    }
    let file = file(name).map_err(|failure| failure.message())?;
    let unusable = |why: &str| {
        let file = file.display();
        format!(
            "the server in {file} cannot be used: {why}; correct the file, or remove it and sign in"
        )
    };
    let read = file.parent().map_or(Ok(()), files::check_directory);
    let read = read.and_then(|()| files::read_own(&file, LARGEST));
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) if is_nothing(&error) => return Ok(None),
        Err(error) => return Err(unusable(&error.to_string())),
    };
    // The words of serde would quote the file, which may hold a secret.
    let read = serde_json::from_slice::<Server>(&bytes);
    let server = read.map_err(|error| {
        unusable(&format!(
            "it is no server (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    if server.name != name {
        return Err(unusable("it names another server"));
    }
    Ok(Some(server))
}

/// Remembers a server, in place of the former one of its name.
pub(crate) fn save(server: &Server) -> Result<PathBuf, Failure> {
    let file = file(&server.name)?;
    let written = serde_json::to_vec_pretty(server).map_err(io::Error::from);
    let written = written.and_then(|content| {
        if content.len() as u64 > LARGEST {
            let why = "it describes itself in more than 1 MiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        file.parent().map_or(Ok(()), files::make_directories)?;
        files::replace(&file, &content)
    });
    match written {
        Ok(()) => Ok(file),
        Err(error) => Err(cannot("write", &file, &error)),
    }
}

/// Locks the name of a server against other sign-ins and sign-outs, for as long as it takes to write
/// some files.
pub(crate) async fn hold(name: &str) -> Result<Held, Failure> {
    lock(name, ".lock", LOCK_WAIT).await
}

/// Locks the registration of a client for a name, which takes some requests.
pub(crate) async fn hold_registration(name: &str) -> Result<Held, Failure> {
    lock(name, ".registration.lock", REGISTRATION_WAIT).await
}

async fn lock(name: &str, ending: &str, wait: Duration) -> Result<Held, Failure> {
    let mut lock = file(name)?.into_os_string();
    lock.push(ending);
    let lock = PathBuf::from(lock);
    let deadline = Instant::now() + wait;
    loop {
        let directories = lock.parent().map_or(Ok(()), files::make_directories);
        let held = directories.and_then(|()| settings::try_hold(files::open_or_create(&lock)?));
        match held {
            Ok(held) => return Ok(held),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(cannot("lock", &lock, &error));
            }
            Err(_held) if Instant::now() < deadline => sleep(LOCK_POLL).await,
            Err(_held) => {
                return Err(Failure::Config {
                    message: format!(
                        "another sign-in or sign-out of {name} has been running for {} s",
                        wait.as_secs()
                    ),
                    advice: "try again when it has ended".into(),
                });
            }
        }
    }
}

/// Checks that a server can be remembered.
pub(crate) fn check_writable(name: &str) -> Result<(), Failure> {
    let own = file(name)?;
    if own.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let error = io::Error::other("it is no regular file; put one in its place");
        return Err(cannot("write", &own, &error));
    }
    let probe = || {
        own.parent().map_or(Ok(()), files::make_directories)?;
        let new = files::Temporary::beside(&own)?;
        // As much as a server has.
        new.file().write_all(&[b' '; 4096])
    };
    probe().map_err(|error| cannot("remember", &own, &error))
}

/// Forgets a server; it is no error if there is none.
pub(crate) fn forget(name: &str) -> Result<(), Failure> {
    let link = file(name)?;
    // What a link leads to holds the client.
    let file = link.canonicalize().unwrap_or_else(|_| link.clone());
    if file != link {
        std::fs::remove_file(&link).map_err(|error| cannot("remove", &link, &error))?;
    }
    // It removes what a killed process left, which may hold a secret, and then itself.
    drop(files::Temporary::beside(&file));
    match std::fs::remove_file(&file) {
        Ok(()) => Ok(()),
        Err(error) if is_nothing(&error) => Ok(()),
        Err(error) => Err(cannot("remove", &file, &error)),
    }
}

/// Where a server is, and its API, for a message.
pub(crate) fn description(server: &Server) -> String {
    let at = server.issuer.clone();
    let at = at.unwrap_or_else(|| server.endpoints.token.host());
    match &server.endpoints.api_base {
        // Some MCP servers have a key in its query.
        Some(api) => {
            let api = api.as_str().split('?').next().unwrap_or_default();
            format!("the server at {at} for {api}")
        }
        None => format!("the server at {at}"),
    }
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!("cannot {what} the server {}: {error}", file.display()),
        advice: "check the directory and its permissions".into(),
    }
}

fn file(name: &str) -> Result<PathBuf, Failure> {
    Ok(directory()?.join(format!("{name}.json")))
}

fn directory() -> Result<PathBuf, Failure> {
    Ok(directories::home()?.join("servers"))
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_a_file_and_no_provider() {
        for name in ["company", "sso.example.com", "127.0.0.1-3000", "a_b"] {
            assert_eq!(not_a_name(name), None, "{name}");
        }
        let long = "a".repeat(LONGEST + 1);
        for name in [
            "", "A", "a/b", "..", ".a", "-a", "a b", "qwen", "hf", "oidc", "con", "com1.x", "a.",
            &long,
        ] {
            assert!(not_a_name(name).is_some(), "{name}");
        }
    }
}
