//! A command of the user's that prints the key, such as `systemd-creds decrypt FILE -`.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::system::env::without_secrets;
use crate::ui::streams::say;

/// No key is longer.
pub(super) const LONGEST: u64 = 64 * 1024;

/// How long it runs before the user reads that the command waits for it.
const QUIET: Duration = Duration::from_secs(2);

/// How long it may run: it may ask the user for a passphrase of its own.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks whether a command that has closed its output has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// What it prints.
pub(super) fn printed(command: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // In a group of its own it could not ask at the terminal.
    let group = match cfg!(unix) && std::fs::File::open("/dev/tty").is_err() {
        true => Group::Own,
        false => Group::OfThis,
    };
    printed_within(command, (QUIET, LIMIT), group)
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Group {
    /// It ends with all that it has started.
    Own,
    OfThis,
}

fn printed_within(
    command: &str,
    (quiet, limit): (Duration, Duration),
    group: Group,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |why: String| Failure::Config {
        message: format!("the command for the key {why}"),
        advice: format!("run it to see what it does: {command}"),
    };
    let begin = Instant::now();
    let mut child =
        start(command, group).map_err(|error| failed(format!("cannot be run: {error}")))?;
    let (sender, printed) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            // Its room is enough, so that it does not grow and leave a copy.
            let mut key = Zeroizing::new(Vec::with_capacity(8 * 1024));
            let read = output.take(LONGEST).read_to_end(&mut key);
            drop(sender.send(read.map(|_length| key)));
        });
    }
    let mut read = printed.recv_timeout(quiet);
    if let Err(RecvTimeoutError::Timeout) = read {
        say("Waiting for the command for the key (Ctrl+C ends it).");
        read = printed.recv_timeout(limit.saturating_sub(begin.elapsed()));
    }
    let late = || format!("did not end within {} s", limit.as_secs_f32());
    let key = match read {
        Ok(Ok(key)) => key,
        Ok(Err(error)) => {
            end(&mut child, group);
            return Err(failed(format!("cannot be read: {error}")));
        }
        Err(_timeout) => {
            end(&mut child, group);
            return Err(failed(late()));
        }
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(key),
            Ok(Some(status)) => return Err(failed(format!("failed ({status})"))),
            Ok(None) if begin.elapsed() < limit => std::thread::sleep(PAUSE),
            Ok(None) => {
                end(&mut child, group);
                return Err(failed(late()));
            }
            Err(error) => return Err(failed(format!("does not end: {error}"))),
        }
    }
}

fn start(command: &str, group: Group) -> io::Result<Child> {
    let (shell, flag) = match cfg!(windows) {
        true => ("cmd", "/C"),
        false => ("sh", "-c"),
    };
    let mut program = Command::new(shell);
    program
        .args([flag, command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    without_secrets(&mut program);
    #[cfg(unix)]
    if group == Group::Own {
        std::os::unix::process::CommandExt::process_group(&mut program, 0);
    }
    #[cfg(not(unix))]
    let _one_for_all = group;
    program.spawn()
}

fn end(child: &mut Child, group: Group) {
    #[cfg(unix)]
    if group == Group::Own {
        use rustix::process::{Pid, Signal, kill_process_group};
        let leader = Pid::from_child(child);
        let _ended_before = kill_process_group(leader, Signal::KILL);
    }
    #[cfg(not(unix))]
    let _one_for_all = group;
    let _ended_before = child.kill();
    let _status = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The second one closes its output, and the third one leaves that to another process.
        for command in [
            "sleep 300",
            "exec >&-; sleep 300",
            &format!("sleep 300 & echo $! > '{}'; wait", pid.display()),
        ] {
            let limits = (Duration::ZERO, Duration::from_millis(200));
            let failure = printed_within(command, limits, Group::Own).unwrap_err();
            let message = failure.message();
            assert_eq!(message, "the command for the key did not end within 0.2 s");
        }
        let started = std::fs::read_to_string(pid).unwrap();
        let started = rustix::process::Pid::from_raw(started.trim().parse().unwrap()).unwrap();
        // It ends in a moment, and may be a zombie until another process waits for it.
        let state = || std::fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z") {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_a_command_prints_late_is_the_key() {
        let limits = (Duration::ZERO, LONG);
        for group in [Group::Own, Group::OfThis] {
            let key = printed_within("sleep 0.1; echo made-up", limits, group).unwrap();
            assert_eq!(key.as_slice(), b"made-up\n");
            printed_within("echo made-up; exit 7", limits, group).unwrap_err();
        }
    }
}
