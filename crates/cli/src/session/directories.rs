//! The directories of the sessions and of the settings.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use etcetera::BaseStrategy as _;

use crate::error::Failure;
use crate::system::env;
use crate::system::files;

/// The variable that moves everything that is kept.
pub(crate) const HOME: &str = "LLM_AUTH_HOME";

/// Where a call says that the trusted settings are; the tests of this command do.
static TRUSTED_HOME: OnceLock<PathBuf> = OnceLock::new();

/// The directory that the call names.
static NAMED_HOME: OnceLock<PathBuf> = OnceLock::new();

/// Keeps everything in this directory, which the call itself names.
pub(crate) fn name_home(directory: PathBuf) {
    // The one call is read once.
    let _named_before = NAMED_HOME.set(directory);
}

/// The directory that the call has named, if it has.
pub(crate) fn named_home() -> Option<&'static Path> {
    NAMED_HOME.get().map(PathBuf::as_path)
}

/// The directory of all sessions.
pub(crate) fn sessions() -> Result<PathBuf, Failure> {
    Ok(home()?.join("sessions"))
}

/// What lies beside a token file because it could not be read as a session; the latest.
pub(crate) fn kept_aside(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let prefix = format!("{}.corrupt-", file.file_name()?.to_str()?);
    let beside = std::fs::read_dir(file.parent()?).ok()?;
    beside
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix))
        })
        .max()
}

/// The directory of everything that this command keeps.
pub(crate) fn home() -> Result<PathBuf, Failure> {
    if let Some(named) = NAMED_HOME.get() {
        files::check_path("--home", named)?;
        return Ok(named.clone());
    }
    match env::own_path(HOME)? {
        Some(home) => Ok(home),
        None => home_of_user(),
    }
}

/// The same where no variable of ours moves it.
fn home_of_user() -> Result<PathBuf, Failure> {
    match etcetera::base_strategy::choose_native_strategy() {
        Ok(strategy) => Ok(strategy.data_dir().join("llm-auth")),
        Err(_no_home) => Err(Failure::Config {
            message: "cannot find a home directory for the sessions".into(),
            advice: format!("set {HOME} to a directory, or use a file with --store"),
        }),
    }
}

/// The directory whose settings are the user's own word: below the home directory that the system
/// records for the effective user, whatever `HOME`, `XDG_DATA_HOME` and `LLM_AUTH_HOME` are, for
/// those may come from a project. `None` if the system records none.
pub(crate) fn trusted_home() -> Option<PathBuf> {
    match TRUSTED_HOME.get() {
        Some(named) => Some(named.clone()),
        None => recorded_home(),
    }
}

/// Takes the trusted settings from this directory, which the call itself names.
pub(crate) fn name_trusted_home(directory: PathBuf) {
    // The one call is parsed once.
    let _named_before = TRUSTED_HOME.set(directory);
}

#[cfg(unix)]
fn recorded_home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
    let data = if cfg!(target_vendor = "apple") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    user.dir
        .is_absolute()
        .then(|| user.dir.join(data).join("llm-auth"))
}

#[cfg(not(unix))]
fn recorded_home() -> Option<PathBuf> {
    home_of_user().ok()
}
