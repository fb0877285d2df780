//! PgBouncer in transaction mode, which gives each transaction another connection.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::support::{command, free_port, program, skip, test_name, user};

#[derive(Debug)]
pub(crate) struct Pooler {
    pub(crate) port: u16,
    child: Child,
    _directory: TempDir,
}

impl Pooler {
    /// `None` if it is not installed.
    pub(crate) fn start(server: u16) -> Option<Self> {
        let Some(pgbouncer) = program("pgbouncer") else {
            skip(&test_name(), "PgBouncer is not installed (pgbouncer)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let (port, settings) = (free_port(), directory.path().join("pgbouncer.ini"));
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={server} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n"
        );
        std::fs::write(&settings, text).unwrap();
        // Its standard input closes with the test; standard error is its log.
        let script = "\"$0\" \"$1\" & pid=$!; read line; kill -TERM $pid; wait $pid";
        let mut shell = command("/bin/sh");
        shell.args(["-c", script]).arg(pgbouncer).arg(&settings);
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("process up") {
            assert!(log.read_line(&mut seen).unwrap() > 0, "{seen}");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self {
            port,
            child,
            _directory: directory,
        })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
