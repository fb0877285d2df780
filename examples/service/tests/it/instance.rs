//! One process of the service.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

/// Where browsers believe the service is: a load balancer that is not there. The client of these
/// tests sends what goes there to an instance.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:9";

#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    pub(crate) pages: String,
    pub(crate) admin: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A process with the files of this directory and these variables; its log is to be read.
pub(crate) fn process(files: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
    command.env("LISTEN", "127.0.0.1:0");
    command.env("ADMIN_LISTEN", "127.0.0.1:0");
    command.env("PUBLIC_URL", PUBLIC_URL);
    command.env("DATABASE_URL_FILE", files.join("database-url"));
    command.env("ENCRYPTION_KEY_FILE", files.join("key"));
    command.env("PROVIDER_FILE", files.join("provider.json"));
    command.env("MODEL", "made-up-model");
    command.env("DRAIN_SECONDS", "0");
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

impl Instance {
    /// Starts a process with the files of this directory.
    pub(crate) fn start(files: &Path) -> Self {
        Self::start_with(files, &[])
    }

    /// Also with these variables.
    pub(crate) fn start_with(files: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = process(files, variables);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut addresses = None;
        while addresses.is_none() {
            let Some(Ok(line)) = lines.next() else {
                panic!("the service has not started: {}", text(&log));
            };
            let named = |name: &str| {
                let value = line.split(name).nth(1)?.split_whitespace().next()?;
                Some(format!("http://{value}"))
            };
            addresses = named(" pages=").zip(named(" admin="));
            append(&log, &line);
        }
        let (pages, admin) = addresses.unwrap();
        let kept = Arc::clone(&log);
        let read = move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| append(&kept, &line));
        };
        Self {
            child,
            pages,
            admin,
            log,
            reader: Some(std::thread::spawn(read)),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it ended in order, and its whole log.
    pub(crate) fn finish(&mut self) -> (bool, String) {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status.success(), text(&self.log))
    }
}

fn append(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.push_str(line);
    log.push('\n');
}

fn text(log: &Mutex<String>) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
