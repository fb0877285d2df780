//! The command that other programs run: this one.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::session::store_name::{self, StoreName};

const NAME: &str = "llm-auth";

/// The name, if `PATH` finds this program by it; otherwise its path.
pub(super) fn program() -> Result<String, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::Config {
        message: format!("cannot find the path of this program: {error}"),
        advice: format!("add its directory to PATH, and run it as {NAME}"),
    })?;
    let real = |path: &Path| path.canonicalize().ok();
    match in_path() {
        Some(found) if real(&found).is_some() && real(&found) == real(&own) => Ok(NAME.to_owned()),
        _ => text("the path of this program", &own),
    }
}

/// The first program of that name. A directory that depends on where a program is started counts
/// for none.
fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("{NAME}{}", std::env::consts::EXE_SUFFIX);
    let files = std::env::split_paths(&path).map(|directory| directory.join(&name));
    files
        .into_iter()
        .find(|file| is_program(file))
        .filter(|file| file.is_absolute())
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata();
    metadata.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// The flags of this call that a later one needs too.
pub(super) fn flags(selector: &SessionSelector) -> Result<Vec<String>, Failure> {
    let mut flags = Vec::new();
    if let Some(account) = &selector.account {
        flags.extend(["--account".to_owned(), account.clone()]);
    }
    let home = directories::named_home().map(Path::to_owned);
    for (flag, path) in [("--store", selector.store.clone()), ("--home", home)] {
        let Some(path) = path else { continue };
        let path = std::path::absolute(&path).unwrap_or(path);
        flags.extend([flag.to_owned(), text(flag, &path)?]);
    }
    if let Some(StoreName::Server(name)) = store_name::store()
        && name.has_secret()
    {
        return Err(Failure::Usage(
            "--store: settings of other programs do not get a password: write the URL into a file \
             that only you can read, and name that with --store @FILE"
                .into(),
        ));
    }
    for (flag, value) in store_name::named() {
        flags.extend([flag.to_owned(), value]);
    }
    Ok(flags)
}

fn text(what: &str, path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::Usage(format!("{what} is not UTF-8, which settings cannot hold")))
}
