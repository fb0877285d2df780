//! A user of the command: a home directory, the simulated vendors, and processes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use llm_auth_testkit::{Approval, Counters, ProviderKit, Testkit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) struct User {
    pub(crate) kit: Testkit,
    pub(crate) directory: TempDir,
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl User {
    /// Every sign-in is approved at once.
    pub(crate) fn new() -> Self {
        Self::with(Approval::Auto)
    }

    pub(crate) fn with(approval: Approval) -> Self {
        let kit = Testkit::builder()
            .approval(approval)
            .interval(Duration::from_millis(100));
        let user = Self {
            kit: kit.start_blocking().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        let kit = user.kit.base_url().to_owned();
        user.trust(&[&kit]);
        user
    }

    /// Writes into the user's own settings which servers are trusted.
    pub(crate) fn trust(&self, hosts: &[&str]) {
        let home = trusted_settings(self.directory.path());
        std::fs::create_dir_all(&home).unwrap();
        let settings = serde_json::json!({ "trusted_endpoints": hosts });
        std::fs::write(home.join("settings.json"), settings.to_string()).unwrap();
    }

    /// A command that knows nothing of this computer but the home directory and the vendors.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.directory.path(), args);
        command.envs(self.kit.env());
        command
    }

    /// The command with its arguments, for another program that runs it.
    pub(crate) fn words(&self, args: &[&str]) -> Vec<String> {
        let command = self.command(args);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().unwrap().into()
    }

    /// Signs in, with the arguments after `login`.
    pub(crate) fn sign_in(&self, args: &[&str]) {
        let args = [&["login"], args].concat();
        let done = if args.contains(&"gemini") {
            self.sign_in_with_browser(&[&args[..], &["--json"]].concat())
        } else {
            self.run(&args)
        };
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
    }

    /// Runs `login gemini --json` and does what a browser does.
    pub(crate) fn sign_in_with_browser(&self, args: &[&str]) -> Done {
        with_browser(self.start(args), |event| {
            if let Some(url) = event["url"].as_str() {
                browse(url);
            }
        })
    }

    /// The file of a session in the default store.
    pub(crate) fn file(&self, vendor: &str, account: &str) -> PathBuf {
        let sessions = self.directory.path().join("home/sessions");
        sessions.join(vendor).join(format!("{account}.json"))
    }

    pub(crate) fn stored(&self, vendor: &str) -> Value {
        read(&self.file(vendor, "default"))
    }

    /// Lets the stored access token be past its expiry.
    pub(crate) fn expire(&self, vendor: &str) {
        expire(&self.file(vendor, "default"));
    }

    /// Signed in, and the access token is past its expiry.
    pub(crate) fn with_expired_session(vendor: &str) -> Self {
        let user = Self::new();
        user.sign_in(&[vendor]);
        user.expire(vendor);
        user
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}")))
            .collect()
    }

    /// The exit code, one line that says why, and one that says what to do.
    pub(crate) fn assert_failed(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        let said = self.err.lines().find(|line| line.starts_with("llm-auth: "));
        let said = said.unwrap_or_else(|| panic!("{self:?}"));
        assert!(said.contains(what), "{what} is not in {self:?}");
        assert!(self.err.contains("\n  → "), "{self:?}");
    }
}

/// Somebody is connected over SSH.
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

/// Does with the first event of `login gemini --json` what a browser does, and waits for the end.
pub(crate) fn with_browser(mut child: Child, visit: impl FnOnce(&Value)) -> Done {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    // It may say first that the servers are not the vendor's own.
    for _ in 0..2 {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let is_first = !line.contains("foreign_endpoints");
        seen.push_str(&line);
        if is_first {
            if let Ok(event) = serde_json::from_str(&line) {
                visit(&event);
            }
            break;
        }
    }
    lines.read_to_string(&mut seen).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    Done { out: seen, ..done }
}

pub(crate) fn read(file: &Path) -> Value {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn expire(file: &Path) {
    let mut session = read(file);
    session["expires"] = 1000.into();
    std::fs::write(file, session.to_string()).unwrap();
}

/// Longer than anything here takes; a bound, so that a fault is a failure and not a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the vendor has seen this; a process that died never lets it.
pub(crate) fn wait_for(vendor: &ProviderKit, seen: impl Fn(&Counters) -> bool) -> Counters {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let waited = runtime.block_on(async { timeout(PATIENCE, vendor.wait_for(seen)).await });
    waited.unwrap_or_else(|_| panic!("nothing came: {:?}", vendor.counters()))
}

/// Follows a page to where it leads, as a browser does.
pub(crate) fn browse(url: &str) {
    let mut url = url.to_owned();
    for _ in 0..5 {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let location = answer
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .starts_with("location:")
                    .then(|| &line[9..])
            });
        match location {
            Some(next) => url = next.trim().to_owned(),
            None => return,
        }
    }
}

/// Where the vendor sends the browser in the end, which does not get there.
pub(crate) fn final_url(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let is_location = |line: &&str| line.to_ascii_lowercase().starts_with("location:");
    let location = answer.lines().find(is_location).unwrap();
    location[9..].trim().to_owned()
}
