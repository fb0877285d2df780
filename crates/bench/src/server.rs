//! The one token endpoint that every peer is measured against, seen from the bench. It is a process of its
//! own (`bin/token_server.rs`), so that 10,000 connections do not share one table of open files.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::{Result, program};

#[derive(Debug)]
pub struct Server {
    pub base_url: String,
    child: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(latency: Duration) -> Result<Self> {
        let mut child = Command::new(program("token_server")?)
            .arg(latency.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let say = child.stdin.take().ok_or("no standard input")?;
        let mut hear = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        hear.read_line(&mut line)?;
        Ok(Self {
            base_url: line.trim().to_owned(),
            child,
            say,
            hear,
        })
    }

    /// The token endpoint, at the path of Qwen's.
    pub fn token_url(&self) -> String {
        format!("{}/api/v1/oauth2/token", self.base_url)
    }

    /// `ok`, `refused` (400 invalid_grant) or `down` (503).
    pub fn answer(&mut self, mode: &str) -> Result<()> {
        self.ask(&format!("answer {mode}")).map(drop)
    }

    /// Whether a refresh token is spent by its use, and its reuse revokes the family.
    pub fn rotate(&mut self, rotate: bool) -> Result<()> {
        self.ask(&format!("rotate {rotate}")).map(drop)
    }

    /// The seconds that new access tokens live.
    pub fn lifetime(&mut self, seconds: u32) -> Result<()> {
        self.ask(&format!("lifetime {seconds}")).map(drop)
    }

    /// Counts from zero.
    pub fn reset(&mut self) -> Result<()> {
        self.ask("reset").map(drop)
    }

    pub fn requests(&mut self) -> Result<u64> {
        Ok(self.ask("requests")?.parse()?)
    }

    /// Whether this refresh token would be accepted now.
    pub fn is_live(&mut self, refresh: &str) -> Result<bool> {
        Ok(self.ask(&format!("live {refresh}"))? == "true")
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        writeln!(self.say, "{line}")?;
        let mut answer = String::new();
        self.hear.read_line(&mut answer)?;
        if answer.is_empty() {
            return Err("the token server is gone".into());
        }
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
