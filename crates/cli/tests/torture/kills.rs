//! F3: SIGKILL at random moments, three processes at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::ledger::Pair;
use crate::process::{Done, Running, start};
use crate::random::Random;
use crate::recording_proxy::{RecordingProxy, Seen};
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

const OTHER: &str = "other";

/// The most that the network adds on each way.
const SLOW: Duration = Duration::from_millis(30);

/// What a kill is counted from.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// The start of the process.
    Start,
    /// Its request is on its way.
    Request,
    /// The provider has rotated.
    Rotation,
    /// The response has come: now it is saved.
    Answer,
    /// It prints.
    Output,
}

#[derive(Debug)]
struct Plan {
    aim: Aim,
    after: Duration,
    forced: bool,
}

/// With a grace window every session must survive every kill (N5 never happens, F6).
pub(crate) fn with_grace(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    world.server().set_grace(Duration::from_secs(3600));
    world.give_session(ACCOUNT)?;
    world.expire(ACCOUNT)?;
    let killed = massacre(round, &world)?;
    for one in &killed.processes {
        let fine = one.done.killed() || one.done.code == Some(0);
        ensure_kept!(
            fine,
            "a process that was not killed: {}",
            world.describe(&one.done)
        );
    }
    let lost = !world.is_live(&killed.session.refresh);
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    if lost {
        round.note("recovered in the grace window");
    }
    Ok(())
}

/// Without one a session may be lost only in the one way that N5 allows, and the command reports that.
pub(crate) fn without_grace(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    for account in [ACCOUNT, OTHER] {
        world.give_session(account)?;
    }
    for account in [ACCOUNT, OTHER] {
        world.expire(account)?;
    }
    let killed = massacre(round, &world)?;
    let live = world.is_live(&killed.session.refresh);
    let told_so = |done: &Done| done.code == Some(3) && done.err.contains("was lost");
    for one in &killed.processes {
        let fine = one.done.killed() || one.done.code == Some(0) || (!live && told_so(&one.done));
        ensure!(
            fine,
            "a process that was not killed: {}",
            world.describe(&one.done)
        );
    }
    if live {
        world.check_next_call(ACCOUNT)?;
        return world.check_no_reuse();
    }
    // The proof: a process had its request taken by the provider, and died before it could save.
    let proven = killed.processes.iter().any(|one| {
        let saved = one.seen.delivered_access.iter();
        let mut saved = saved.filter(|access| killed.stored.contains(*access));
        one.done.killed() && one.seen.sent > 0 && saved.next().is_none()
    });
    ensure_kept!(proven, "a session was lost, and no kill explains it");
    ensure_kept!(
        killed.session.notes_an_intent() || killed.session.is_marked_refused(),
        "a refresh was cut off, and the file does not record it"
    );
    let before = world.session(ACCOUNT)?;
    for _ in 0..2 {
        let next = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(
            told_so(&next),
            "after an allowed loss: {}",
            world.describe(&next)
        );
    }
    let after = world.session(ACCOUNT)?;
    ensure_kept!(after.has_same_tokens(&before), "N4: the tokens were erased");
    ensure!(
        after.is_marked_refused(),
        "the session is not marked as over"
    );
    let other = world.run(&world.token(OTHER, &[]))?;
    world.check_response(&other, OTHER)?;
    if round.random.happens(10) {
        world.sign_in(ACCOUNT)?;
        world.check_next_call(ACCOUNT)?;
    }
    round.tally.allowed += 1;
    Ok(())
}

/// What is left of three processes.
#[derive(Debug)]
struct Killed {
    processes: Vec<Victim>,
    session: Session,
    /// All access tokens that were seen in the file.
    stored: BTreeSet<String>,
}

#[derive(Debug)]
struct Victim {
    done: Done,
    seen: Seen,
}

fn massacre(round: &mut Round, world: &World) -> Check<Killed> {
    let first = world.session(ACCOUNT)?;
    let mut slowness = || match round.random.happens(50) {
        true => round.random.time(SLOW),
        false => Duration::ZERO,
    };
    let (there, back) = (slowness(), slowness());
    let length = (round.pace + there + back).mul_f64(1.3);
    let plans: Vec<Plan> = (0..3).map(|_| plan(&mut round.random, length)).collect();
    let forced = plans.iter().filter(|plan| plan.forced).count() as u64;
    let over = AtomicBool::new(false);
    let file = world.file(ACCOUNT);
    let (mut processes, stored) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&file, &over));
        let victims: Vec<_> = plans
            .iter()
            .map(|plan| scope.spawn(move || victim(world, plan, there, back, length)))
            .collect();
        let ends: Vec<Check<Victim>> = victims.into_iter().map(|one| one.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        (ends, watching.join().unwrap())
    });
    let processes = processes.drain(..).collect::<Check<Vec<Victim>>>()?;
    let session = world.session(ACCOUNT)?;
    let mut stored = stored?;
    stored.push(session.pair());
    for pair in &stored {
        let known = world.ledger.holds(&pair.access, &pair.refresh);
        ensure_kept!(known, "N2: a reader saw a mixture of generations");
    }
    let stored: BTreeSet<String> = stored.into_iter().map(|pair| pair.access).collect();
    world.check_modes()?;
    for one in &processes {
        world.check_printed(&one.done, ACCOUNT)?;
    }
    // One refresh, and one more for each that was cut off or forced.
    let asked: u64 = processes
        .iter()
        .map(|one| u64::from(one.seen.requests))
        .sum();
    let cut_off = processes
        .iter()
        .filter(|one| one.done.killed() && one.seen.requests > 0);
    let allowed = 1 + forced + cut_off.count() as u64;
    ensure!(
        asked <= allowed,
        "N3: {asked} requests where {allowed} have a reason"
    );
    for one in &processes {
        count(round, one, &stored, &first);
    }
    Ok(Killed {
        processes,
        session,
        stored,
    })
}

fn plan(random: &mut Random, length: Duration) -> Plan {
    let (aim, after) = match random.below(10) {
        0..4 => (Aim::Start, length),
        4 => (Aim::Request, SLOW),
        5 => (Aim::Rotation, SLOW),
        6..9 => (Aim::Answer, Duration::from_millis(8)),
        _ => (Aim::Output, Duration::from_micros(200)),
    };
    Plan {
        aim,
        after: random.time(after),
        forced: random.happens(20),
    }
}

fn victim(
    world: &World,
    plan: &Plan,
    there: Duration,
    back: Duration,
    length: Duration,
) -> Check<Victim> {
    let mut proxy = world.proxy()?;
    proxy.slow_down(there, back);
    let more: &[&str] = if plan.forced {
        &["--force-refresh"]
    } else {
        &[]
    };
    let running = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, more)));
    let begun = Instant::now();
    await_aim(plan.aim, &running, &proxy, length * 2);
    // The moment of the kill is the fault: this sleep waits for nothing.
    let at = match plan.aim {
        Aim::Start => plan.after.saturating_sub(begun.elapsed()),
        _ => plan.after,
    };
    std::thread::sleep(at);
    running.signal(Signal::KILL);
    let done = world.finish(running)?;
    let seen = proxy.settle();
    Ok(Victim { done, seen })
}

/// A process that adopts what another refreshed never comes to some of these.
fn await_aim(aim: Aim, running: &Running, proxy: &RecordingProxy, limit: Duration) {
    let _came = match aim {
        Aim::Start => true,
        Aim::Request => proxy.comes_within(limit, |seen| seen.requests > 0),
        Aim::Rotation => proxy.comes_within(limit, |seen| seen.answered > 0),
        Aim::Answer => proxy.comes_within(limit, |seen| seen.delivered > 0),
        Aim::Output => running.wait_for_output(limit),
    };
}

/// Reads the file again and again: it is always there and whole (N2).
fn watch(file: &Path, over: &AtomicBool) -> Check<Vec<Pair>> {
    let mut seen = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let pair = Session::read(file)?.pair();
        if seen.last() != Some(&pair) {
            seen.push(pair);
        }
        // Leaves the processor to those that are watched.
        std::thread::sleep(Duration::from_micros(300));
    }
    Ok(seen)
}

fn count(round: &mut Round, one: &Victim, stored: &BTreeSet<String>, first: &Session) {
    let saved = one
        .seen
        .delivered_access
        .iter()
        .any(|access| stored.contains(access));
    let printed = one.done.token().is_some_and(|token| token != first.access);
    if !one.done.killed() {
        round.outcome(format!("ended before: {}", one.done.end()));
        return;
    }
    round.tally.kills += 1;
    round.outcome(if printed || saved {
        "killed after the save"
    } else if one.seen.delivered > 0 {
        "killed between response and save"
    } else if one.seen.answered > 0 {
        "killed after the rotation, before the response"
    } else if one.seen.requests > 0 {
        "killed with the request on its way"
    } else {
        "killed before any request"
    });
}
