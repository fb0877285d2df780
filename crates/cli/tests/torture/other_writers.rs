//! F12, F13: another program refreshes, or the provider rejects for good.

use std::time::Duration;

use serde_json::Value;

use crate::ledger::Pair;
use crate::process::start;
use crate::raw_http::{pair_in, post};
use crate::round::{Check, Round, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, QWEN_CLIENT, World};

/// F12: a program that knows nothing of our lock refreshes while our request is on its way.
pub(crate) fn renews_in_between(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let grace = round.random.happens(50);
    if grace {
        world.server().set_grace(Duration::from_secs(3600));
    } else {
        // With revocation no client could save this: the provider revokes the winner's token too.
        world.server().set_reuse_revokes_family(false);
    }
    let proxy = world.proxy()?;
    proxy.hold_requests();
    let running = start(&mut world.command_via(&proxy, &world.token(ACCOUNT, &[])));
    proxy.wait_for("the request", |seen| seen.requests > 0)?;
    let written = renew_like_go(&world, &world.session(ACCOUNT)?)?;
    proxy.release();
    let done = world.finish(running)?;
    let stored = world.check_response(&done, ACCOUNT)?;
    world.check_generation(&stored)?;
    ensure_kept!(
        stored.refresh == written.refresh,
        "the other program's refresh token was overwritten"
    );
    ensure!(
        grace || stored.access == written.access,
        "the other program's token was not adopted"
    );
    let asked = world.refreshes();
    world.check_next_call(ACCOUNT)?;
    ensure!(world.refreshes() == asked, "renewed without need");
    round.outcome(if grace {
        "same successor again"
    } else {
        "rejected, adopted"
    });
    Ok(())
}

/// What gochat does: no lock, the file truncated and written in place.
fn renew_like_go(world: &World, session: &Session) -> Check<Pair> {
    let metadata = &session.json["llm_auth"]["context"];
    let client = metadata["client_id"].as_str();
    let client = client.unwrap_or(QWEN_CLIENT);
    let path = match metadata.is_object() {
        true => "/oauth2/token",
        false => "/api/v1/oauth2/token",
    };
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &session.refresh),
        ("client_id", client),
    ];
    let pair = pair_in(&post(world.kit.base_url(), path, &form)?);
    let Some(pair) = pair else {
        return Err(crate::round::Stop::Broken(
            "the other program got no response".into(),
        ));
    };
    world.ledger.add(pair.clone());
    let mut json: Value = session.json.clone();
    json["access"] = pair.access.clone().into();
    json["refresh"] = pair.refresh.clone().into();
    json["expires"] = 4_102_444_800_000_i64.into();
    std::fs::write(world.file(ACCOUNT), json.to_string())?;
    Ok(pair)
}

/// F13: exit 3; the file is marked and kept, `status` shows it, and the provider gets no more requests.
pub(crate) fn refused_for_good(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    world.server().revoke_families();
    for call in 1..=2 {
        let done = world.run(&world.token(ACCOUNT, &[]))?;
        ensure!(
            done.code == Some(3),
            "call {call}: {}",
            world.describe(&done)
        );
        ensure!(done.err.contains("llm-auth login"), "no line of advice");
        ensure!(
            world.refreshes() == 1,
            "call {call}: the provider was asked again"
        );
        let after = world.session(ACCOUNT)?;
        ensure_kept!(after.has_same_tokens(&before), "N4: the tokens were erased");
        ensure!(after.is_marked_refused(), "the session is not marked");
    }
    let status = world.run(&["status", "--json"])?;
    let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
    ensure!(
        status["sessions"][0]["state"] == "refused",
        "status does not show that it was rejected"
    );
    world.check_modes()?;
    world.check_tidy()?;
    world.sign_in(ACCOUNT)?;
    world.check_next_call(ACCOUNT)?;
    round.outcome("exit 3, marked, kept");
    Ok(())
}
