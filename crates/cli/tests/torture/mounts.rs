//! File systems of our own, gone at the end of a round.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::round::{Check, Stop};

/// Something mounted here.
#[derive(Debug)]
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// A file system in memory with these limits.
    pub(crate) fn memory(at: &Path, options: &str) -> Check<Self> {
        std::fs::create_dir_all(at)?;
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at)
    }

    /// A directory or file at a second place, or mounted on itself.
    pub(crate) fn bind(from: &Path, at: &Path) -> Check<Self> {
        mount(&["--bind", &from.to_string_lossy()], at)
    }

    /// A directory that can only be read.
    pub(crate) fn read_only(directory: &Path) -> Check<Self> {
        let mounted = Self::bind(directory, directory)?;
        tool(
            "mount",
            &["-o", "remount,ro,bind", &directory.to_string_lossy()],
        )?;
        Ok(mounted)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(why) = tool("umount", &["-l", &self.0.to_string_lossy()]) {
            eprintln!("torture: cannot unmount {}: {why:?}", self.0.display());
        }
    }
}

fn mount(options: &[&str], at: &Path) -> Check<Mount> {
    tool("mount", &[options, &[&at.to_string_lossy()]].concat())?;
    Ok(Mount(at.to_owned()))
}

/// Runs a tool of the system that may not be there or not be allowed.
pub(crate) fn tool(name: &str, words: &[&str]) -> Check {
    let mut command = Command::new(name);
    command.args(words).stdin(Stdio::null());
    match command.output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(_) => Err(Stop::Skipped(format!("`{name}` is not permitted here"))),
        Err(_) => Err(Stop::Skipped(format!("`{name}` is not installed"))),
    }
}
