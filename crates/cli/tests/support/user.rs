//! A user of the command: a home directory, the simulated providers, and processes.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use llm_auth_testkit::{Approval, Testkit};
use serde_json::Value;
use tempfile::TempDir;

use super::browser::{browse, with_browser};
use super::command::{command, trusted_settings};
use super::done::Done;
use super::session_file::{expire, read, write_secret};

pub(crate) struct User {
    pub(crate) kit: Testkit,
    pub(crate) directory: TempDir,
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
        fs::create_dir_all(&home).unwrap();
        let settings = serde_json::json!({ "trusted_endpoints": hosts });
        fs::write(home.join("settings.json"), settings.to_string()).unwrap();
    }

    /// A command that knows nothing of this computer but the home directory and the providers.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.directory.path(), args);
        command.envs(self.kit.env());
        command
    }

    /// A shell that has the command's variables; its script names the command `$0`.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let command = self.command(&[]);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", script])
            .arg(command.get_program())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        shell
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

    /// A file with the key of encrypted sessions, which only this user can read.
    pub(crate) fn key_file(&self, name: &str, key: &str) -> String {
        let file = self.directory.path().join(name);
        write_secret(&file, key);
        file.to_str().unwrap().to_owned()
    }

    /// The file of a session in the default store.
    pub(crate) fn file(&self, provider: &str, account: &str) -> PathBuf {
        let sessions = self.directory.path().join("home/sessions");
        sessions.join(provider).join(format!("{account}.json"))
    }

    /// The file of a server of the user's own.
    pub(crate) fn server_file(&self, name: &str) -> PathBuf {
        let servers = self.directory.path().join("home/servers");
        servers.join(format!("{name}.json"))
    }

    pub(crate) fn stored(&self, provider: &str) -> Value {
        read(&self.file(provider, "default"))
    }

    /// Lets the stored access token be past its expiry.
    pub(crate) fn expire(&self, provider: &str) {
        expire(&self.file(provider, "default"));
    }

    /// Signed in, and the access token is past its expiry.
    pub(crate) fn with_expired_session(provider: &str) -> Self {
        let user = Self::new();
        user.sign_in(&[provider]);
        user.expire(provider);
        user
    }
}
