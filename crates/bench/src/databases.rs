//! Servers of databases, each with files of its own and on a free port, as durable as the stores
//! require.

mod postgres;
mod redis;

use std::io::{BufRead as _, BufReader, PipeReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::scratch::Scratch;

/// A server that accepts connections, until this is dropped.
#[derive(Debug)]
pub struct Database {
    pub url: String,
    /// As its program prints it.
    pub version: String,
    child: Child,
    /// What ends it at once.
    end: Signal,
    _files: Scratch,
}

impl Database {
    /// `appendonly yes` and `appendfsync always`, without which the store refuses it.
    pub fn redis() -> Result<Self> {
        redis::start()
    }

    /// With its defaults: `fsync` and `synchronous_commit` are on.
    pub fn postgres() -> Result<Self> {
        postgres::start()
    }

    /// Starts it, and waits until it prints that it is ready.
    fn start(
        mut line: Command,
        url: String,
        version: String,
        end: Signal,
        files: Scratch,
    ) -> Result<Self> {
        let (output, input) = std::io::pipe()?;
        line.stdin(Stdio::null());
        line.stdout(input.try_clone()?).stderr(input);
        let child = line.spawn()?;
        // Otherwise this process holds the pipe open.
        drop(line);
        let started = Self {
            url,
            version,
            child,
            end,
            _files: files,
        };
        wait_until_ready(output)?;
        Ok(started)
    }
}

fn wait_until_ready(output: PipeReader) -> Result<()> {
    let mut lines = BufReader::new(output).lines();
    let mut printed = Vec::new();
    for line in lines.by_ref() {
        let line = line?;
        if line.to_lowercase().contains("ready to accept connections") {
            // It goes on printing.
            std::thread::spawn(move || lines.map_while(std::io::Result::ok).for_each(drop));
            return Ok(());
        }
        printed.push(line);
    }
    let last = printed.last().map_or("it printed nothing", String::as_str);
    Err(format!("it did not start: {last}").into())
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = kill_process(Pid::from_child(&self.child), self.end);
        let _reaped = self.child.wait();
    }
}

/// Free until now, as far as anything can be known of a port.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The number in what `--version` prints, for instance `v=7.0.15`.
fn version(program: impl AsRef<std::ffi::OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text
        .split_whitespace()
        .map(|word| word.trim_start_matches("v="));
    let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    number.map(str::to_owned)
}
