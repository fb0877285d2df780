//! F18, F22: the process that holds the lock is stopped, or dead.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::start;
use crate::round::{Check, Round, ensure};
use crate::world::{ACCOUNT, World};

/// F18: others wait no longer than their time limit, and then name the holder.
pub(crate) fn stopped(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let mut proxy = world.proxy()?;
    let answered = round.random.happens(50);
    if answered {
        proxy.hold_responses();
    } else {
        proxy.hold_requests();
    }
    let holder = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, &[])));
    proxy.wait_for("the request", |seen| {
        seen.requests > 0 && (!answered || seen.answered > 0)
    })?;
    holder.signal(Signal::STOP);
    let words = world.token(ACCOUNT, &["--timeout", "2"]);
    let others: Vec<_> = (0..3).map(|_| world.start(&words)).collect();
    for other in others {
        let done = world.finish(other)?;
        ensure!(done.code == Some(4), "{}", world.describe(&done));
        let id = holder.id().to_string();
        ensure!(
            done.err.contains(&id),
            "it does not name the process that holds the lock"
        );
        let took = done.took;
        ensure!(took < Duration::from_secs(20), "it waited {took:?}");
        round.outcome("exit 4, names the holder");
    }
    world.session(ACCOUNT)?;
    proxy.release();
    holder.signal(Signal::CONT);
    let done = world.finish(holder)?;
    proxy.settle();
    let stored = world.check_response(&done, ACCOUNT)?;
    world.check_generation(&stored)?;
    world.check_next_call(ACCOUNT)?;
    ensure!(
        world.refreshes() == 1,
        "N3: {} refreshes",
        world.refreshes()
    );
    world.check_no_reuse()?;
    round.note("holder: exit 0");
    Ok(())
}

/// F18: it sleeps past its own time limit while the response waits, as in a suspended computer.
/// The provider has grace: without it, what a request that timed out has done cannot be known.
pub(crate) fn overslept(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    world.server().set_grace(Duration::from_secs(3600));
    let mut proxy = world.proxy()?;
    proxy.hold_responses();
    let words = world.token(ACCOUNT, &["--timeout", "1"]);
    let holder = start(&mut world.command_via(&proxy, &words));
    proxy.wait_for("the provider's answer", |seen| seen.answered > 0)?;
    holder.signal(Signal::STOP);
    proxy.release();
    proxy.wait_for("the delivery", |seen| seen.delivered > 0)?;
    // Who gives up after twice the limit shows that the limit is over.
    let other = world.run(&world.token(ACCOUNT, &["--timeout", "2"]))?;
    ensure!(other.code == Some(4), "{}", world.describe(&other));
    holder.signal(Signal::CONT);
    let done = world.finish(holder)?;
    proxy.settle();
    let stored = world.check_response(&done, ACCOUNT)?;
    world.check_generation(&stored)?;
    world.check_no_reuse()?;
    round.outcome(format!("exit 0 with {} requests", world.refreshes()));
    Ok(())
}

/// F22: the lock dies with its holder.
pub(crate) fn dead(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let mut proxy = world.proxy()?;
    proxy.hold_requests();
    let holder = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, &[])));
    proxy.wait_for("the request", |seen| seen.requests > 0)?;
    holder.signal(Signal::KILL);
    let killed = world.finish(holder)?;
    ensure!(killed.killed(), "the holder was not killed");
    round.tally.kills += 1;
    // Nothing reached the provider, so nothing is lost, and one second is enough to wait.
    let next = world.run(&world.token(ACCOUNT, &["--timeout", "1"]))?;
    ensure!(
        proxy.settle().sent == 0,
        "the dead process's request was sent"
    );
    world.check_response(&next, ACCOUNT)?;
    ensure!(
        world.refreshes() == 1,
        "N3: {} refreshes",
        world.refreshes()
    );
    world.check_no_reuse()?;
    round.outcome("the next one goes on within 1 s");
    Ok(())
}

/// F22: neither the age nor the content of a lock file means anything, and it is not deleted.
pub(crate) fn left_behind(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let lock = world.lock_file(ACCOUNT);
    let mine = std::process::id().to_string();
    let contents = [
        "",
        "1",
        mine.as_str(),
        "99999999",
        "garbage\u{0}",
        "{\"pid\":1}",
    ];
    std::fs::write(&lock, round.random.one_of(&contents))?;
    std::fs::set_permissions(&lock, Permissions::from_mode(0o600))?;
    let next = world.run(&world.token(ACCOUNT, &["--timeout", "1"]))?;
    world.check_response(&next, ACCOUNT)?;
    ensure!(lock.exists(), "the lock file was deleted");
    world.check_no_reuse()?;
    round.outcome("ignored");
    Ok(())
}
