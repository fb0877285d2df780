//! What `setup` has written where: `setup.json` beside the sessions. It holds no secret: the
//! settings that are written name commands and addresses.

use std::io;
use std::path::{Path, PathBuf};

use llm_auth_core::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::setting::{Format, Leaf};
use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::{Held, hold};
use crate::system::files::LARGEST;
use crate::ui::streams::VERSION;

/// The record, and the lock that keeps other processes from changing it.
#[derive(Debug)]
pub(super) struct Record {
    file: PathBuf,
    _held: Held,
    content: Written,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Written {
    v: u32,
    #[serde(default)]
    files: Vec<Entry>,
    /// What a later version wrote.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// One file of a tool.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) tool: String,
    pub(super) file: PathBuf,
    pub(super) format: Format,
    /// `None` if the file did not exist.
    pub(super) original: Option<Original>,
    /// SHA-256 of what was written; empty if another program changed the file in between, so that
    /// the original cannot simply be restored.
    pub(super) sha256: Vec<String>,
    pub(super) leaves: Vec<Ours>,
}

/// The file before the first change.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Original {
    pub(super) backup: PathBuf,
    pub(super) sha256: String,
    pub(super) mode: u32,
}

/// A setting that was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Ours {
    pub(super) path: Vec<String>,
    /// All values that were written there: after a crash an earlier one may be there.
    pub(super) values: Vec<Value>,
    #[serde(rename = "vendor")]
    pub(super) provider: String,
}

impl Record {
    pub(super) fn open() -> Result<Self, Failure> {
        let home = directories::home()?;
        let file = home.join("setup.json");
        let lock = home.join("setup.json.lock");
        let held = files::make_directories(&home)
            .and_then(|()| hold(files::open_or_create(&lock)?))
            .map_err(|error| cannot("lock", &lock, &error))?;
        let content = match files::read(&file, LARGEST) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let place = format!("line {}, column {}", error.line(), error.column());
                cannot("read", &file, &io::Error::other(place))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Written::default(),
            Err(error) => return Err(cannot("read", &file, &error)),
        };
        Ok(Self {
            file,
            _held: held,
            content,
        })
    }

    pub(super) fn of_file(&self, file: &Path) -> Option<&Entry> {
        self.content.files.iter().find(|entry| entry.file == file)
    }

    pub(super) fn of_tool(&self, tool: &str) -> Vec<Entry> {
        let entries = self.content.files.iter();
        entries
            .filter(|entry| entry.tool == tool)
            .cloned()
            .collect()
    }

    /// Records an entry in place of the former one of its file.
    pub(super) fn put(&mut self, entry: Entry) -> Result<(), Failure> {
        self.content.files.retain(|other| other.file != entry.file);
        self.content.files.push(entry);
        self.save()
    }

    pub(super) fn forget(&mut self, file: &Path) -> Result<(), Failure> {
        self.content.files.retain(|other| other.file != file);
        self.save()
    }

    fn save(&mut self) -> Result<(), Failure> {
        self.content.v = VERSION;
        let written = serde_json::to_vec_pretty(&self.content).map_err(io::Error::from);
        let written = written.and_then(|content| files::replace(&self.file, &content));
        written.map_err(|error| cannot("write", &self.file, &error))
    }
}

impl Entry {
    /// Whether a value at a place was written by this command.
    pub(super) fn has_written(&self, path: &[String], value: &Value) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|ours| ours.path == path && ours.values.contains(value))
    }

    /// Remembers that these are written.
    pub(super) fn note(&mut self, leaves: &[Leaf], provider: &str) {
        for leaf in leaves {
            let known = self.leaves.iter().position(|ours| ours.path == leaf.path);
            let mut values = match known {
                Some(at) => self.leaves.remove(at).values,
                None => Vec::new(),
            };
            values.retain(|value| *value != leaf.value);
            values.push(leaf.value.clone());
            self.leaves.push(Ours {
                path: leaf.path.clone(),
                values,
                provider: provider.to_owned(),
            });
        }
    }
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!(
            "cannot {what} the record of written settings {}: {error}",
            file.display()
        ),
        advice: "check the directory and its permissions, and try again".into(),
    }
}
