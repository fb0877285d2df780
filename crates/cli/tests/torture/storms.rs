//! F1, F2, F16: many processes at once, one refresh.

use std::time::Duration;

use crate::process::{Running, start};
use crate::recording_proxy::RecordingProxy;
use crate::round::{Check, Round, ensure};
use crate::world::{ACCOUNT, World};

/// How long all processes may take to reach the lock. Less than a request may take.
const GATHERING: Duration = Duration::from_secs(15);

/// F1: all processes find the session expired; some report that the API rejected the token.
pub(crate) fn one_session(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let many = 50;
    storm(round, &world, &[ACCOUNT], many, 30)
}

/// F2: the same with accounts that have nothing to do with each other.
pub(crate) fn many_accounts(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    let accounts = ["a", "b", "c", "d", "e"];
    for account in accounts {
        world.give_session(account)?;
    }
    for account in accounts {
        world.expire(account)?;
    }
    storm(
        round,
        &world,
        &accounts,
        if round.long { 50 } else { 20 },
        30,
    )
}

/// F16: the token has not expired, but the API returned 401 to all processes.
pub(crate) fn refused_by_the_api(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    world.give_session(ACCOUNT)?;
    world.server().expire_access_tokens();
    storm(round, &world, &[ACCOUNT], 30, 100)
}

/// The proxy holds the provider's response until all processes wait for the lock, so all know the
/// same old token.
fn storm(round: &mut Round, world: &World, accounts: &[&str], many: usize, forced: u64) -> Check {
    let proxy = world.proxy()?;
    proxy.hold_responses();
    let mut running: Vec<(&str, Running)> = Vec::new();
    for number in 0..many {
        let account = accounts[number % accounts.len()];
        let more: &[&str] = if round.random.happens(forced) {
            &["--force-refresh"]
        } else {
            &[]
        };
        let mut command = world.command_via(&proxy, &world.token(account, more));
        running.push((account, start(&mut command)));
    }
    gather(world, &running)?;
    proxy.release();
    let mut tokens = Vec::new();
    for (account, one) in running {
        let done = world.finish(one)?;
        ensure!(done.code == Some(0), "{}", world.describe(&done));
        world.check_printed(&done, account)?;
        tokens.push((account, done.token().unwrap_or_default().to_owned()));
        round.outcome("exit 0");
    }
    finish(world, proxy, accounts, &tokens)
}

fn gather(world: &World, running: &[(&str, Running)]) -> Check {
    for (account, one) in running {
        let there = one.wait_until_open(&world.lock_file(account), GATHERING);
        ensure!(there, "a process did not come to the lock");
    }
    Ok(())
}

fn finish(
    world: &World,
    proxy: RecordingProxy,
    accounts: &[&str],
    tokens: &[(&str, String)],
) -> Check {
    drop(proxy);
    for account in accounts {
        let session = world.check_kept(account)?;
        let same = tokens
            .iter()
            .filter(|(of, _)| of == account)
            .all(|(_, token)| *token == session.access);
        ensure!(same, "not all processes got the same token");
    }
    ensure!(
        world.refreshes() == accounts.len() as u64,
        "{} refreshes for {} sessions",
        world.refreshes(),
        accounts.len()
    );
    world.check_no_reuse()?;
    world.check_modes()?;
    world.check_tidy()
}
