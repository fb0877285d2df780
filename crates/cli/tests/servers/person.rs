//! A user with an empty home directory, who signs in at a server under the name `company`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::browser::with_browser;
use crate::support::command::command;
use crate::support::done::Done;
use crate::support::session_file::{expire, read};

/// The name of the server.
pub(crate) const NAME: &str = "company";

pub(crate) struct Person {
    directory: TempDir,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(&mut command(self.directory.path(), args))
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(self.directory.path(), args)
    }

    /// The command with its arguments, for a program that runs it without any environment.
    pub(crate) fn words(&self, args: &[&str]) -> Vec<String> {
        let home = self.home();
        let args = [args, &["--home", home.to_str().unwrap()]].concat();
        let command = self.command(&args);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_str().unwrap().to_owned())
            .collect()
    }

    /// Runs a sign-in, and does with its first event what `approve` does.
    pub(crate) fn sign_in(&self, args: &[&str], approve: impl FnOnce(&Value)) -> Done {
        with_browser(self.start(args), approve)
    }

    /// Runs `login oidc` with these arguments, and does with its first event what `approve` does.
    pub(crate) fn login(&self, args: &[&str], approve: impl FnOnce(&Value)) -> Done {
        let all = [&["login", "oidc", "--json", "--name", NAME], args].concat();
        self.sign_in(&all, approve)
    }

    /// The access token, as the command prints it.
    pub(crate) fn token(&self) -> String {
        let done = self.run(&["token", NAME]);
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out.trim_end().to_owned()
    }

    /// A file with this content that only the user can read, for a flag that reads one.
    pub(crate) fn file(&self, content: &str) -> String {
        let file = self.directory.path().join("made-up.txt");
        std::fs::write(&file, content).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, mode).unwrap();
        file.to_str().unwrap().to_owned()
    }

    pub(crate) fn session_file(&self) -> PathBuf {
        self.home().join("sessions").join(NAME).join("default.json")
    }

    pub(crate) fn session(&self) -> Value {
        read(&self.session_file())
    }

    /// Lets the stored access token be past its expiry.
    pub(crate) fn expire(&self) {
        expire(&self.session_file());
    }

    /// What is remembered of the server.
    pub(crate) fn server(&self) -> Value {
        read(&self.home().join("servers").join(format!("{NAME}.json")))
    }

    /// Neither a server nor a session is stored; lock files may be.
    pub(crate) fn assert_nothing_stored(&self) {
        for directory in [
            self.home().join("servers"),
            self.home().join("sessions").join(NAME),
        ] {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.ends_with(".json"), "{name}");
            }
        }
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }
}
