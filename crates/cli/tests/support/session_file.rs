//! The files of stored sessions.

use std::path::Path;

use serde_json::Value;

pub(crate) fn read(file: &Path) -> Value {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn expire(file: &Path) {
    let mut session = read(file);
    session["expires"] = 1000.into();
    std::fs::write(file, session.to_string()).unwrap();
}

/// Writes a file that only this user can read.
pub(crate) fn write_secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
