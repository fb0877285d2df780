//! Postgres (the package `postgresql`).

use std::env;
use std::fs::read_dir;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, geteuid};

use super::{Database, free_port, version};
use crate::Result;
use crate::scratch::Scratch;

pub(super) fn start() -> Result<Database> {
    let there = program("initdb").zip(program("postgres"));
    let (initdb, postgres) = there.ok_or("postgres is not there (`apt install postgresql`)")?;
    let version = version(&postgres).ok_or("postgres does not print its version")?;
    let (files, port) = (Scratch::new()?, free_port()?);
    if let Some((user, group)) = user()? {
        chown(files.directory(), Some(user), Some(group))?;
    }
    let data = files.path("data");
    let mut make = command(&initdb)?;
    // What it makes need not last; what the server writes later does.
    make.args(["-A", "trust", "-U", "postgres", "--no-sync"])
        .args(["-E", "UTF8", "--locale=C", "-D"])
        .arg(&data);
    let made = make.output()?;
    if !made.status.success() {
        let text = String::from_utf8_lossy(&made.stderr);
        return Err(format!("initdb: {}", text.trim()).into());
    }
    let mut line = command(&postgres)?;
    line.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories="] {
        line.args(["-c", setting]);
    }
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Database::start(line, url, version, Signal::QUIT, files)
}

/// A program of the newest version. Debian installs them outside of `PATH`.
fn program(name: &str) -> Option<PathBuf> {
    let versions = read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut places: Vec<_> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    places.sort();
    places.reverse();
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut paths = places.into_iter().map(|place| place.join(name));
    paths.find(|path| path.is_file())
}

/// Runs as a user that the server accepts: it does not run as root.
fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    if let Some((user, group)) = user()? {
        command.uid(user).gid(group);
    }
    command.current_dir("/");
    Ok(command)
}

/// That user and its group; `None` if this process is not root's.
fn user() -> Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Ok(Some(found.unwrap_or((65_534, 65_534))))
}
