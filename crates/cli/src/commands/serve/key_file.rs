//! The file that a client reads its key from.

use std::io::{self, Write as _};
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
        let written = || -> io::Result<()> {
            let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
            // With the mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
            writeln!(file, "{}", key.expose())?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        written().map_err(|error| Failure::Config {
            message: format!("cannot write the key to {}: {error}", path.display()),
            advice: "name a file in a directory that you may write to with --key-file".into(),
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
