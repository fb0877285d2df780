//! F16, F17: the API rejects the token before it expires, or two clocks differ.

use std::path::Path;

use serde_json::Value;

use crate::process::Done;
use crate::round::{Check, Round, Stop, ensure};
use crate::world::{ACCOUNT, World};

/// F16: each rejection by the API costs one refresh and no more.
pub(crate) fn forced(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    world.give_session(ACCOUNT)?;
    for call in 1..=4 {
        world.server().expire_access_tokens();
        let done = world.run(&world.token(ACCOUNT, &["--force-refresh"]))?;
        world.check_response(&done, ACCOUNT)?;
        ensure!(
            world.refreshes() == call,
            "not one refresh for each rejection"
        );
        world.check_next_call(ACCOUNT)?;
        ensure!(world.refreshes() == call, "renewed without need");
        round.outcome("exit 0, 1 refresh");
    }
    world.check_no_reuse()
}

/// F17: this computer's clock jumps about, as `faketime` makes the process believe.
pub(crate) fn faked(round: &mut Round) -> Check {
    if !Path::new("/usr/bin/faketime").exists() {
        return Err(Stop::Skipped("faketime is not installed".into()));
    }
    let world = World::new(round.provider())?;
    // With the command's own expiry, one hour from now.
    world.sign_in(ACCOUNT)?;
    let far = ["faketime", "--exclude-monotonic", "-f", "+10y"];
    let status = world.run_command(&mut world.launched_by(&far, &["status", "--json"]))?;
    let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
    if status["sessions"][0]["expires_in_seconds"].as_i64() > Some(0) {
        let why = "faketime does not reach the command, which reads its clock without libc";
        return Err(Stop::Skipped(why.into()));
    }
    for shift in shuffled(round, ["+1h", "-1h", "+10y", "-10y", "+0"]) {
        for _ in 0..2 {
            let launcher = ["faketime", "--exclude-monotonic", "-f", shift];
            let words = world.token(ACCOUNT, &[]);
            let asked = world.refreshes();
            let done = world.run_command(&mut world.launched_by(&launcher, &words))?;
            one_call(&world, &done, asked, shift)?;
            let refreshed = world.refreshes() - asked;
            round.outcome(format!("{shift}: exit 0 with {refreshed} refreshes"));
        }
    }
    world.check_no_reuse()
}

/// F17: the same jumps, seen from the far side: everything the file remembers and the provider's
/// `Date` are moved the other way, which is all that a process can check its clock by.
pub(crate) fn jumping(round: &mut Round) -> Check {
    const HOUR: i64 = 3600;
    const YEARS: i64 = 315_360_000;
    let world = World::new(round.provider())?;
    world.sign_in(ACCOUNT)?;
    let mut ahead = 0;
    for now_ahead in shuffled(round, [HOUR, -HOUR, YEARS, -YEARS, 0]) {
        move_file(&world, ahead - now_ahead)?;
        ahead = now_ahead;
        world.kit.set_date_offset(-ahead);
        for call in ["first", "next"] {
            let asked = world.refreshes();
            let done = world.run(&world.token(ACCOUNT, &[]))?;
            one_call(&world, &done, asked, "a jump")?;
            let refreshed = world.refreshes() - asked;
            ensure!(
                call == "first" || refreshed == 0,
                "renewed again {} h ahead, though nothing has changed",
                ahead / HOUR
            );
            round.outcome(format!("{call} call, {refreshed} refreshes"));
        }
    }
    world.check_no_reuse()
}

/// Moves the times that the file remembers.
fn move_file(world: &World, seconds: i64) -> Check {
    let mut json = world.session(ACCOUNT)?.json;
    let moved = |time: &mut Value| {
        if let Some(at) = time.as_i64() {
            *time = (at + seconds * 1000).into();
        }
    };
    moved(&mut json["expires"]);
    for name in ["signed_in_at", "renewed_at"] {
        if let Some(time) = json["llm_auth"].get_mut(name) {
            moved(time);
        }
    }
    Ok(std::fs::write(world.file(ACCOUNT), json.to_string())?)
}

fn shuffled<T, const N: usize>(round: &mut Round, all: [T; N]) -> Vec<T> {
    let mut left = Vec::from(all);
    let mut order = Vec::new();
    while !left.is_empty() {
        let at = usize::try_from(round.random.below(left.len() as u64)).unwrap();
        order.push(left.remove(at));
    }
    order
}

/// F17: the clock that is wrong is the provider's.
pub(crate) fn provider_shifted(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    let wrong = [3600, -3600, 315_360_000, -315_360_000];
    let seconds = *round.random.one_of(&wrong);
    // A device code with an absolute end (MiniMax) may be over at once: the sign-in reports that.
    world.give_session(ACCOUNT)?;
    world.kit.set_date_offset(seconds);
    world.expire(ACCOUNT)?;
    for _ in 0..3 {
        let asked = world.refreshes();
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        one_call(&world, &done, asked, "the provider's clock")?;
        let (hours, refreshed) = (seconds / 3600, world.refreshes() - asked);
        round.outcome(format!("{hours:+} h: exit 0 with {refreshed} refreshes"));
    }
    world.check_no_reuse()
}

fn one_call(world: &World, done: &Done, asked: u64, what: &str) -> Check {
    ensure!(done.code == Some(0), "{what}: {}", world.describe(done));
    let stored = world.check_kept(ACCOUNT)?;
    ensure!(
        done.token() == Some(&stored.access),
        "printed and stored differ"
    );
    ensure!(
        world.refreshes() <= asked + 1,
        "{what}: more than one refresh in a call"
    );
    world.check_tidy()
}
