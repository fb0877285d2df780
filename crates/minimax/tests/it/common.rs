//! A scripted MiniMax, and a client of it that is in a hurry.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{ManualClock, PollSchedule, Timestamp};
use llm_auth_minimax::{Dialect, Error, MiniMax, MiniMaxProvider, ProviderSpec as _, Region};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// The time of the clients' clock, which stands still.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_000);

/// A server that returns these responses in order, and then repeats the last one.
pub(crate) async fn says<const N: usize>(
    script: [(u16, &str); N],
) -> std::io::Result<ScriptedServer> {
    ScriptedServer::start(script.map(|(status, body)| ScriptedResponse::json(status, body))).await
}

pub(crate) fn at(server: &ScriptedServer, dialect: Dialect) -> Result<MiniMaxProvider, Error> {
    let blink = Duration::from_millis(1);
    let schedule = PollSchedule::new()
        .default_interval(blink)
        .minimum(blink)
        .cap(blink)
        .slow_down_step(blink);
    // The sessions of the tests record no server.
    let trusted = server.base_url().parse()?;
    Ok(MiniMax::new(Region::Global, dialect)
        .builder()
        .base_url(server.base_url())?
        .schedule(schedule)
        .trust_endpoint(trusted)
        .clock(Arc::new(ManualClock::new(NOW)))
        .build())
}

pub(crate) fn failure<T>(result: Result<T, Error>) -> Result<Error, &'static str> {
    result.err().ok_or("it succeeded")
}

/// The parameters of a form, in any order.
pub(crate) fn parameters(body: &str) -> Vec<&str> {
    let mut parameters: Vec<_> = body.split('&').collect();
    parameters.sort_unstable();
    parameters
}
