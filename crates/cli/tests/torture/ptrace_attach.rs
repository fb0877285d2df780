//! A process that is traced from its first moment to its last.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::process::Done;
use crate::round::{Check, Stop};

/// The end of a launcher: it waits for a word on standard input, then becomes the program. So
/// nothing has to happen between fork and exec.
pub(crate) const WAITING: &str = "read -r word; exec \"$@\"";

/// A process with a tracer, which is the thread that started it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) main: Pid,
    child: Child,
    begun: Instant,
    ended: bool,
}

impl Attached {
    /// Starts a command that is [`WAITING`], and lets it go on; its threads and children are
    /// traced too.
    pub(crate) fn start(command: &mut Command) -> Check<(Self, ChildStdin)> {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().unwrap();
        let attached = Self {
            main: Pid::from_raw(i32::try_from(child.id()).unwrap()),
            child,
            begun: Instant::now(),
            ended: false,
        };
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(attached.main, options)
            .map_err(|why| Stop::Skipped(format!("ptrace is not permitted here ({why})")))?;
        ptrace::interrupt(attached.main).map_err(failed)?;
        input.write_all(b"go\n")?;
        Ok((attached, input))
    }

    /// What it left behind, once all that is traced has ended.
    pub(crate) fn finish(mut self, end: WaitStatus) -> Check<Done> {
        self.ended = true;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        self.child.stdout.take().unwrap().read_to_end(&mut out)?;
        self.child.stderr.take().unwrap().read_to_end(&mut err)?;
        let (code, signal) = match end {
            WaitStatus::Exited(_, code) => (Some(code), None),
            WaitStatus::Signaled(_, signal, _) => (None, Some(signal as i32)),
            _ => (None, None),
        };
        Ok(Done {
            code,
            signal,
            out: String::from_utf8_lossy(&out).into_owned(),
            err: String::from_utf8_lossy(&err).into_owned(),
            took: self.begun.elapsed(),
        })
    }
}

impl Drop for Attached {
    /// A round that ends early leaves nothing behind. If the tracer has taken the status, the
    /// number may be another's by now.
    fn drop(&mut self) {
        if !self.ended {
            let _ended = self.child.kill();
            let _status = self.child.wait();
        }
    }
}

/// Of this thread's processes alone: other rounds have some too.
pub(crate) fn ours() -> WaitPidFlag {
    WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD
}

pub(crate) fn failed(why: Errno) -> Stop {
    Stop::Broken(format!("the tracer itself failed: {why}"))
}
