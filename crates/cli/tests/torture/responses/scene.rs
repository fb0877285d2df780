//! One call under faults, and the call after it.

use std::time::Duration;

use llm_auth_testkit::{Fault, Operation};

use crate::process::Done;
use crate::round::{Check, Round, Stop, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

const OTHER: &str = "other";

/// How a call under a fault has to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// With a token.
    Fine,
    /// Try again later; nothing has changed.
    Temporary,
    /// Not by itself; nothing has changed.
    Failed,
    /// Sign in again: the one loss that is allowed.
    Over,
}

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) before: Session,
}

pub(super) fn scene(round: &Round, grace: bool) -> Check<Scene> {
    let world = World::new(round.provider())?;
    if grace {
        world.server().set_grace(Duration::from_secs(3600));
    }
    world.give_session(ACCOUNT)?;
    world.expire(ACCOUNT)?;
    let before = world.session(ACCOUNT)?;
    Ok(Scene { world, before })
}

/// What the command prints about a refresh token that it does not send again although nothing
/// rejected it.
const UNREAD: &str = "it is not sent again";

impl Scene {
    /// One call under these faults, and the one after it.
    pub(super) fn play(
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

    pub(super) fn play_command(
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
            world.check_response(&done, ACCOUNT)?;
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

    /// The provider asks for no request for a while: no process makes one, unless a user demands it.
    pub(super) fn play_wait(&self, round: &mut Round, name: &str, fault: Fault) -> Check<Done> {
        let world = &self.world;
        world.server().fault(Operation::Refresh, fault);
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(done.code == Some(4), "{name}: {}", world.describe(&done));
        self.asked_on_demand_only(name, 4)?;
        round.outcome(format!("{name}: {}", done.end()));
        Ok(done)
    }

    /// A response of success that cannot be read: the token is not sent again by itself, and a user
    /// who demands it gets the session back if the provider had done nothing.
    fn unread(&self, name: &str) -> Check {
        self.asked_on_demand_only(name, 3)
    }

    /// The next call sends nothing and ends with this code; one that the user demands is served.
    fn asked_on_demand_only(&self, name: &str, code: i32) -> Check {
        let world = &self.world;
        let asked = world.refreshes();
        let next = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(next.code == Some(code), "{name}: {}", world.describe(&next));
        ensure!(
            world.refreshes() == asked,
            "{name}: the provider is asked again"
        );
        let demanded = world.run(&world.token(ACCOUNT, &["--force-refresh"]))?;
        ensure_kept!(
            demanded.code == Some(0),
            "{name}: {}",
            world.describe(&demanded)
        );
        world.check_next_call(ACCOUNT)?;
        world.check_no_reuse()
    }

    /// The one allowed loss: the command reports it clearly, asks no more, and no other session suffers.
    pub(super) fn over(&self, name: &str, done: &Done) -> Check {
        let world = &self.world;
        ensure!(
            done.err.contains("was lost"),
            "{name}: the lost response is not reported: {}",
            world.describe(done)
        );
        let asked = world.refreshes();
        let next = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(next.code == Some(3), "{name}: {}", world.describe(&next));
        ensure!(
            world.refreshes() == asked,
            "{name}: the provider is asked again"
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
    Stop::Broken(format!("{name}: {}", world.describe(done)))
}
