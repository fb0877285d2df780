//! F5 to F7: the response is lost or breaks off.

use llm_auth_testkit::{Fault, Operation};

use super::EVER;
use super::scene::{End, scene};
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::world::ACCOUNT;

/// F5: the provider rotated, and no process received the response.
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
    ensure!(done.code == Some(3), "{name}: {}", world.describe(&done));
    ensure_kept!(
        world.session(ACCOUNT)?.has_same_tokens(&scene.before),
        "N4: {name}: the file was changed"
    );
    scene.over(name, &done)?;
    round.tally.allowed += 1;
    round.outcome(format!("{name}: {}", done.end()));
    Ok(())
}

/// F6: the same, and the provider forgives a repetition.
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
    // Some end as temporary at once; the next call recovers either way.
    scene.play(round, name, [fault], &[], &[End::Fine, End::Temporary])?;
    let seen = scene.world.server().counters();
    ensure!(
        seen.refresh_in_grace > 0,
        "{name}: the provider saw no repetition"
    );
    Ok(())
}

/// F7: the response breaks off before the provider did anything.
pub(crate) fn broken(round: &mut Round) -> Check {
    let cases = [
        ("dropped", Fault::drop_connection()),
        ("reset", Fault::reset()),
        ("short body", Fault::truncated_body().before()),
        ("bad chunk", Fault::garbage_chunks()),
    ];
    let (name, fault) = round.random.one_of(&cases).clone();
    // A status of 2xx came: nothing is tried again, although the provider did nothing.
    let is_success = matches!(name, "short body" | "bad chunk");
    let (times, ends) = if !is_success && round.random.happens(50) {
        (1, End::Fine)
    } else {
        (EVER, End::Temporary)
    };
    scene(round, false)?.play(round, name, [fault.times(times)], &[], &[ends])?;
    Ok(())
}
