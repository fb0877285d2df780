//! F41: the caller's runtime, task, thread or process ends in mid-refresh.
//!
//! The server rotates when the request comes and takes 300 ms for its response. After each
//! program a forced refresh of the command on the same file must work.

use std::io::Write as _;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use llm_auth_core::{Clock as _, SystemClock};
use llm_auth_testkit::{Fault, Operation, Provider};

use crate::careless_programs::WAITS;
use crate::injector::next_call;
use crate::process::{Done, Running, start};
use crate::round::{Check, Round, Stop, ensure};
use crate::world::{ACCOUNT, World};

const SERVER_TAKES: Duration = Duration::from_millis(300);

/// One second before the end of the advisory window, in which callers do not wait.
const LEFT: Duration = Duration::from_secs(61);

pub(crate) fn expired() -> Check<World> {
    let world = World::with_expired_session(Provider::Qwen)?;
    let slow = Fault::delay(SERVER_TAKES).after().times(99);
    world.server().fault(Operation::Refresh, slow);
    Ok(world)
}

fn almost_expired() -> Check<World> {
    let world = expired()?;
    let mut session = world.session(ACCOUNT)?;
    let expiry = SystemClock.now().after(LEFT).as_unix_millis();
    session.json["expires"] = expiry.into();
    std::fs::write(world.file(ACCOUNT), session.json.to_string())?;
    Ok(world)
}

/// Starts a program, and waits until its request is at the server.
fn requesting(world: &World, name: &str, more: &[&str]) -> Check<(Running, ChildStdin)> {
    let mut command = world.careless(&[], name, more);
    let mut running = start(command.stdin(Stdio::piped()));
    let input = running.input().unwrap();
    world.wait_for_server("the request", |seen| seen.refreshes > 0)?;
    Ok((running, input))
}

/// Goes on with the program at the moment that it waits for.
pub(crate) fn go(input: &mut ChildStdin) {
    // It may have ended by itself.
    let _gone = input.write_all(b"go\n");
}

/// After the program: nothing is lost, and it ended as it must.
pub(crate) fn judge(round: &mut Round, world: &World, done: &Done, ends: &[i32]) -> Check {
    let begun = world.refreshes() > 0;
    let next = next_call(world);
    if matches!(next, Err(Stop::Lost(_))) {
        round.outcome("LOST");
    }
    next?;
    let what = if begun { "refreshed" } else { "nothing begun" };
    round.outcome(format!("{what}, {}", done.end()));
    let fine = done.code.is_some_and(|code| ends.contains(&code));
    ensure!(fine, "the program: {}", world.describe(done));
    world.check_output(done)
}

/// A program that gets its token at once, and ends at once, when the request is at the server, or
/// later in the life of the request.
fn ends_early(round: &mut Round, name: &str) -> Check {
    let world = almost_expired()?;
    let moment = round.index % 3;
    if moment == 0 {
        let done = world.run_unchecked(&mut world.careless(&[], name, &[]))?;
        return judge(round, &world, &done, &[0]);
    }
    let (running, mut input) = requesting(&world, name, &[WAITS])?;
    if moment == 1 {
        // The moment of the end is the fault: this sleep waits for nothing.
        std::thread::sleep(round.random.time(SERVER_TAKES * 3 / 2));
    }
    go(&mut input);
    let done = running.finish()?;
    judge(round, &world, &done, &[0])
}

/// `main` returns.
pub(crate) fn returns(round: &mut Round) -> Check {
    ends_early(round, "returns")
}

/// The manager is in a `static`.
pub(crate) fn in_a_static(round: &mut Round) -> Check {
    ends_early(round, "static")
}

/// `std::process::exit`.
pub(crate) fn exits(round: &mut Round) -> Check {
    ends_early(round, "exits")
}

/// The only thread blocks: another process must get the token meanwhile.
pub(crate) fn blocks(round: &mut Round) -> Check {
    let world = expired()?;
    let (running, mut input) = requesting(&world, "blocks", &[])?;
    go(&mut input);
    let other = world.run(&world.token(ACCOUNT, &["--timeout", "3"]))?;
    go(&mut input);
    let done = running.finish()?;
    judge(round, &world, &done, &[0])?;
    ensure!(
        other.code == Some(0),
        "while the thread was blocked, another process: {}",
        world.describe(&other)
    );
    Ok(())
}

/// Goes on with the program when the request is at the server, and waits for its end.
fn cut_off(round: &mut Round, name: &str, ends: &[i32]) -> Check {
    let world = expired()?;
    let (running, mut input) = requesting(&world, name, &[])?;
    go(&mut input);
    let done = running.finish()?;
    judge(round, &world, &done, ends)
}

/// One runtime per call, with a deadline.
pub(crate) fn deadline(round: &mut Round) -> Check {
    cut_off(round, "deadline", &[0, 4])
}

/// Two runtimes share a manager, and the one that began the refresh is gone.
pub(crate) fn two_runtimes(round: &mut Round) -> Check {
    cut_off(round, "two-runtimes", &[0, 4])
}

/// The last handle is dropped.
pub(crate) fn drops(round: &mut Round) -> Check {
    cut_off(round, "drops", &[0])
}

/// The thread that asked panics.
pub(crate) fn panics(round: &mut Round) -> Check {
    cut_off(round, "panics", &[0, 4])
}

/// No tokio at all.
pub(crate) fn plain(round: &mut Round) -> Check {
    by_itself(round, "plain")
}

/// The only thread of a runtime waits for the token, and is blocked by that.
pub(crate) fn nests(round: &mut Round) -> Check {
    by_itself(round, "nests")
}

fn by_itself(round: &mut Round, name: &str) -> Check {
    let world = expired()?;
    let done = world.run_unchecked(&mut world.careless(&[], name, &[]))?;
    judge(round, &world, &done, &[0])
}

/// A child that was started in mid-refresh lives on: the lock is free nevertheless.
pub(crate) fn child(round: &mut Round) -> Check {
    let world = expired()?;
    let (running, mut input) = requesting(&world, "child", &[])?;
    go(&mut input);
    let done = running.finish()?;
    let other = world.run(&world.token(ACCOUNT, &["--force-refresh", "--timeout", "3"]))?;
    // Now the child ends.
    drop(input);
    judge(round, &world, &done, &[0])?;
    ensure!(
        other.code == Some(0),
        "while the child lived, another process: {}",
        world.describe(&other)
    );
    Ok(())
}
