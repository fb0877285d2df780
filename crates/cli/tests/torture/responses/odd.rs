//! F8 to F11, F14, F15: a response that is not what was requested.

use std::time::Duration;

use llm_auth_testkit::{Fault, Operation, Rotation};
use serde_json::json;

use super::EVER;
use super::scene::{End, scene};
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::world::ACCOUNT;

/// F8: the provider reports a temporary error.
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

/// F9: a proxy in between responds.
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

/// F10: a response that is too large to read, in a process that gets little memory.
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
        // Its header claims a compression that it does not have: it may be read as it is.
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

/// F11: the provider takes longer than the command waits.
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

/// F15: the command stores the successor with any lifetime, and does not refresh in a loop.
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
            world.describe(&done)
        );
        world.check_kept(ACCOUNT)?;
        ensure!(world.refreshes() <= call, "more than one refresh in a call");
        last = Some(done);
    }
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    let end = last.map(|done| done.end()).unwrap_or_default();
    round.outcome(format!("{value}: {end}"));
    Ok(())
}
