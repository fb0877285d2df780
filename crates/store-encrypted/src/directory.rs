//! What a directory has, whatever its key: whether a session would be lost with its key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use llm_auth_core::{Error, ErrorKind, Result, files};
use serde_json::{Map, Value};

use crate::envelope::Envelope;
use crate::key::Header;

/// No session is this large.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The sessions of a directory, and what was kept aside there.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Whether there is a session, or something that may be one.
    pub(crate) has_sessions: bool,
    /// How the keys of its sessions are derived, each once.
    pub(crate) headers: Vec<Header>,
    /// What was no session, with whatever key it was encrypted.
    pub(crate) kept_aside: Vec<PathBuf>,
}

impl Contents {
    pub(crate) fn of(directory: &Path) -> Result<Self> {
        let mut contents = Self::default();
        for provider in entries(directory)? {
            if !provider.is_dir() {
                continue;
            }
            for file in entries(&provider)? {
                contents.add(file)?;
            }
        }
        contents.kept_aside.sort();
        Ok(contents)
    }

    fn add(&mut self, file: PathBuf) -> Result<()> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_unfinished = name.ends_with(".json.tmp");
        if !is_unfinished && !name.ends_with(".json") {
            if name.contains(".corrupt-") {
                self.kept_aside.push(file);
            }
            return Ok(());
        }
        let bytes = match files::read(&file, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot_read(&file, error)),
        };
        let form = form(&bytes);
        // A save that was killed may have left a part, which is no session, or a whole one.
        if form.is_none() && is_unfinished {
            return Ok(());
        }
        self.has_sessions = true;
        let envelope = form.and_then(|form| Envelope::of(&form).ok());
        if let Some(Envelope { header, .. }) = envelope
            && !self.headers.contains(&header)
        {
            self.headers.push(header);
        }
        Ok(())
    }
}

/// The form of a session; space that was reserved follows it.
fn form(bytes: &[u8]) -> Option<Map<String, Value>> {
    let used = bytes.iter().rposition(|byte| *byte != 0)?;
    serde_json::from_slice(&bytes[..=used]).ok()
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_read(directory, error)),
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    paths
        .collect::<io::Result<_>>()
        .map_err(|error| cannot_read(directory, error))
}

fn cannot_read(path: &Path, source: io::Error) -> Error {
    let message = format!("cannot read {}", path.display());
    Error::new(ErrorKind::Store, message).with_source(source)
}
