//! F5 to F11, F14, F15: what a vendor, or something in between, can answer.

use std::time::Duration;

use llm_auth_testkit::{Fault, Operation, Rotation};
use serde_json::json;

use crate::process::Done;
use crate::round::{Check, Round, Stop, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

/// More often than anybody asks.
const EVER: u32 = 99;
const OTHER: &str = "other";

/// How a call under a fault has to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// With a token.
    Fine,
    /// Try again later; nothing has changed.
    Temporary,
    /// Not by itself; nothing has changed.
    Failed,
    /// Sign in again: the one loss that is allowed.
    Over,
}

struct Scene {
    world: World,
    before: Session,
}

fn scene(round: &Round, grace: bool) -> Check<Scene> {
    let world = World::new(round.provider())?;
    if grace {
        world.server().set_grace(Duration::from_secs(3600));
    }
    world.give_session(ACCOUNT)?;
    world.expire(ACCOUNT)?;
    let before = world.session(ACCOUNT)?;
    Ok(Scene { world, before })
}

/// What is said of a refresh token that is not sent again although nothing rejected it.
const UNREAD: &str = "it is not sent again";

impl Scene {
    /// One call under these faults, and the one after it.
    fn play(
        &self,
        round: &mut Round,
        name: &str,
        faults: impl IntoIterator<Item = Fault>,
        more: &[&str],
        ends: &[End],
    ) -> Check<Done> {
        let words = self.world.token(ACCOUNT, more);
        self.play_command(round, name, faults, &mut self.world.command(&words), ends)
    }

    fn play_command(
        &self,
        round: &mut Round,
        name: &str,
        faults: impl IntoIterator<Item = Fault>,
        command: &mut std::process::Command,
        ends: &[End],
    ) -> Check<Done> {
        let world = &self.world;
        for fault in faults {
            world.server().fault(Operation::Refresh, fault);
        }
        let done = world.run_command(command)?;
        let end = match done.code {
            Some(0) => End::Fine,
            Some(1) => End::Failed,
            Some(3) => End::Over,
            Some(4) => End::Temporary,
            _ => return Err(unexpected(world, name, &done)),
        };
        if !ends.contains(&end) {
            return Err(unexpected(world, name, &done));
        }
        let stored = world.session(ACCOUNT)?;
        world.check_modes()?;
        if end == End::Fine {
            world.check_answer(&done, ACCOUNT)?;
        } else {
            ensure!(done.out.is_empty(), "{name}: something on standard output");
            ensure_kept!(
                stored.has_same_tokens(&self.before),
                "N4: {name}: the file was changed"
            );
        }
        if end == End::Over && done.err.contains(UNREAD) {
            world.server().clear_faults();
            self.unread(name)?;
        } else if end == End::Over {
            world.server().clear_faults();
            self.over(name, &done)?;
            round.tally.allowed += 1;
        } else {
            world.check_next_call(ACCOUNT)?;
            world.check_no_reuse()?;
        }
        round.outcome(format!("{name}: {}", done.end()));
        Ok(done)
    }

    /// The vendor asks for no request for a while: no process makes one, unless a user demands it.
    fn play_wait(&self, round: &mut Round, name: &str, fault: Fault) -> Check<Done> {
        let world = &self.world;
        world.server().fault(Operation::Refresh, fault);
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(done.code == Some(4), "{name}: {}", world.tell(&done));
        self.asked_on_demand_only(name, 4)?;
        round.outcome(format!("{name}: {}", done.end()));
        Ok(done)
    }

    /// A response of success that cannot be read: the token is not sent again by itself, and a user
    /// who demands it gets the session back if the vendor had done nothing.
    fn unread(&self, name: &str) -> Check {
        self.asked_on_demand_only(name, 3)
    }

    /// The next call sends nothing and ends with this code; one that the user demands is served.
    fn asked_on_demand_only(&self, name: &str, code: i32) -> Check {
        let world = &self.world;
        let asked = world.refreshes();
        let next = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(next.code == Some(code), "{name}: {}", world.tell(&next));
        ensure!(
            world.refreshes() == asked,
            "{name}: the vendor is asked again"
        );
        let demanded = world.run(&world.token(ACCOUNT, &["--force-refresh"]))?;
        ensure_kept!(
            demanded.code == Some(0),
            "{name}: {}",
            world.tell(&demanded)
        );
        world.check_next_call(ACCOUNT)?;
        world.check_no_reuse()
    }

    /// The one allowed loss: it is told clearly and once and for all, and stays alone.
    fn over(&self, name: &str, done: &Done) -> Check {
        let world = &self.world;
        ensure!(
            done.err.contains("was lost"),
            "{name}: nothing is said of the lost answer: {}",
            world.tell(done)
        );
        let asked = world.refreshes();
        let next = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(next.code == Some(3), "{name}: {}", world.tell(&next));
        ensure!(
            world.refreshes() == asked,
            "{name}: the vendor is asked again"
        );
        world.give_session(OTHER)?;
        world.expire(OTHER)?;
        world.check_next_call(OTHER)?;
        world.sign_in(ACCOUNT)?;
        world.check_next_call(ACCOUNT)?;
        Ok(())
    }
}

fn unexpected(world: &World, name: &str, done: &Done) -> Stop {
    Stop::Broken(format!("{name}: {}", world.tell(done)))
}

/// F5: the vendor rotated, and nobody heard of it.
pub(crate) fn lost(round: &mut Round) -> Check {
    let cases = [
        ("dropped", Fault::drop_connection().after()),
        ("reset", Fault::reset().after()),
        ("cut short", Fault::truncated_body()),
        (
            "502 in its place",
            Fault::response(502, "bad gateway").after(),
        ),
        ("HTML in its place", Fault::html().after()),
    ];
    let (name, fault) = round.random.one_of(&cases).clone();
    let scene = scene(round, false)?;
    let world = &scene.world;
    world.server().fault(Operation::Refresh, fault);
    let mut done = world.run(&world.token(ACCOUNT, &[]))?;
    if done.code == Some(4) {
        // After a 2xx the token is not sent again by the same call; the next one learns that it
        // is over.
        done = world.run(&world.token(ACCOUNT, &[]))?;
    }
    ensure!(done.code == Some(3), "{name}: {}", world.tell(&done));
    ensure_kept!(
        world.session(ACCOUNT)?.has_same_tokens(&scene.before),
        "N4: {name}: the file was changed"
    );
    scene.over(name, &done)?;
    round.tally.allowed += 1;
    round.outcome(format!("{name}: {}", done.end()));
    Ok(())
}

/// F6: the same, and the vendor forgives a repetition.
pub(crate) fn lost_in_grace(round: &mut Round) -> Check {
    let cases = [
        ("dropped", Fault::drop_connection().after()),
        ("reset", Fault::reset().after()),
        ("cut short", Fault::truncated_body()),
        ("bad chunk", Fault::garbage_chunks().after()),
        (
            "502 in its place",
            Fault::response(502, "bad gateway").after(),
        ),
        ("HTML in its place", Fault::html().after()),
    ];
    let (name, fault) = round.random.one_of(&cases).clone();
    let scene = scene(round, true)?;
    // Some are told as temporary at once; the next call recovers either way.
    scene.play(round, name, [fault], &[], &[End::Fine, End::Temporary])?;
    let seen = scene.world.server().counters();
    ensure!(
        seen.refresh_in_grace > 0,
        "{name}: the vendor saw no repetition"
    );
    Ok(())
}

/// F7: the answer breaks off before the vendor did anything.
pub(crate) fn broken(round: &mut Round) -> Check {
    let cases = [
        ("dropped", Fault::drop_connection()),
        ("reset", Fault::reset()),
        ("short body", Fault::truncated_body().before()),
        ("bad chunk", Fault::garbage_chunks()),
    ];
    let (name, fault) = round.random.one_of(&cases).clone();
    // A status of 2xx came: nothing is tried again, although the vendor did nothing.
    let is_success = matches!(name, "short body" | "bad chunk");
    let (times, ends) = if !is_success && round.random.happens(50) {
        (1, End::Fine)
    } else {
        (EVER, End::Temporary)
    };
    scene(round, false)?.play(round, name, [fault.times(times)], &[], &[ends])?;
    Ok(())
}

/// F8: the vendor says that it cannot now.
pub(crate) fn unavailable(round: &mut Round) -> Check {
    let status = *round.random.one_of(&[500, 502, 503, 429]);
    let fault = Fault::response(status, "not now");
    let (name, fault, end) = match round.random.below(4) {
        0 => (format!("{status} once"), fault, End::Fine),
        1 => (format!("{status} ever"), fault.times(EVER), End::Temporary),
        2 => (
            format!("{status} Retry-After 1"),
            fault.header("Retry-After", "1"),
            End::Fine,
        ),
        _ => (
            format!("{status} Retry-After 600"),
            fault.header("Retry-After", "600"),
            End::Temporary,
        ),
    };
    let scene = scene(round, false)?;
    let done = if name.ends_with(" 600") {
        scene.play_wait(round, &name, fault)?
    } else {
        scene.play(round, &name, [fault], &[], &[end])?
    };
    ensure!(
        done.took < Duration::from_secs(30),
        "{name}: it took {:?}",
        done.took
    );
    Ok(())
}

/// F9: something in between answers.
pub(crate) fn captive(round: &mut Round) -> Check {
    let place = ("Location", "https://captive.example/sign-in?secret=1");
    let cases = [
        ("HTML", Fault::html(), End::Temporary),
        (
            "302",
            Fault::response(302, "").header(place.0, place.1),
            End::Temporary,
        ),
        (
            "303",
            Fault::response(303, "").header(place.0, place.1),
            End::Temporary,
        ),
        (
            "307",
            Fault::response(307, "").header(place.0, place.1),
            End::Failed,
        ),
    ];
    let at = usize::try_from(round.index).unwrap() % cases.len();
    let (name, fault, end) = cases[at].clone();
    let done = scene(round, false)?.play(round, name, [fault.times(EVER)], &[], &[end])?;
    ensure!(
        done.err.contains("127.0.0.1"),
        "{name}: the host is not named"
    );
    Ok(())
}

/// F10: more than anybody can take, in a process that gets little memory.
pub(crate) fn swollen(round: &mut Round) -> Check {
    let deep = "[".repeat(200_000);
    let cases = [
        (
            "5 MB",
            Fault::huge_body(),
            &[End::Temporary, End::Failed][..],
        ),
        (
            "endless",
            Fault::endless_body(),
            &[End::Temporary, End::Failed],
        ),
        // It says that it is compressed and is not: it may be read as what it is.
        (
            "false gzip",
            Fault::false_gzip(),
            &[End::Fine, End::Temporary, End::Failed],
        ),
        ("deep", Fault::response(200, deep), &[End::Over]),
        ("nothing", Fault::response(200, ""), &[End::Over]),
        ("BOM", Fault::response(200, "\u{feff}[]"), &[End::Over]),
    ];
    let at = usize::try_from(round.index).unwrap() % cases.len();
    let (name, fault, ends) = cases[at].clone();
    let scene = scene(round, true)?;
    let words = scene.world.token(ACCOUNT, &["--timeout", "5"]);
    // 256 MB of addresses, threads and libraries included.
    let mut command = scene
        .world
        .launched_by(&["prlimit", "--as=268435456"], &words);
    scene.play_command(round, name, [fault.times(EVER)], &mut command, ends)?;
    Ok(())
}

/// F11: the vendor takes longer than anybody waits.
pub(crate) fn slow(round: &mut Round) -> Check {
    let limit = ["--timeout", "1"];
    let done = if round.index.is_multiple_of(2) {
        let fault = Fault::hang().times(EVER);
        scene(round, false)?.play(round, "hangs", [fault], &limit, &[End::Temporary])?
    } else {
        let fault = Fault::slow_body(Duration::from_millis(50));
        // The status came in time, so the same call does not ask again; the next one does.
        let ends = [End::Fine, End::Temporary];
        scene(round, true)?.play(round, "drips", [fault], &limit, &ends)?
    };
    ensure!(
        done.took < Duration::from_secs(20),
        "it took {:?}",
        done.took
    );
    Ok(())
}

/// F14: the old refresh token stays.
pub(crate) fn omitted(round: &mut Round) -> Check {
    let scene = scene(round, false)?;
    scene.world.server().set_rotation(Rotation::Omit);
    scene.play(round, "omitted", [], &[], &[End::Fine])?;
    let stored = scene.world.session(ACCOUNT)?;
    ensure_kept!(
        stored.refresh == scene.before.refresh,
        "the refresh token is gone"
    );
    Ok(())
}

/// F15: whatever it says, the successor is stored, and nobody runs in circles.
pub(crate) fn odd_expiry(round: &mut Round) -> Check {
    let odd = [
        json!(null),
        json!("3600"),
        json!("soon"),
        json!(-5),
        json!(0),
        json!(1e18),
        json!(0.5),
        json!([]),
        json!(u64::MAX),
    ];
    let value = round.random.one_of(&odd).clone();
    let scene = scene(round, false)?;
    let world = &scene.world;
    let patch = json!({"expires_in": value, "expired_in": value});
    world
        .server()
        .fault(Operation::Refresh, Fault::patch(patch).times(EVER));
    let mut last = None;
    for call in 1..=3 {
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(
            matches!(done.code, Some(0 | 1 | 4)),
            "expires_in {value}: {}",
            world.tell(&done)
        );
        world.check_kept(ACCOUNT)?;
        ensure!(world.refreshes() <= call, "more than one renewal in a call");
        last = Some(done);
    }
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    let end = last.map(|done| done.end()).unwrap_or_default();
    round.outcome(format!("{value}: {end}"));
    Ok(())
}
