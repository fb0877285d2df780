//! F42: each system call of a refresh fails, once or from there on, or is the last.
//!
//! Every round has a provider and a session of its own: one traced `llm-auth token`, and one that
//! must succeed without faults.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use llm_auth_testkit::{Fault, Operation, Provider};
use nix::errno::Errno;

use crate::process::Done;
use crate::ptrace_attach::WAITING;
use crate::round::{Check, Round, Stop, ensure};
#[cfg(target_arch = "x86_64")]
use crate::tracer;
#[cfg(not(target_arch = "x86_64"))]
use crate::tracer_unsupported as tracer;
use crate::world::{ACCOUNT, World};

const CERTIFICATES: &str = "ca.pem";

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Aim {
    /// Calls of files and directories.
    Files,
    /// Calls that start a thread.
    Threads,
    /// Calls that ask for memory.
    Memory,
    /// Entries and exits of every call.
    Stops,
    /// Those after the server had rotated: few, and always in the same order.
    LateStops,
}

/// What happens there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Nothing: the calls are counted.
    Watch,
    /// The call fails with this error, and no other.
    Once(Errno),
    /// This call and all of its kind after it fail.
    Lasting(Errno),
    /// SIGKILL.
    Kill,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) aim: Aim,
    /// At which of them, from 1 on.
    pub(crate) at: u64,
    pub(crate) act: Act,
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) files: u64,
    pub(crate) threads: u64,
    pub(crate) memory: u64,
    pub(crate) stops: u64,
    pub(crate) late_stops: u64,
}

/// What was tried and what succeeded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    pub(crate) tried: u64,
    pub(crate) done: u64,
}

/// What the tracer saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) counts: Counts,
    /// The call at which it happened.
    pub(crate) hit: Option<String>,
    /// Writes and syncs to files after the server had rotated.
    pub(crate) writes: Tries,
    pub(crate) syncs: Tries,
}

/// How many calls a refresh without faults has, counted once; one, if they cannot be counted:
/// its round gives the reason.
pub(crate) fn points(aim: Aim) -> u64 {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    let counts = COUNTS.get_or_init(|| counted().unwrap_or_default());
    let count = match aim {
        Aim::Files => counts.files,
        Aim::Threads => counts.threads,
        Aim::Memory => counts.memory,
        Aim::Stops => counts.stops,
        Aim::LateStops => counts.late_stops,
    };
    count.max(1)
}

fn counted() -> Check<Counts> {
    let watch = Plan {
        aim: Aim::Stops,
        at: 0,
        act: Act::Watch,
    };
    let (_world, _done, seen) = traced(watch, Duration::ZERO)?;
    Ok(seen.counts)
}

/// A file call fails once.
pub(crate) fn file_once<const ERROR: i32>(round: &mut Round) -> Check {
    inject(round, Aim::Files, Act::Once(Errno::from_raw(ERROR)))
}

/// A file call fails, and every one after it.
pub(crate) fn file_lasting<const ERROR: i32>(round: &mut Round) -> Check {
    inject(round, Aim::Files, Act::Lasting(Errno::from_raw(ERROR)))
}

/// No thread can be started once.
pub(crate) fn thread_once(round: &mut Round) -> Check {
    inject(round, Aim::Threads, Act::Once(Errno::EAGAIN))
}

/// No thread can be started any more.
pub(crate) fn thread_lasting(round: &mut Round) -> Check {
    inject(round, Aim::Threads, Act::Lasting(Errno::EAGAIN))
}

/// The same while the server takes so long that idle threads end: a save then needs a new one.
pub(crate) fn thread_lasting_slowly(round: &mut Round) -> Check {
    let slow = Duration::from_secs(11);
    inject_with(round, Aim::Threads, Act::Lasting(Errno::EAGAIN), slow)
}

/// No memory any more. Rust ends a program that gets none, so this only shows what happens.
pub(crate) fn memory(round: &mut Round) -> Check {
    inject(round, Aim::Memory, Act::Lasting(Errno::ENOMEM))
}

/// SIGKILL at one stop of one call.
pub(crate) fn killed(round: &mut Round) -> Check {
    inject(round, Aim::Stops, Act::Kill)
}

/// SIGKILL at one stop after the rotation.
pub(crate) fn killed_late(round: &mut Round) -> Check {
    inject(round, Aim::LateStops, Act::Kill)
}

/// The server rotates at once, and then takes this long for its response.
fn traced(plan: Plan, slow: Duration) -> Check<(World, Done, Seen)> {
    let world = World::with_expired_session(Provider::Qwen)?;
    if !slow.is_zero() {
        let slow = Fault::delay(slow).after();
        world.server().fault(Operation::Refresh, slow);
    }
    let words = world.token(ACCOUNT, &[]);
    let launcher = ["sh", "-c", WAITING, "torture"];
    let mut command = world.launched_by(&launcher, &words);
    world.trust_little(&mut command)?;
    let rotated = || world.server().counters().refresh_ok > 0;
    let (done, seen) = tracer::run(&mut command, plan, &rotated)?;
    Ok((world, done, seen))
}

fn inject(round: &mut Round, aim: Aim, act: Act) -> Check {
    inject_with(round, aim, act, Duration::ZERO)
}

fn inject_with(round: &mut Round, aim: Aim, act: Act, slow: Duration) -> Check {
    let all = points(aim);
    // In a long run every one has its turn.
    let at = if round.long {
        round.index % all
    } else {
        round.random.below(all)
    };
    let plan = Plan {
        aim,
        at: at + 1,
        act,
    };
    let (world, done, seen) = traced(plan, slow)?;
    ensure!(seen.counts.stops > 0, "the tracer saw no call at all");
    // N2, whatever happened.
    world.session(ACCOUNT)?;
    let printed = done
        .token()
        .is_none_or(|token| world.server().is_live_access(token));
    let hit = seen.hit.as_deref().unwrap_or("nothing");
    if matches!(act, Act::Kill) && done.killed() {
        round.tally.kills += 1;
    }
    let rotated = world.server().counters().refresh_ok > 0;
    let place = if rotated { "after" } else { "before" };
    match next_call(&world) {
        Err(Stop::Lost(_)) if may_lose(act, &seen, rotated) => {
            round.tally.impossible += 1;
            let call = hit.split(" of ").next().unwrap_or_default();
            round.note(match act {
                Act::Kill => "impossible".to_owned(),
                _ => format!("impossible from {call} on"),
            });
        }
        Err(Stop::Lost(why)) if aim == Aim::Memory => {
            round.note(format!("lost, only shown: {}", first_words(&why)));
        }
        Err(Stop::Lost(why)) => {
            round.outcome("LOST");
            return Err(Stop::Lost(format!(
                "{why}; number {} was {hit}: {}",
                plan.at,
                world.describe(&done)
            )));
        }
        other => other?,
    }
    if aim == Aim::Memory {
        round.outcome(format!("{} {place} the rotation", done.end()));
        return Ok(());
    }
    round.outcome(match seen.hit {
        None => "came to no such call".to_owned(),
        Some(_) => format!("{} {place} the rotation", done.end()),
    });
    ensure!(
        printed,
        "a dead token was printed; number {} was {hit}",
        plan.at
    );
    judge(&world, act, &done, &seen)
        .map_err(|stop| named(stop, &format!("number {} was {hit}", plan.at)))
}

/// The fault is over: a forced refresh works, and both sides agree.
pub(crate) fn next_call(world: &World) -> Check {
    world.server().clear_faults();
    let words = world.token(ACCOUNT, &["--force-refresh"]);
    let mut command = world.command(&words);
    world.trust_little(&mut command)?;
    let next = world.run_command(&mut command)?;
    if next.code != Some(0) {
        return Err(Stop::Lost(format!(
            "the next call failed: {}",
            world.describe(&next)
        )));
    }
    world.check_response(&next, ACCOUNT)?;
    world.check_no_reuse()
}

/// Whether the fault itself left no way to keep the successor. A call that fails once can be
/// repeated.
fn may_lose(act: Act, seen: &Seen, rotated: bool) -> bool {
    let none = |tries: Tries| tries.tried > 0 && tries.done == 0;
    match act {
        Act::Lasting(_) => rotated && (none(seen.writes) || none(seen.syncs)),
        Act::Kill => rotated && (seen.writes.done == 0 || seen.syncs.done == 0),
        Act::Watch | Act::Once(_) => false,
    }
}

/// It ended by its own will, with the right verdict, and named the cause.
fn judge(world: &World, act: Act, done: &Done, seen: &Seen) -> Check {
    world.check_output(done)?;
    let error = match act {
        Act::Once(error) | Act::Lasting(error) => error,
        Act::Kill => {
            let fine = done.killed() || done.code == Some(0);
            ensure!(fine, "not killed: {}", world.describe(done));
            return Ok(());
        }
        Act::Watch => return Ok(()),
    };
    match done.code {
        Some(0) => ensure!(done.token().is_some(), "exit 0 and no token"),
        // The session lives, so the user is not to be sent to sign in. The TLS library keeps the
        // error of a certificate file to itself: then the file must be named.
        Some(1 | 4) => ensure!(
            seen.hit.is_none()
                || done.err.contains(&words_of(error))
                || done.err.contains(CERTIFICATES),
            "the cause is not named: {}",
            world.describe(done)
        ),
        _ => ensure!(false, "{}", world.describe(done)),
    }
    Ok(())
}

/// The name that the system gives it.
pub(crate) fn words_of(error: Errno) -> String {
    let text = std::io::Error::from_raw_os_error(error as i32).to_string();
    let words = text.split(" (os error").next();
    words.unwrap_or_default().to_owned()
}

fn named(stop: Stop, what: &str) -> Stop {
    match stop {
        Stop::Broken(why) => Stop::Broken(format!("{why}; {what}")),
        other => other,
    }
}

fn first_words(why: &str) -> &str {
    why.split(':').next().unwrap_or_default()
}

impl World {
    /// One certificate in place of the system's hundreds, which would be most of the calls.
    fn trust_little(&self, command: &mut Command) -> Check {
        static CERTIFICATE: OnceLock<String> = OnceLock::new();
        let text = CERTIFICATE.get_or_init(|| {
            let name = vec!["ca.example.com".to_owned()];
            let made = rcgen::generate_simple_self_signed(name).unwrap();
            made.cert.pem()
        });
        let file = self.directory.path().join(CERTIFICATES);
        std::fs::write(&file, text)?;
        command.env("SSL_CERT_FILE", file);
        Ok(())
    }
}
