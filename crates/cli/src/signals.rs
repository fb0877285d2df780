//! The asynchronous part of a command: a runtime, and an orderly end on a signal.

use std::io;
use std::time::Duration;

use llm_auth_core::AuthManager;
use tokio::time::timeout;

use crate::exit::Failure;
use crate::output;

/// How long a renewal that has begun may take to be stored once the command is to end. A
/// request is bounded to 20 s, and the manager makes few.
const WIND_DOWN: Duration = Duration::from_secs(60);

/// Runs work that signals may end. What the managers have begun by then is finished and stored
/// first (the vendor may have spent the refresh token already); a second signal ends at once.
/// `after` says in words how things stand after an early end.
pub(crate) fn run<T>(
    managers: impl Fn() -> Vec<AuthManager>,
    work: impl Future<Output = Result<T, Failure>>,
    after: impl FnOnce() -> String,
) -> Result<T, Failure> {
    let system = |source: io::Error| Failure::Config {
        message: format!("the operating system refuses what is needed to run: {source}"),
        advice: "look at the limits of this user (`ulimit -a`)".into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system)?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(system)?;
        let mut work = Box::pin(work);
        let code = tokio::select! {
            biased;
            code = signals.next() => code,
            done = &mut work => {
                let _end = settle(&managers()).await;
                return done;
            }
        };
        drop(work);
        let message = match wind_down(&managers(), &mut signals).await {
            End::Stored => after(),
            End::InTheMiddle(why) => why.into(),
        };
        Err(Failure::Signal { code, message })
    });
    // A blocked system call is not waited for.
    runtime.shutdown_background();
    outcome
}

/// How a command came to its end.
enum End {
    /// Everything that had begun is stored.
    Stored,
    /// It was given up.
    InTheMiddle(&'static str),
}

async fn settle(managers: &[AuthManager]) -> End {
    match timeout(WIND_DOWN, idle(managers)).await {
        Ok(()) => End::Stored,
        Err(_elapsed) => End::InTheMiddle("interrupted; the vendor did not answer in time"),
    }
}

async fn idle(managers: &[AuthManager]) {
    for manager in managers {
        manager.settle().await;
    }
}

async fn wind_down(managers: &[AuthManager], signals: &mut Signals) -> End {
    // Most often nothing has begun, and then there is nothing to say.
    if timeout(Duration::from_millis(100), idle(managers))
        .await
        .is_ok()
    {
        return End::Stored;
    }
    output::say("llm-auth: finishing a renewal that has begun; once more to stop at once");
    tokio::select! {
        end = settle(managers) => end,
        _ = signals.next() => End::InTheMiddle("interrupted twice: stopped at once"),
    }
}

#[cfg(unix)]
struct Signals {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal: 128 and its number.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.hangup.recv() => 129,
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            // Without a handler the system ends the process by itself.
            Err(_no_handler) => std::future::pending().await,
        }
    }
}
