//! Where the sessions are kept.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use llm_auth_core::FileTokenStore;

use crate::commands::PlaceArgs;
use crate::environment;
use crate::exit::Failure;
use crate::files;

/// The variable that moves everything that is kept.
pub(crate) const HOME: &str = "LLM_AUTH_HOME";

/// The store that was asked for: one file, or the folder of all sessions.
pub(crate) fn open(place: &PlaceArgs) -> Result<FileTokenStore, Failure> {
    match &place.store {
        Some(file) if file.as_os_str().is_empty() => {
            Err(Failure::Usage("--store needs the name of a file".into()))
        }
        Some(file) => {
            files::check_path("--store", file)?;
            Ok(FileTokenStore::file(file))
        }
        None => Ok(FileTokenStore::folder(folder()?)),
    }
}

/// The folder of all sessions.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
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

/// The folder of everything that this command keeps.
pub(crate) fn home() -> Result<PathBuf, Failure> {
    match environment::own_path(HOME)? {
        Some(home) => Ok(home),
        None => home_of_user(),
    }
}

/// The same where no variable of ours moves it: what stands there is the user's own word.
pub(crate) fn home_of_user() -> Result<PathBuf, Failure> {
    match etcetera::base_strategy::choose_native_strategy() {
        Ok(folders) => Ok(folders.data_dir().join("llm-auth")),
        Err(_no_home) => Err(Failure::Config {
            message: "cannot find a home folder for the sessions".into(),
            advice: format!("set {HOME} to a folder, or name a file with --store"),
        }),
    }
}
