//! A server of Postgres of its own, on a free port.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::support::{program, skip, user};

#[derive(Debug)]
pub(crate) struct Postgres {
    port: u16,
    /// Stops the server when its standard input closes, however the test ends.
    watchdog: Option<Child>,
    _directory: TempDir,
}

fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    if let Some((user, group)) = user() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

impl Postgres {
    /// `None` if it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let (Some(initdb), Some(pg_ctl)) = (program("initdb"), program("pg_ctl")) else {
            skip("Postgres is not installed (postgresql)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let data = directory.path().join("data");
        let mut make = command(initdb);
        make.args(["-A", "trust", "-U", "postgres", "--no-sync"]);
        make.args(["-E", "UTF8", "--locale=C", "-D"]).arg(&data);
        let made = make.output().unwrap();
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{words}");
        let log = directory.path().join("log");
        // Another program may have taken the port that was free.
        let port = (0..5).find_map(|_| {
            let port = free_port();
            // Only Linux has `syncfs`, and a server elsewhere does not know the value.
            let sync = match cfg!(target_os = "linux") {
                true => "-c recovery_init_sync_method=syncfs",
                false => "",
            };
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
                 -c autovacuum=off {sync}"
            );
            let mut start = command(&pg_ctl);
            start.arg("-D").arg(&data).arg("-l").arg(&log);
            start.args(["-o", &options, "-w", "start"]);
            // The server inherits them, and would keep a pipe open.
            start.stdout(Stdio::null()).stderr(Stdio::null());
            start.status().unwrap().success().then_some(port)
        });
        let words = || std::fs::read_to_string(&log).unwrap_or_default();
        let port = port.unwrap_or_else(|| panic!("Postgres has not started: {}", words()));
        let script = format!(
            "read line; exec '{}' -D '{}' stop -m immediate",
            pg_ctl.display(),
            data.display()
        );
        let mut shell = command("/bin/sh");
        shell.args(["-c", &script]).stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self {
            port,
            watchdog: Some(shell.spawn().unwrap()),
            _directory: directory,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The values of the first column.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let found = client.simple_query(sql).await.unwrap();
        drop(client);
        drop(connection.await);
        let rows = found.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        });
        rows.collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            drop(watchdog.wait());
        }
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
