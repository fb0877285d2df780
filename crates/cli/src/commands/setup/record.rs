//! What `setup` has written where: `setup.json` beside the sessions. It holds no secret: the
//! settings that are written name commands and addresses.

use std::io;
use std::path::{Path, PathBuf};

use llm_auth_core::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::at;
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

/// What every version begins with.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
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
    /// The directories that were made for it, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) directories: Vec<PathBuf>,
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// The file before the first change.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Original {
    pub(super) backup: PathBuf,
    pub(super) sha256: String,
    pub(super) mode: u32,
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// A setting that was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Ours {
    pub(super) path: Vec<String>,
    /// All values that were written there: after a crash an earlier one may be there.
    pub(super) values: Vec<Value>,
    #[serde(rename = "vendor")]
    pub(super) provider: String,
    #[serde(flatten)]
    unknown: Map<String, Value>,
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
            Ok(bytes) => read(&file, &bytes)?,
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

    /// The entry of a file as it was, after a change that did not come about.
    pub(super) fn put_back(&mut self, file: &Path, former: Option<Entry>) -> Result<(), Failure> {
        match former {
            Some(entry) => self.put(entry),
            None => self.forget(file),
        }
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

    /// Whether any of what was written is in a file.
    pub(super) fn is_in(&self, value: &Value) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|ours| at(value, &ours.path).is_some_and(|it| ours.values.contains(it)))
    }

    /// Remembers that these are written.
    pub(super) fn note(&mut self, leaves: &[Leaf], provider: &str) {
        for leaf in leaves {
            let known = self.leaves.iter().position(|ours| ours.path == leaf.path);
            let mut ours = match known {
                Some(at) => self.leaves.remove(at),
                None => Ours {
                    path: leaf.path.clone(),
                    values: Vec::new(),
                    provider: String::new(),
                    unknown: Map::new(),
                },
            };
            ours.values.retain(|value| *value != leaf.value);
            ours.values.push(leaf.value.clone());
            provider.clone_into(&mut ours.provider);
            self.leaves.push(ours);
        }
    }
}

fn read(file: &Path, bytes: &[u8]) -> Result<Written, Failure> {
    let shown = file.display();
    let unreadable = |error: serde_json::Error| Failure::Config {
        message: format!(
            "the record of written settings {shown} cannot be read: line {}, column {}",
            error.line(),
            error.column()
        ),
        advice: "correct it, or move it away; the settings in it then are yours to take back"
            .into(),
    };
    let Versioned { v } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if v > VERSION {
        return Err(Failure::Config {
            message: format!("a later version of llm-auth has written {shown}"),
            advice: "use that version".into(),
        });
    }
    serde_json::from_slice(bytes).map_err(unreadable)
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
