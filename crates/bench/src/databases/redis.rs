//! Redis (the package `redis-server`).

use std::process::Command;

use rustix::process::Signal;

use super::{Database, free_port, version};
use crate::Result;
use crate::scratch::Scratch;

const PROGRAM: &str = "redis-server";

pub(super) fn start() -> Result<Database> {
    let version =
        version(PROGRAM).ok_or("redis-server is not there (`apt install redis-server`)")?;
    let (files, port) = (Scratch::new()?, free_port()?);
    let mut line = Command::new(PROGRAM);
    line.args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
        .arg(files.directory());
    let url = format!("redis://127.0.0.1:{port}");
    Database::start(line, url, version, Signal::KILL, files)
}
