//! The file that a client reads its key from.

use std::path::{Path, PathBuf};

use llm_auth_core::Secret;

use crate::error::Failure;

/// A key in a file for its user only; removed in the end, when the key is good for nothing.
pub(super) struct KeyFile {
    path: PathBuf,
    key: Secret,
}

impl KeyFile {
    /// Writes the key. What stands at the path is replaced, as a whole.
    pub(super) fn write(path: &Path, key: &Secret) -> Result<Self, Failure> {
        let line = format!("{}\n", key.expose());
        llm_auth_core::files::replace(path, line.as_bytes()).map_err(|error| Failure::Config {
            message: format!("cannot write the key to {}: {error}", path.display()),
            advice: "name a file in a directory of your own with --key-file".into(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            key: key.clone(),
        })
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // Another proxy may have written its own.
        let found = llm_auth_core::files::read(&self.path, 1024);
        if found.is_ok_and(|found| found.trim_ascii_end() == self.key.expose().as_bytes()) {
            let _stays = std::fs::remove_file(&self.path);
        }
    }
}
