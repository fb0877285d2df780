//! F25: the last login or logout of the user wins.

use std::time::Duration;

use llm_auth_testkit::Approval;

use crate::process::{Running, start};
use crate::recording_proxy::RecordingProxy;
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::world::{ACCOUNT, World};

const PATIENCE: Duration = Duration::from_secs(15);

/// A refresh that has the provider's response before it, and others that wait for the lock.
fn refreshing(world: &World, proxy: &RecordingProxy) -> Check<Running> {
    proxy.hold_responses();
    let running = start(&mut world.command_via(proxy, &world.token(ACCOUNT, &[])));
    proxy.wait_for("the provider's answer", |seen| seen.answered > 0)?;
    Ok(running)
}

fn at_the_lock(world: &World, running: &Running) -> Check {
    let there = running.wait_until_open(&world.lock_file(ACCOUNT), PATIENCE);
    ensure!(there, "a process did not come to the lock");
    Ok(())
}

/// After a logout nothing rises again, whatever was under way.
pub(crate) fn logout_during_renewal(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let mut proxy = world.proxy()?;
    let refresh = refreshing(&world, &proxy)?;
    let logout = world.start(&["logout", world.provider.name()]);
    let waiting = world.start(&world.token(ACCOUNT, &[]));
    for one in [&logout, &waiting] {
        at_the_lock(&world, one)?;
    }
    proxy.release();
    let refreshed = world.finish(refresh)?;
    let (logout, waiting) = (world.finish(logout)?, world.finish(waiting)?);
    proxy.settle();
    for done in [&refreshed, &logout] {
        ensure!(done.code == Some(0), "{}", world.describe(done));
    }
    // It came to the lock before the logout, or after it.
    ensure!(
        matches!(waiting.code, Some(0 | 3)),
        "{}",
        world.describe(&waiting)
    );
    let asked = world.refreshes();
    ensure!(asked == 1, "N3: {asked} refreshes");
    ensure!(!world.file(ACCOUNT).exists(), "the session rose again");
    let next = world.run(&world.token(ACCOUNT, &[]))?;
    ensure!(next.code == Some(3), "{}", world.describe(&next));
    ensure!(world.refreshes() == asked, "renewed after the logout");
    ensure!(!world.file(ACCOUNT).exists(), "the session rose again");
    ensure!(
        world.server().counters().reuse == 0,
        "N3: a spent token was used"
    );
    world.check_modes()?;
    world.check_tidy()?;
    round.outcome(format!("gone for good; one that waited: {}", waiting.end()));
    Ok(())
}

/// The session of the login stays, whether it began before the refresh or in its midst.
pub(crate) fn login_during_renewal(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let mut proxy = world.proxy()?;
    let words = ["login", world.provider.name(), "--no-browser"];
    let in_its_midst = (round.index / 2).is_multiple_of(2);
    let (login, refresh) = if in_its_midst {
        let refresh = refreshing(&world, &proxy)?;
        (world.start(&words), refresh)
    } else {
        world.server().set_approval(Approval::Manual);
        let login = world.start(&words);
        let asked = world.server().counters().polls;
        world.wait_for_server("a poll", |seen| seen.polls > asked)?;
        let refresh = refreshing(&world, &proxy)?;
        let before = world.server().counters().logins_ok;
        ensure!(
            world.server().approve_all() == 1,
            "no sign-in waits for approval"
        );
        world.wait_for_server("the login", |seen| seen.logins_ok > before)?;
        (login, refresh)
    };
    at_the_lock(&world, &login)?;
    proxy.release();
    let (refreshed, login) = (world.finish(refresh)?, world.finish(login)?);
    proxy.settle();
    for done in [&refreshed, &login] {
        ensure!(done.code == Some(0), "{}", world.describe(done));
    }
    let stored = world.check_kept(ACCOUNT)?;
    ensure_kept!(
        !world.ledger.holds(&stored.access, &stored.refresh),
        "the refresh of the old session replaced the new one"
    );
    let asked = world.refreshes();
    world.check_next_call(ACCOUNT)?;
    ensure!(world.refreshes() == asked, "renewed without need");
    world.expire(ACCOUNT)?;
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome(if in_its_midst {
        "begun in its midst: the login stays"
    } else {
        "begun before: the login stays"
    });
    Ok(())
}

/// One of them is the last.
pub(crate) fn two_logins(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    let words = ["login", world.provider.name(), "--no-browser"];
    let logins = [world.start(&words), world.start(&words)];
    for login in logins {
        let done = world.finish(login)?;
        ensure!(done.code == Some(0), "{}", world.describe(&done));
    }
    world.check_kept(ACCOUNT)?;
    world.check_next_call(ACCOUNT)?;
    world.expire(ACCOUNT)?;
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome("both exit 0, one whole session");
    Ok(())
}
