//! F4: a polite signal never loses anything.

use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Done, start};
use crate::recording_proxy::Seen;
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Anywhere between the start of the process and its end.
pub(crate) fn at_any_moment(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let (signal, code) = *round.random.one_of(&SIGNALS);
    let mut proxy = world.proxy()?;
    let slow = Duration::from_millis(20);
    proxy.slow_down(round.random.time(slow), round.random.time(slow));
    let running = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, &[])));
    // The moment of the signal is the fault.
    std::thread::sleep(round.random.time(round.pace + slow));
    running.signal(signal);
    let done = world.finish(running)?;
    judge(round, &world, &before, &done, code, &proxy.settle())
}

/// The provider has rotated, and the response arrives around the signal.
pub(crate) fn response_on_its_way(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let (signal, code) = *round.random.one_of(&SIGNALS);
    let mut proxy = world.proxy()?;
    proxy.hold_responses();
    let running = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, &[])));
    proxy.wait_for("the provider's answer", |seen| seen.answered > 0)?;
    let signal_first = round.random.happens(50);
    if signal_first {
        running.signal(signal);
        if round.random.happens(50) {
            running.wait_for_words("finishing what a server was asked for")?;
        }
        proxy.release();
    } else {
        proxy.release();
        std::thread::sleep(round.random.time(Duration::from_millis(6)));
        running.signal(signal);
    }
    let done = world.finish(running)?;
    ensure!(
        !signal_first || done.code == Some(code),
        "{}",
        world.describe(&done)
    );
    judge(round, &world, &before, &done, code, &proxy.settle())
}

fn judge(
    round: &mut Round,
    world: &World,
    before: &Session,
    done: &Done,
    code: i32,
    seen: &Seen,
) -> Check {
    let stored = world.session(ACCOUNT)?;
    world.check_generation(&stored)?;
    let refreshed = stored.refresh != before.refresh;
    ensure_kept!(
        refreshed == (seen.sent > 0),
        "the refresh that had begun was not stored: {}",
        world.describe(done)
    );
    // Before the command listens to signals the system ends it, and then nothing has begun.
    let by_default = done.signal.is_some() && seen.requests == 0;
    let fine = by_default || done.code == Some(code) || done.code == Some(0);
    ensure!(fine, "{}", world.describe(done));
    ensure!(
        (done.code == Some(0)) == done.token().is_some(),
        "a token from a command that was interrupted, or none from one that was not"
    );
    world.check_printed(done, ACCOUNT)?;
    world.check_modes()?;
    let asked = world.refreshes();
    world.check_next_call(ACCOUNT)?;
    ensure!(
        world.refreshes() == asked + u64::from(!refreshed),
        "N3: the stored refresh was not used"
    );
    world.check_no_reuse()?;
    round.outcome(match (refreshed, done.code) {
        (true, Some(0)) => "ended before the signal".to_owned(),
        (true, _) => format!("exit {code}, stored"),
        (false, Some(_)) => format!("exit {code}, nothing begun"),
        (false, None) => "ended while starting, nothing begun".to_owned(),
    });
    Ok(())
}
