//! F16, F17: the token is refused before its time, or nobody agrees on the time.

use std::path::Path;

use crate::process::Done;
use crate::round::{Check, Round, Stop, ensure};
use crate::world::{ACCOUNT, World};

/// F16: each refusal by the API costs one renewal and no more.
pub(crate) fn forced(round: &mut Round) -> Check {
    let world = World::new(round.vendor())?;
    world.give_session(ACCOUNT)?;
    for call in 1..=4 {
        world.server().expire_access_tokens();
        let done = world.run(&world.token(ACCOUNT, &["--force-refresh"]))?;
        world.check_answer(&done, ACCOUNT)?;
        ensure!(
            world.refreshes() == call,
            "not one renewal for each refusal"
        );
        world.check_next_call(ACCOUNT)?;
        ensure!(world.refreshes() == call, "renewed without need");
        round.outcome("exit 0, 1 renewal");
    }
    world.check_no_reuse()
}

/// F17: this computer's clock jumps about, as `faketime` makes the process believe.
pub(crate) fn shifted(round: &mut Round) -> Check {
    if !Path::new("/usr/bin/faketime").exists() {
        return Err(Stop::Skipped("faketime is not installed".into()));
    }
    let world = World::new(round.vendor())?;
    world.give_session(ACCOUNT)?;
    let mut shifts = vec!["+1h", "-1h", "+10y", "-10y", "+0"];
    // Another order every time, each twice in a row.
    while !shifts.is_empty() {
        let at = usize::try_from(round.random.below(shifts.len() as u64)).unwrap();
        let shift = shifts.remove(at);
        for _ in 0..2 {
            let launcher = ["faketime", "--exclude-monotonic", "-f", shift];
            let words = world.token(ACCOUNT, &[]);
            let asked = world.refreshes();
            let done = world.run_command(&mut world.launched_by(&launcher, &words))?;
            one_call(&world, &done, asked, shift)?;
            let renewed = world.refreshes() - asked;
            round.outcome(format!("{shift}: exit 0 with {renewed} renewals"));
        }
    }
    world.check_no_reuse()
}

/// F17: the clock that is wrong is the vendor's.
pub(crate) fn vendor_shifted(round: &mut Round) -> Check {
    let world = World::new(round.vendor())?;
    let wrong = [3600, -3600, 315_360_000, -315_360_000];
    let seconds = *round.random.one_of(&wrong);
    // A device code with an absolute end (MiniMax) may be over at once: that is told at sign-in.
    world.give_session(ACCOUNT)?;
    world.kit.set_date_offset(seconds);
    world.expire(ACCOUNT)?;
    for _ in 0..3 {
        let asked = world.refreshes();
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        one_call(&world, &done, asked, "the vendor's clock")?;
        let (hours, renewed) = (seconds / 3600, world.refreshes() - asked);
        round.outcome(format!("{hours:+} h: exit 0 with {renewed} renewals"));
    }
    world.check_no_reuse()
}

fn one_call(world: &World, done: &Done, asked: u64, what: &str) -> Check {
    ensure!(done.code == Some(0), "{what}: {}", world.tell(done));
    let stored = world.check_kept(ACCOUNT)?;
    ensure!(
        done.token() == Some(&stored.access),
        "printed and stored differ"
    );
    ensure!(
        world.refreshes() <= asked + 1,
        "{what}: more than one renewal in a call"
    );
    world.check_tidy()
}
