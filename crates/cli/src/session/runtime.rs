//! The runtime of a command, which finishes and stores what has begun when a signal ends it.

use std::io;
use std::time::Duration;

use llm_auth_core::AuthManager;
use tokio::time::timeout;

use crate::error::Failure;
use crate::system::core_dumps;
use crate::system::signals::Signals;
use crate::ui::streams;

/// How long a refresh that has begun may take to be stored once the command is to end. A
/// request is bounded to 20 s, and the manager makes few.
const WIND_DOWN: Duration = Duration::from_secs(60);

/// How long one call of the library may take: longer than the one request that it is for.
pub(crate) fn call_limit(timeout: Option<Duration>) -> Duration {
    let beside = Duration::from_secs(30);
    let request = timeout.unwrap_or_default().saturating_add(beside);
    request.max(llm_auth_core::DEFAULT_CALL_LIMIT)
}

/// Runs work that signals may end. What the managers have begun by then is finished and stored
/// first (the provider may have spent the refresh token already); a second signal ends at once.
/// `after` says in words how things stand after an early end.
pub(crate) fn run<T>(
    managers: impl Fn() -> Vec<AuthManager>,
    work: impl Future<Output = Result<T, Failure>>,
    after: impl FnOnce() -> String,
) -> Result<T, Failure> {
    on_runtime(async {
        let mut signals = Signals::listen().map_err(|error| system(&error))?;
        let mut work = Box::pin(work);
        let code = tokio::select! {
            biased;
            code = signals.next() => code,
            done = &mut work => return ended(done, &managers(), &mut signals).await,
        };
        drop(work);
        let message = match wind_down(&managers(), &mut signals).await {
            End::Stored => after(),
            End::InTheMiddle(why) => {
                llm_auth_core::skip_exit_wait();
                why.into()
            }
        };
        Err(Failure::Signal { code, message })
    })
}

/// Runs work that receives the signals itself. What the managers have begun by its end is finished
/// and stored; another signal ends that at once.
pub(crate) fn run_until_signal<T>(
    managers: &[AuthManager],
    work: impl AsyncFnOnce(&mut Signals) -> Result<T, Failure>,
) -> Result<T, Failure> {
    on_runtime(async {
        let mut signals = Signals::listen().map_err(|error| system(&error))?;
        let done = work(&mut signals).await;
        if let End::InTheMiddle(_why) = wind_down(managers, &mut signals).await {
            llm_auth_core::skip_exit_wait();
        }
        done
    })
}

/// Runs work that passes signals on to where they belong; it ends by itself.
pub(crate) fn run_to_the_end<T>(
    managers: &[AuthManager],
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    on_runtime(async {
        let done = Box::pin(work).await;
        let _end = settle(managers).await;
        done
    })
}

/// The time between pieces of work that [`run`] runs. A signal that comes in the middle of neither
/// counts, too: the library's own threads take it from the system, and nothing else would hear it.
pub(crate) struct Pauses(Signals);

impl Pauses {
    pub(crate) fn listen() -> Result<Self, Failure> {
        // The client file may not have been read yet.
        let listening = runtime()?.block_on(async { Signals::listen() });
        listening.map(Self).map_err(|error| system(&error))
    }

    /// Waits, unless a signal has come since these listen.
    pub(crate) fn pause(&mut self, time: Duration, after: &str) -> Result<(), Failure> {
        on_runtime(async {
            tokio::select! {
                biased;
                code = self.0.next() => Err(Failure::Signal { code, message: after.to_owned() }),
                () = tokio::time::sleep(time) => Ok(()),
            }
        })
    }
}

fn system(source: &io::Error) -> Failure {
    Failure::Config {
        message: format!("the operating system denied a resource: {source}"),
        advice: "check the limits of this user (`ulimit -a`)".into(),
    }
}

fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // The client file and the certificates have been read; from here on there are fresh tokens.
    core_dumps::not_dumpable();
    let runtime = runtime()?;
    let outcome = runtime.block_on(work);
    // A blocked system call is not waited for.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    check_descriptors()
        .and_then(|()| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
        })
        .map_err(|error| system(&error))
}

/// The runtime panics if there is no descriptor for its handling of signals.
fn check_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut room = Vec::new();
        for _ in 0..4 {
            room.push(std::os::unix::net::UnixStream::pair()?);
        }
    }
    Ok(())
}

/// How a command came to its end.
enum End {
    /// Everything that had begun is stored.
    Stored,
    /// It was given up.
    InTheMiddle(&'static str),
}

impl End {
    /// After everything has come to its end.
    fn of(managers: &[AuthManager]) -> Self {
        match managers.iter().any(AuthManager::has_unsaved) {
            true => Self::InTheMiddle(
                "interrupted; the new session could not be stored: if the next call fails, sign in again",
            ),
            false => Self::Stored,
        }
    }
}

async fn settle(managers: &[AuthManager]) -> End {
    match timeout(WIND_DOWN, idle(managers)).await {
        Ok(()) => End::of(managers),
        Err(_elapsed) => End::InTheMiddle("interrupted; the server did not respond in time"),
    }
}

async fn idle(managers: &[AuthManager]) {
    for manager in managers {
        manager.wait_idle().await;
    }
}

/// The outcome of work whose managers may still have something to store, unless a signal ends that.
async fn ended<T>(
    done: Result<T, Failure>,
    managers: &[AuthManager],
    signals: &mut Signals,
) -> Result<T, Failure> {
    let is_unsaved = || managers.iter().any(AuthManager::has_unsaved);
    let was_unsaved = is_unsaved();
    tokio::select! {
        biased;
        _end = settle(managers) => {
            match (was_unsaved, is_unsaved()) {
                (true, false) => streams::say(
                    "The new session could be stored after all: run the same command again.",
                ),
                (_, true) => streams::say(
                    "llm-auth: the new session could not be stored, and is lost with this process: if the \
                     next call fails, sign in again",
                ),
                (false, false) => {}
            }
            done
        }
        code = signals.next() => match wind_down(managers, signals).await {
            End::Stored => done,
            End::InTheMiddle(why) => {
                llm_auth_core::skip_exit_wait();
                Err(Failure::Signal { code, message: why.into() })
            }
        }
    }
}

async fn wind_down(managers: &[AuthManager], signals: &mut Signals) -> End {
    // What waits for another process has not begun.
    llm_auth_core::give_up_waiting();
    // Most often nothing has begun, and then there is nothing to say.
    if timeout(Duration::from_millis(100), idle(managers))
        .await
        .is_ok()
    {
        return End::of(managers);
    }
    streams::say(
        "llm-auth: finishing what a server was asked for; a second signal stops it immediately",
    );
    tokio::select! {
        end = settle(managers) => end,
        _ = signals.next() => End::InTheMiddle("interrupted twice: stopped immediately"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    #[test]
    fn a_signal_that_another_runtime_took_between_two_pauses_is_heard() {
        let mut pauses = Pauses::listen().unwrap();
        pauses.pause(Duration::ZERO, "stopped").unwrap();
        // As the library's threads do.
        let other = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        other.block_on(async {
            let mut heard = signal(SignalKind::hangup()).unwrap();
            kill_process(getpid(), Signal::HUP).unwrap();
            heard.recv().await;
        });
        let ended = pauses.pause(Duration::ZERO, "stopped");
        assert!(
            matches!(ended, Err(Failure::Signal { code: 129, .. })),
            "{ended:?}"
        );
    }
}
