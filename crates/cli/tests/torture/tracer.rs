//! A process whose system calls are counted, failed or cut off (`ptrace`).
//!
//! The process is started by a shell that waits for a word, so nothing has to happen between
//! fork and exec; its threads and children are followed from there on.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::injector::{Act, Aim, Plan, Seen, Tries};
use crate::process::{Done, FOREVER};
use crate::round::{Check, Stop, ensure};
use crate::syscalls::{Call, Descriptors, Kind, Work, is_start, name};

/// A call between its entry and its exit.
#[derive(Debug)]
struct Pending {
    call: Call,
    kind: Kind,
    error: Option<Errno>,
    rotated: bool,
}

struct Tracer<'a> {
    plan: Plan,
    rotated: &'a dyn Fn() -> bool,
    main: Pid,
    executed: bool,
    begun: bool,
    /// What was to happen has happened; nothing more is to be seen.
    free: bool,
    descriptors: Descriptors,
    pending: BTreeMap<Pid, Pending>,
    seen: Seen,
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("plan", &self.plan)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// Runs a command that waits for a word first; `rotated` is whether the server has by now.
pub(crate) fn run(
    command: &mut Command,
    plan: Plan,
    rotated: &dyn Fn() -> bool,
) -> Check<(Done, Seen)> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    let main = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let result = follow(&mut child, main, plan, rotated);
    if result.is_err() {
        let _ended = child.kill();
    }
    // The tracer has taken the status; where it could not, this does.
    let _status = child.wait();
    let (status, seen) = result?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut out)?;
    child.stderr.take().unwrap().read_to_end(&mut err)?;
    let (code, signal) = match status {
        WaitStatus::Exited(_, code) => (Some(code), None),
        WaitStatus::Signaled(_, signal, _) => (None, Some(signal as i32)),
        _ => (None, None),
    };
    let done = Done {
        code,
        signal,
        out: String::from_utf8_lossy(&out).into_owned(),
        err: String::from_utf8_lossy(&err).into_owned(),
        took: begun.elapsed(),
    };
    Ok((done, seen))
}

fn follow(
    child: &mut Child,
    main: Pid,
    plan: Plan,
    rotated: &dyn Fn() -> bool,
) -> Check<(WaitStatus, Seen)> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(main, options)
        .map_err(|why| Stop::Skipped(format!("ptrace is not permitted here ({why})")))?;
    ptrace::interrupt(main).map_err(failed)?;
    child.stdin.take().unwrap().write_all(b"go\n")?;
    let mut tracer = Tracer {
        plan,
        rotated,
        main,
        executed: false,
        begun: false,
        free: false,
        descriptors: Descriptors::default(),
        pending: BTreeMap::new(),
        seen: Seen::default(),
    };
    let hung = AtomicBool::new(false);
    let status = std::thread::scope(|scope| {
        let (over, watched) = mpsc::channel::<()>();
        let hung = &hung;
        scope.spawn(move || {
            if watched.recv_timeout(FOREVER) == Err(mpsc::RecvTimeoutError::Timeout) {
                hung.store(true, Ordering::SeqCst);
                let _gone = kill(main, Signal::SIGKILL);
            }
        });
        let status = tracer.follow();
        drop(over);
        status
    })
    .map_err(failed)?;
    ensure!(
        !hung.load(Ordering::SeqCst),
        "a process hung for {} s after {}",
        FOREVER.as_secs(),
        tracer.seen.hit.as_deref().unwrap_or("nothing")
    );
    Ok((status, tracer.seen))
}

fn failed(why: Errno) -> Stop {
    Stop::Broken(format!("the tracer itself failed: {why}"))
}

impl Tracer<'_> {
    /// Until the last thread is gone; gives the end of the process.
    fn follow(&mut self) -> nix::Result<WaitStatus> {
        // Of this thread alone: other rounds have children too.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let mut end = WaitStatus::StillAlive;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    self.at_call(thread);
                    self.resume(thread, None);
                }
                Ok(WaitStatus::PtraceEvent(thread, _, event)) => {
                    if event == libc::PTRACE_EVENT_EXEC {
                        self.executed = true;
                    }
                    self.resume(thread, None);
                }
                Ok(WaitStatus::Stopped(thread, signal)) => self.resume(thread, Some(signal)),
                Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => {
                    if status.pid() == Some(self.main) {
                        end = status;
                    }
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => return Ok(end),
                Err(why) => return Err(why),
            }
        }
    }

    /// A thread may be killed at any moment, so what is said to it may come too late.
    fn resume(&self, thread: Pid, signal: Option<Signal>) {
        let _gone = if self.free {
            ptrace::cont(thread, signal)
        } else {
            ptrace::syscall(thread, signal)
        };
    }

    fn at_call(&mut self, thread: Pid) {
        if !self.executed {
            return;
        }
        let Ok(mut registers) = ptrace::getregs(thread) else {
            return;
        };
        if let Some(pending) = self.pending.remove(&thread) {
            if let Some(error) = pending.error {
                registers.rax = failure(error);
                let _gone = ptrace::setregs(thread, registers);
            }
            self.at_exit(&pending, registers.rax);
        } else if registers.rax == failure(Errno::ENOSYS) {
            let call = Call {
                number: registers.orig_rax.cast_signed(),
                arguments: [registers.rdi, registers.rsi, registers.rdx, registers.r10],
            };
            let error = self.at_entry(thread, &call);
            if error.is_some() {
                // No call has this number.
                registers.orig_rax = u64::MAX;
                let _gone = ptrace::setregs(thread, registers);
            }
        }
        if self.begun {
            self.seen.counts.stops += 1;
            if self.plan.aim == Aim::Stops && self.seen.counts.stops == self.plan.at {
                let call = self.pending.get(&thread).map(|pending| pending.call);
                self.kill(call);
            }
        }
    }

    /// Whether this call is to fail, and with what.
    fn at_entry(&mut self, thread: Pid, call: &Call) -> Option<Errno> {
        self.begun |= is_start(call.number);
        if !self.begun {
            return None;
        }
        let kind = self.descriptors.kind_of(call);
        let counts = &mut self.seen.counts;
        let (aim, count) = match kind {
            Kind::File(_) => (Aim::Files, &mut counts.files),
            Kind::Thread => (Aim::Threads, &mut counts.threads),
            Kind::Memory => (Aim::Memory, &mut counts.memory),
            Kind::Other => return self.enter(thread, call, kind, None),
        };
        *count += 1;
        let (at, ours) = (*count, aim == self.plan.aim);
        let error = match self.plan.act {
            Act::Once(error) if ours && at == self.plan.at => Some(error),
            Act::Lasting(error) if ours && at >= self.plan.at => Some(error),
            _ => None,
        };
        if error.is_some() && self.seen.hit.is_none() {
            self.seen.hit = Some(name_of(thread, call));
        }
        self.enter(thread, call, kind, error)
    }

    fn enter(
        &mut self,
        thread: Pid,
        call: &Call,
        kind: Kind,
        error: Option<Errno>,
    ) -> Option<Errno> {
        let weighs = matches!(kind, Kind::File(Work::Write | Work::Sync));
        let pending = Pending {
            call: *call,
            kind,
            error,
            rotated: weighs && (self.rotated)(),
        };
        if pending.rotated {
            self.tries(kind).tried += 1;
        }
        self.pending.insert(thread, pending);
        error
    }

    fn tries(&mut self, kind: Kind) -> &mut Tries {
        if kind == Kind::File(Work::Write) {
            &mut self.seen.writes
        } else {
            &mut self.seen.syncs
        }
    }

    fn at_exit(&mut self, pending: &Pending, result: u64) {
        if result.cast_signed() < 0 {
            // Whatever is to fail once has failed.
            self.free |= pending.error.is_some() && matches!(self.plan.act, Act::Once(_));
            return;
        }
        self.descriptors.note(&pending.call, result);
        if pending.rotated {
            self.tries(pending.kind).done += 1;
        }
    }

    fn kill(&mut self, entered: Option<Call>) {
        self.seen.hit = Some(match entered {
            Some(call) => format!("the entry of {}", name(call.number)),
            None => "the exit of a call".into(),
        });
        let _gone = kill(self.main, Signal::SIGKILL);
        self.free = true;
    }
}

/// What the system returns for an error.
fn failure(error: Errno) -> u64 {
    (-i64::from(error as i32)).cast_unsigned()
}

/// A call for a message, with its path or descriptor.
fn name_of(thread: Pid, call: &Call) -> String {
    let [first, second, ..] = call.arguments;
    let path = match call.number {
        libc::SYS_openat | libc::SYS_newfstatat | libc::SYS_statx => second,
        _ => first,
    };
    let what = text_at(thread, path).unwrap_or_else(|| format!("descriptor {first}"));
    format!("{} of {what}", name(call.number))
}

/// The name at the end of a path in the process's memory, if there is one.
fn text_at(thread: Pid, mut address: u64) -> Option<String> {
    let mut text = Vec::new();
    while text.len() < 4096 {
        let word = ptrace::read(thread, address as *mut libc::c_void).ok()?;
        for byte in word.to_ne_bytes() {
            if byte == 0 {
                let text = String::from_utf8(text).ok()?;
                let name = text.rsplit('/').next().map(str::to_owned);
                return name.filter(|name| !name.is_empty());
            }
            text.push(byte);
        }
        address += 8;
    }
    None
}
