//! What several tests need.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use llm_auth_core::store::{RefreshRecord, ServerError, ServerFault};
use llm_auth_core::{OAuthToken, SessionKey, Timestamp};

/// A test that cannot run here prints its name; with `CI` set it fails.
pub(crate) fn skip(test: &str, why: &str) {
    assert!(env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}: {test}");
}

/// The name of the calling test.
pub(crate) fn test_name() -> String {
    let thread = std::thread::current();
    thread.name().unwrap_or("a test").to_owned()
}

/// A program of a package, which may be outside of `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    places.sort();
    // The newest version first.
    places.reverse();
    places.push("/usr/sbin".into());
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    places
        .into_iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
}

/// A user that servers accept to run as, with its group; `None` if the tests are not root's.
pub(crate) fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(found.unwrap_or((65_534, 65_534)))
}

/// A command of that user.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    if let Some((user, group)) = user() {
        command.uid(user).gid(group);
    }
    command.current_dir("/");
    command
}

/// Ends what a test has started, however the test ends: its standard input closes with the test.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    pub(crate) fn new(script: &str) -> Self {
        let mut shell = command("/bin/sh");
        shell.args(["-c", script]).stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Why the server could not be used.
pub(crate) fn fault(error: &llm_auth_core::Error) -> Option<ServerFault> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<ServerError>()?.fault())
}

pub(crate) fn key(account: &str) -> SessionKey {
    SessionKey::new("standard", account)
}

/// A made-up session whose tokens have this number.
pub(crate) fn session(number: usize) -> OAuthToken {
    let mut token = OAuthToken::new(
        format!("made-up-access-{number}").into(),
        Timestamp::from_unix_millis(4_000_000_000_000),
    );
    token.refresh = Some(format!("made-up-refresh-{number}").into());
    token
}

/// The same session with the record of a refresh that has begun.
pub(crate) fn noted(session: &OAuthToken) -> OAuthToken {
    let mut noted = session.clone();
    let refresh = session.refresh.as_ref().unwrap().fingerprint();
    let record = RefreshRecord::new(refresh, Timestamp::from_unix_millis(1_790_000_000_000));
    noted.metadata.in_progress = Some(Box::new(record));
    noted
}
