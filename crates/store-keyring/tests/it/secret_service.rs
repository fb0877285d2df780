//! A D-Bus session of the test's own, with or without a GNOME Keyring.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A bus without the services of the system: none is started on demand.
const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:dir=DIRECTORY</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

pub(super) struct Session {
    pub(super) directory: tempfile::TempDir,
    address: String,
    _bus: Stopped,
    keyring: Option<Stopped>,
}

/// A process that ends with the test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether the programs are there. A test that needs them is skipped by name without, and fails with
/// `CI` set.
fn has_programs() -> bool {
    let missing: Vec<&str> = ["dbus-daemon", "gnome-keyring-daemon"]
        .into_iter()
        .filter(|program| {
            let found = Command::new(program).arg("--version").output();
            !found.is_ok_and(|output| output.status.success())
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    let why = format!("SKIPPED: {} is not installed", missing.join(", "));
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("{why}");
    false
}

impl Session {
    /// A bus; `None` if it is not installed.
    pub(super) fn start() -> Option<Self> {
        has_programs().then(|| {
            let directory = tempfile::tempdir().unwrap();
            let config = directory.path().join("bus.conf");
            let place = directory.path().display().to_string();
            std::fs::write(&config, BUS.replace("DIRECTORY", &place)).unwrap();
            let mut bus = Command::new("dbus-daemon")
                .args(["--nofork", "--print-address", "--config-file"])
                .arg(&config)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut address = String::new();
            let output = bus.stdout.take().unwrap();
            BufReader::new(output).read_line(&mut address).unwrap();
            Self {
                address: address.trim().to_owned(),
                _bus: Stopped(bus),
                keyring: None,
                directory,
            }
        })
    }

    /// Starts the keyring on the bus, with its login collection unlocked, or as it is.
    pub(super) fn keyring(&mut self, unlocked: bool) {
        drop(self.keyring.take());
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if unlocked {
            command.arg("--unlock");
        }
        let mut keyring = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It reads to the end of its input.
        let mut input = keyring.stdin.take().unwrap();
        input.write_all(b"made-up-password").unwrap();
        drop(input);
        // It prints its environment once it owns its name on the bus.
        let mut line = String::new();
        let output = keyring.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        self.keyring = Some(Stopped(keyring));
    }

    /// Ends the keyring, and has its entries hidden by another one.
    pub(super) fn hide(&mut self, has_database: bool) -> zbus::blocking::Connection {
        drop(self.keyring.take());
        super::hiding::serve(&self.address, has_database)
    }

    /// Stops or continues the keyring's process.
    pub(super) fn signal(&self, signal: &str) {
        let Some(Stopped(keyring)) = &self.keyring else {
            return;
        };
        let id = keyring.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Runs one of the tests of this program, in this session.
    pub(super) fn run(&self, test: &str) {
        let output = self.test(test).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{test}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub(super) fn test(&self, test: &str) -> Command {
        let program = std::env::current_exe().unwrap();
        let mut command = self.command(program);
        command
            .args(["--ignored", "--exact", &format!("sessions::{test}")])
            .env("MADE_UP_STORE", self.store());
        command
    }

    pub(super) fn store(&self) -> std::path::PathBuf {
        self.directory.path().join("store")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home: &Path = self.directory.path();
        let mut command = Command::new(program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_RUNTIME_DIR", home)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }
}
