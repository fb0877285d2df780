//! A process of the command, with nothing of this computer but a home directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user is connected over SSH.
pub(crate) const SSH: &str = "203.0.113.7 5000 192.0.2.4 22";

/// The directory of the settings that may trust servers. Without a word of the call they are below
/// the home directory that this computer records for the user.
pub(crate) fn trusted_settings(home: &Path) -> PathBuf {
    home.join("trusted-settings")
}

/// A command that knows nothing of this computer but the home directory.
pub(crate) fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm-auth"));
    command
        .arg("--trusted-settings")
        .arg(trusted_settings(home))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("LLM_AUTH_HOME", home.join("home"))
        // The same place on every machine, and no browser is opened.
        .env("SSH_CONNECTION", SSH)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
