//! F42: hardly a file descriptor to spare.

use llm_auth_testkit::Provider;
use nix::errno::Errno;

use crate::injector::{next_call, words_of};
use crate::round::{Check, Round, Stop, ensure};
use crate::world::{ACCOUNT, World};

/// Of none beside the standard ones and what the loader needs, to as many as suffice.
const LIMITS: std::ops::RangeInclusive<u64> = 6..=20;

/// `ulimit -n`.
pub(crate) fn descriptors(round: &mut Round) -> Check {
    let world = World::with_expired_session(Provider::Qwen)?;
    let span = LIMITS.end() - LIMITS.start() + 1;
    let offset = if round.long {
        round.index % span
    } else {
        round.random.below(span)
    };
    let limit = LIMITS.start() + offset;
    let launcher = ["prlimit", &format!("--nofile={limit}")];
    let words = world.token(ACCOUNT, &[]);
    let done = world.run_unchecked(&mut world.launched_by(&launcher, &words))?;
    let rotated = world.server().counters().refresh_ok > 0;
    let next = next_call(&world);
    if matches!(next, Err(Stop::Lost(_))) {
        round.outcome(format!("LOST with {limit}"));
        return next;
    }
    next?;
    let place = if rotated { "after" } else { "before" };
    round.outcome(format!("{} {place} the rotation", done.end()));
    let named = done.err.contains(&words_of(Errno::EMFILE));
    ensure!(
        done.code == Some(0) || (matches!(done.code, Some(1 | 4)) && named),
        "with {limit} descriptors: {}",
        world.describe(&done)
    );
    world.check_output(&done)
}
