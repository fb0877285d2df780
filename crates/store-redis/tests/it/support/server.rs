//! A server of its own, on a free port, that ends with the test program at the latest.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Ends a process when its own input ends, whatever became of the test.
const KEEPER: &str = "read -r _; kill -9 $0";

pub(crate) struct RedisServer {
    pub(crate) port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    running: Option<Running>,
}

struct Running {
    server: Child,
    keeper: Child,
}

impl RedisServer {
    /// `None` if it is not installed: the test prints that it is skipped, and with `CI` set it fails.
    /// It keeps what was saved, unless the arguments say something else.
    pub(crate) fn start(test: &str, arguments: &[&str]) -> Option<Self> {
        if !is_installed() {
            let why = "redis-server is not installed (.ci/run installs it)";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            eprintln!("SKIPPED: {why}: {test}");
            return None;
        }
        let arguments = [
            &["--appendonly", "yes", "--appendfsync", "always"],
            arguments,
        ]
        .concat();
        Some(Self::run_at_free_port(
            tempfile::tempdir().unwrap(),
            &arguments,
        ))
    }

    /// A sentinel of this primary, which takes no slow one for a dead one.
    pub(crate) fn sentinel(primary: &Self, name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (file, port) = (directory.path().join("sentinel.conf"), primary.port);
        let config = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {name} 30000\n\
             sentinel failover-timeout {name} 1000\n"
        );
        std::fs::write(&file, config).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self::run_at_free_port(directory, &[&file, "--sentinel"])
    }

    fn run_at_free_port(directory: TempDir, arguments: &[&str]) -> Self {
        let mut server = Self {
            port: 0,
            directory,
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            running: None,
        };
        // Another program may be faster to take the port.
        for _ in 0..10 {
            server.port = free_port();
            if server.run() {
                return server;
            }
        }
        panic!("no port is free");
    }

    fn run(&mut self) -> bool {
        let port = self.port.to_string();
        let directory = self.directory.path().to_str().unwrap();
        let mut server = Command::new("redis-server")
            // The file of a sentinel comes first.
            .args(&self.arguments)
            .args(["--port", &port, "--bind", "127.0.0.1", "--dir", directory])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, &server.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        // A server whose port is taken ends.
        let is_ready = lines.by_ref().map_while(Result::ok).any(|line| {
            let ready = ["Ready to accept connections", "+monitor master"];
            ready.iter().any(|ready| line.contains(ready))
        });
        // It goes on printing.
        std::thread::spawn(move || lines.for_each(drop));
        let running = Running { server, keeper };
        self.running = is_ready.then_some(running);
        is_ready
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As a power failure of the server's process: it ends at once.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take());
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.run());
    }

    /// Makes it a replica of that one, and waits until it has all of it, in its file too.
    pub(crate) fn follow(&self, primary: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
        let is_whole = |info: &str, fields: [&str; 2]| fields.iter().all(|it| info.contains(it));
        let linked = ["master_link_status:up", "master_sync_in_progress:0"];
        let written = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
        while !is_whole(&self.command(&["INFO", "replication"]), linked)
            || !is_whole(&self.command(&["INFO", "persistence"]), written)
        {
            std::thread::yield_now();
        }
    }

    /// Waits until this replica has all that the other one has.
    pub(crate) fn catch_up(&self, primary: &Self) {
        let offset = |server: &Self, name: &str| {
            let info = server.command(&["INFO", "replication"]);
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        while offset(self, "slave_repl_offset:") < offset(primary, "master_repl_offset:") {
            std::thread::yield_now();
        }
    }

    /// The replica becomes the primary.
    pub(crate) fn promote(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]);
    }

    pub(crate) fn process(&self) -> String {
        self.running.as_ref().unwrap().server.id().to_string()
    }

    /// A command by other means than the store; what it returned.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port, "--raw"]).args(words);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{words:?}: {text}");
        text.trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _killed = self.keeper.wait();
        let _ended = self.server.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn is_installed() -> bool {
    let version = Command::new("redis-server").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Sends a signal to a process.
pub(crate) fn signal(name: &str, process: &str) {
    let sent = Command::new("kill").args([name, process]).status().unwrap();
    assert!(sent.success(), "{name} {process}");
}
