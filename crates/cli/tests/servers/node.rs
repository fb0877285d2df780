//! The programs in JavaScript and Python that start a server, and go through its pages.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::skip::skip;

/// The oldest version that runs oidc-provider.
const NODE: u32 = 20;

/// A script that serves until its standard input ends, so at the latest with the test.
pub(crate) struct Server {
    process: Child,
    /// What it printed when it accepted connections.
    pub(crate) ready: Value,
}

impl Server {
    pub(crate) fn start(script: &str) -> Self {
        Self::of(node(script), script)
    }

    /// One in Python, which is installed with the servers of crates/mcp; `None` if it is not: the test
    /// prints that it is skipped, and with `CI` set it fails.
    pub(crate) fn python(test: &str, script: &str) -> Option<Self> {
        let servers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../mcp/tests/servers");
        let python = servers.join(".venv/bin/python3");
        if !python.exists() {
            skip(
                test,
                "no .venv in crates/mcp/tests/servers (.ci/run makes it)",
            );
            return None;
        }
        let mut command = Command::new(python);
        command.arg(servers.join(script));
        Some(Self::of(command, script))
    }

    fn of(mut command: Command, script: &str) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let errors = std::thread::spawn(move || errors.lines().map_while(Result::ok).collect());
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let ready = lines.find_map(|line| serde_json::from_str(&line).ok());
        let Some(ready) = ready else {
            let errors: Vec<String> = errors.join().unwrap();
            panic!("{script} did not start: {}", errors.join("\n"));
        };
        // It may go on printing.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, ready }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ended = self.process.wait();
    }
}

/// What a script prints, without the end of the line.
pub(crate) fn run(script: &str, args: &[&str]) -> String {
    let output = node(script).args(args).output().unwrap();
    assert!(output.status.success(), "{script} {args:?}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Whether Node.js and these programs run and this file below the scripts is there; the test is
/// skipped by name if not, and with `CI` set it fails.
pub(crate) fn has(test: &str, programs: &[&str], file: Option<&str>) -> bool {
    let missing = programs.iter().find(|program| version(program).is_none());
    let missing = missing.map(|program| (*program).to_owned());
    let missing = missing.or_else(|| (!has_node()).then(|| format!("Node.js {NODE} or later")));
    let file = file.filter(|file| !path(file).exists()).map(str::to_owned);
    let Some(missing) = missing.or(file) else {
        return true;
    };
    skip(
        test,
        &format!("{missing} is not installed (.ci/run installs it)"),
    );
    false
}

fn has_node() -> bool {
    let major = version("node").and_then(|version| {
        let number = version.strip_prefix('v')?.split('.').next()?;
        number.parse::<u32>().ok()
    });
    major.is_some_and(|major| major >= NODE)
}

/// What a program prints of itself.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(path(script));
    command
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/servers")
        .join(name)
}
