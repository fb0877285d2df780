//! A process of the command, watched.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::round::{Check, Stop, ensure};

/// No process may take longer, whatever happens to it.
pub(crate) const FOREVER: Duration = Duration::from_secs(90);

/// A process that runs, with threads that read its output.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Output {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    out: Vec<u8>,
    err: Vec<u8>,
    closed: u8,
}

/// What a process left behind.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

pub(crate) fn start(command: &mut Command) -> Running {
    let mut child = command.spawn().expect("the command starts");
    let output = Arc::new(Output::default());
    let out = child.stdout.take().unwrap();
    let err = child.stderr.take().unwrap();
    let readers = vec![
        read(out, Arc::clone(&output), |text| &mut text.out),
        read(err, Arc::clone(&output), |text| &mut text.err),
    ];
    Running {
        child,
        output,
        readers,
        begun: Instant::now(),
    }
}

fn read(
    mut from: impl Read + Send + 'static,
    output: Arc<Output>,
    part: fn(&mut Text) -> &mut Vec<u8>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            let mut text = output.text.lock().unwrap();
            part(&mut text).extend_from_slice(&buffer[..read]);
            text.closed += u8::from(read == 0);
            output.changed.notify_all();
            if read == 0 {
                return;
            }
        }
    })
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended, and then no other process has its number yet: it was not waited for.
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Its standard input, if that is a pipe and was not taken yet.
    pub(crate) fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the first octet on standard output; `false` if it ended or took too long.
    pub(crate) fn wait_for_output(&self, limit: Duration) -> bool {
        let text = self.output.text.lock().unwrap();
        let over = |text: &mut Text| text.out.is_empty() && text.closed < 2;
        let (text, _) = self
            .output
            .changed
            .wait_timeout_while(text, limit, over)
            .unwrap();
        !text.out.is_empty()
    }

    /// Waits until standard error holds these words.
    pub(crate) fn wait_for_words(&self, words: &str) -> Check {
        let text = self.output.text.lock().unwrap();
        let missing = |text: &mut Text| {
            !String::from_utf8_lossy(&text.err).contains(words) && text.closed < 2
        };
        let (text, _) = self
            .output
            .changed
            .wait_timeout_while(text, FOREVER, missing)
            .unwrap();
        let found = String::from_utf8_lossy(&text.err).contains(words);
        ensure!(found, "the command never printed {words:?}");
        Ok(())
    }

    /// Waits for the end; a process that does not end is a broken promise.
    pub(crate) fn finish(mut self) -> Check<Done> {
        let text = self.output.text.lock().unwrap();
        let (text, _) = self
            .output
            .changed
            .wait_timeout_while(text, FOREVER, |text| text.closed < 2)
            .unwrap();
        let hung = text.closed < 2;
        drop(text);
        if hung {
            self.signal(Signal::KILL);
        }
        let status = self.child.wait().expect("a child can be waited for");
        let took = self.begun.elapsed();
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        ensure!(!hung, "a process hung for {} s", FOREVER.as_secs());
        let text = std::mem::take(&mut *self.output.text.lock().unwrap());
        Ok(Done {
            code: status.code(),
            signal: status.signal(),
            out: String::from_utf8_lossy(&text.out).into_owned(),
            err: String::from_utf8_lossy(&text.err).into_owned(),
            took,
        })
    }

    /// Waits until the process has opened this file; what it wanted to know before, it knows.
    pub(crate) fn wait_until_open(&self, file: &Path, limit: Duration) -> bool {
        let directory = format!("/proc/{}/fd", self.id());
        let end = Instant::now() + limit;
        loop {
            let entries = match std::fs::read_dir(&directory) {
                Ok(entries) => entries,
                // Only root may look into a process that is not dumpable; it goes on without.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return true,
                Err(_gone) => return false,
            };
            let mut links = entries.filter_map(|entry| entry.ok()?.path().read_link().ok());
            if links.any(|link| link == file) {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            // The system has no event for this.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    /// A round that ends early leaves nothing behind.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Done {
    pub(crate) fn killed(&self) -> bool {
        self.signal == Some(9)
    }

    /// The access token it printed, if it did.
    pub(crate) fn token(&self) -> Option<&str> {
        let line = self.out.strip_suffix('\n')?;
        Some(line).filter(|line| !line.is_empty() && !line.contains('\n'))
    }

    /// How it ended, in a word.
    pub(crate) fn end(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("died of signal {signal}"),
            (None, None) => "ended strangely".into(),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(format!("the torture itself failed: {error}"))
    }
}
