//! F41: a child that was forked in mid-refresh has a copy of every descriptor, the lock's too,
//! until it comes to its `exec`. The tracer holds it there.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::{Done, FOREVER};
use crate::ptrace_attach::{Attached, WAITING, failed, ours};
use crate::round::{Check, Round, Stop, ensure};
use crate::runtimes::{expired, go, judge};
use crate::world::{ACCOUNT, World};

/// While the child is held, another process gets the token as soon as the refresh has ended.
pub(crate) fn in_mid_refresh(round: &mut Round) -> Check {
    let world = expired()?;
    let launcher = ["sh", "-c", WAITING, "torture"];
    let (attached, mut input) = Attached::start(&mut world.careless(&launcher, "child", &[]))?;
    let main = attached.main;
    let (end, other) = std::thread::scope(|scope| {
        let (forked, held) = channel();
        let (over, watched) = channel::<()>();
        let world = &world;
        let beside = scope.spawn(move || {
            let other = beside(world, &held, || go(&mut input));
            // Lets the child go on, and end.
            let _gone = kill(main, Signal::SIGCONT);
            drop(input);
            if watched.recv_timeout(FOREVER) == Err(RecvTimeoutError::Timeout) {
                let _gone = kill(main, Signal::SIGKILL);
            }
            other
        });
        let end = hold(main, &forked);
        drop(over);
        (end, beside.join().unwrap())
    });
    let (done, other) = (attached.finish(end.map_err(failed)?)?, other?);
    judge(round, &world, &done, &[0])?;
    ensure!(
        other.code == Some(0),
        "while the child was held, another process: {}",
        world.describe(&other)
    );
    Ok(())
}

fn beside(world: &World, held: &Receiver<()>, go: impl FnOnce()) -> Check<Done> {
    world.wait_for_server("the request", |seen| seen.refreshes > 0)?;
    go();
    held.recv_timeout(FOREVER)
        .map_err(|_late| Stop::Broken("no child was forked".into()))?;
    world.run(&world.token(ACCOUNT, &["--timeout", "3"]))
}

/// Lets everything run but a child process, which waits for a SIGCONT to its parent.
fn hold(main: Pid, forked: &Sender<()>) -> nix::Result<WaitStatus> {
    let mut end = WaitStatus::StillAlive;
    // Their first stop may come before their parent's event, and after it.
    let (mut stopped, mut known) = (BTreeSet::from([main]), BTreeSet::from([main]));
    let mut held = None;
    loop {
        let (thread, signal) = match waitpid(None, Some(ours())) {
            Ok(WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_STOP)) => {
                stopped.insert(thread);
                if !known.contains(&thread) {
                    continue;
                }
                (thread, None)
            }
            Ok(WaitStatus::PtraceEvent(thread, _, event)) => {
                let born = [
                    libc::PTRACE_EVENT_CLONE,
                    libc::PTRACE_EVENT_FORK,
                    libc::PTRACE_EVENT_VFORK,
                ];
                if born.contains(&event) {
                    let child = Pid::from_raw(i32::try_from(ptrace::getevent(thread)?).unwrap());
                    if event == libc::PTRACE_EVENT_CLONE {
                        release(child, &stopped, &mut known);
                    } else {
                        held = Some(child);
                        let _waiting = forked.send(());
                    }
                }
                (thread, None)
            }
            Ok(WaitStatus::Stopped(thread, signal)) => {
                if signal == Signal::SIGCONT
                    && let Some(child) = held.take()
                {
                    release(child, &stopped, &mut known);
                }
                (thread, Some(signal))
            }
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => {
                if status.pid() == Some(main) {
                    end = status;
                    // Nothing lets it go on any more.
                    if let Some(child) = held.take() {
                        release(child, &stopped, &mut known);
                    }
                }
                continue;
            }
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return Ok(end),
            Err(why) => return Err(why),
        };
        let _gone = ptrace::cont(thread, signal);
    }
}

fn release(child: Pid, stopped: &BTreeSet<Pid>, known: &mut BTreeSet<Pid>) {
    known.insert(child);
    if stopped.contains(&child) {
        let _gone = ptrace::cont(child, None);
    }
}
