//! One server of simulated providers, which ends with the value.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub(super) struct Simulated {
    pub(super) url: String,
    server: Child,
}

impl Simulated {
    pub(super) fn start(program: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", program.display());
        let mut server = Command::new(program)
            .args([
                "--approve",
                "auto",
                "--interval",
                "1",
                "--until-stdin-closes",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let output = server.stdout.take().ok_or("the server has no output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url).map_err(failed)?;
        let url = url.trim_end().to_owned();
        Ok(Self { url, server })
    }

    /// The variables that point the command at it.
    pub(super) fn environment(&self) -> Result<Vec<(String, String)>, String> {
        let text = self.get("/testkit/env")?;
        let lines = text.lines();
        let lines = lines.filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let plain = lines.map(|(name, value)| (name.into(), value.trim_matches('\'').into()));
        Ok(plain.collect())
    }

    /// What each provider counted.
    pub(super) fn state(&self) -> Result<Value, String> {
        let text = self.get("/testkit/state")?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let mut command = Command::new("curl");
        command.args(["-sSf", "--noproxy", "*"]);
        let output = command.arg(format!("{}{path}", self.url)).output();
        let output = output.map_err(|error| format!("cannot run curl: {error}"))?;
        match output.status.success() {
            true => String::from_utf8(output.stdout).map_err(|error| error.to_string()),
            false => Err(format!(
                "{path}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _its_end = self.server.wait();
    }
}
