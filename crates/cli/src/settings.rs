//! What is remembered between commands beside the sessions: which account is the current one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::output::VERSION;
use crate::store;

/// The file `settings.json` in the home folder.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    v: u32,
    /// The current account of each vendor; `default` where none is named.
    #[serde(default)]
    current: BTreeMap<String, String>,
    /// Members that this version does not know are written back.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Settings {
    pub(crate) fn load() -> Result<Self, Failure> {
        let file = file()?;
        let failed = |why: String| Failure::Config {
            message: format!("the settings {} cannot be read: {why}", file.display()),
            advice: "mend or delete that file, or name the account with --account".into(),
        };
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(Self {
                    v: VERSION,
                    current: BTreeMap::new(),
                    others: Map::new(),
                })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    pub(crate) fn current(&self, vendor: &str) -> Option<&str> {
        self.current.get(vendor).map(String::as_str)
    }

    /// Remembers it, or forgets it.
    pub(crate) fn set_current(vendor: &str, account: Option<&str>) -> Result<(), Failure> {
        let mut settings = Self::load()?;
        if settings.current(vendor) == account {
            return Ok(());
        }
        match account {
            Some(account) => settings
                .current
                .insert(vendor.to_owned(), account.to_owned()),
            None => settings.current.remove(vendor),
        };
        settings.save()
    }

    /// In one step, so that nobody reads half of it.
    fn save(&self) -> Result<(), Failure> {
        let file = file()?;
        let written = || -> io::Result<()> {
            let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
            fs::create_dir_all(folder)?;
            // Made with the rights of its owner alone.
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut new, self)?;
            new.write_all(b"\n")?;
            new.as_file().sync_all()?;
            new.persist(&file)?;
            Ok(())
        };
        written().map_err(|error| Failure::Config {
            message: format!("cannot write the settings {}: {error}", file.display()),
            advice: "check the folder and its rights".into(),
        })
    }
}

fn file() -> Result<PathBuf, Failure> {
    Ok(store::home()?.join("settings.json"))
}
