//! A process whose system calls are counted, failed or cut off (`ptrace`).
//!
//! See decision 0033.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::injector::{Act, Aim, Plan, Seen, Tries};
use crate::process::{Done, FOREVER};
use crate::ptrace_attach::{Attached, failed, ours};
use crate::round::{Check, ensure};
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
    /// The server has rotated.
    late: bool,
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
    let (attached, input) = Attached::start(command)?;
    drop(input);
    let main = attached.main;
    let mut tracer = Tracer {
        plan,
        rotated,
        main,
        executed: false,
        begun: false,
        late: false,
        free: false,
        descriptors: Descriptors::default(),
        pending: BTreeMap::new(),
        seen: Seen::default(),
    };
    let hung = AtomicBool::new(false);
    let end = std::thread::scope(|scope| {
        let (over, watched) = mpsc::channel::<()>();
        let hung = &hung;
        scope.spawn(move || {
            if watched.recv_timeout(FOREVER) == Err(mpsc::RecvTimeoutError::Timeout) {
                hung.store(true, Ordering::SeqCst);
                let _gone = kill(main, Signal::SIGKILL);
            }
        });
        let end = tracer.follow();
        drop(over);
        end
    })
    .map_err(failed)?;
    ensure!(
        !hung.load(Ordering::SeqCst),
        "a process hung for {} s after {}",
        FOREVER.as_secs(),
        tracer.seen.hit.as_deref().unwrap_or("nothing")
    );
    Ok((attached.finish(end)?, tracer.seen))
}

impl Tracer<'_> {
    /// Until the last thread is gone; gives the end of the process.
    fn follow(&mut self) -> nix::Result<WaitStatus> {
        let mut end = WaitStatus::StillAlive;
        loop {
            match waitpid(None, Some(ours())) {
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

    /// A thread may be killed at any moment, so a request to it may come too late.
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
        self.late = self.late || (self.begun && (self.rotated)());
        let Ok(mut registers) = ptrace::getregs(thread) else {
            return;
        };
        let (end, call) = if let Some(pending) = self.pending.remove(&thread) {
            if let Some(error) = pending.error {
                registers.rax = failure(error);
                let _gone = ptrace::setregs(thread, registers);
            }
            self.at_exit(&pending, registers.rax);
            ("exit", pending.call)
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
            ("entry", call)
        } else {
            // The exit of a call that began before the watch did.
            return;
        };
        if !self.begun {
            return;
        }
        let counts = &mut self.seen.counts;
        counts.stops += 1;
        counts.late_stops += u64::from(self.late);
        let count = match self.plan.aim {
            Aim::Stops => counts.stops,
            Aim::LateStops => counts.late_stops,
            _ => return,
        };
        if count == self.plan.at {
            self.seen.hit = Some(format!("the {end} of {}", name(call.number)));
            let _gone = kill(self.main, Signal::SIGKILL);
            self.free = true;
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
            rotated: weighs && self.late,
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
    let name = name(call.number);
    match text_at(thread, path) {
        Some(text) => format!("{name} of {text}"),
        None if first < 1 << 16 => format!("{name} of descriptor {first}"),
        None => name,
    }
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
