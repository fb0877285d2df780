//! The asynchronous part of a command: a runtime, and an orderly end on a signal.

use std::io;
use std::time::Duration;

use llm_auth_core::AuthManager;
use tokio::time::timeout;

use crate::exit::Failure;
use crate::output;

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
/// first (the vendor may have spent the refresh token already); a second signal ends at once.
/// `after` says in words how things stand after an early end.
pub(crate) fn run<T>(
    managers: impl Fn() -> Vec<AuthManager>,
    work: impl Future<Output = Result<T, Failure>>,
    after: impl FnOnce() -> String,
) -> Result<T, Failure> {
    // The client file and the certificates are read by now; from here on there are fresh tokens.
    crate::limits::not_dumpable();
    let system = |source: io::Error| Failure::Config {
        message: format!("the operating system refuses what is needed to run: {source}"),
        advice: "look at the limits of this user (`ulimit -a`)".into(),
    };
    let runtime = check_descriptors()
        .and_then(|()| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
        })
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
            End::InTheMiddle(why) => {
                llm_auth_core::skip_exit_wait();
                why.into()
            }
        };
        Err(Failure::Signal { code, message })
    });
    // A blocked system call is not waited for.
    runtime.shutdown_background();
    outcome
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

async fn settle(managers: &[AuthManager]) -> End {
    match timeout(WIND_DOWN, idle(managers)).await {
        Ok(()) => End::Stored,
        Err(_elapsed) => End::InTheMiddle("interrupted; the vendor did not answer in time"),
    }
}

async fn idle(managers: &[AuthManager]) {
    for manager in managers {
        manager.wait_idle().await;
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
use self::unix::Signals;
#[cfg(unix)]
pub(crate) use self::unix::{Stops, stop_this_process};

#[cfg(unix)]
mod unix {
    use std::io;

    use rustix::process::{Signal as Number, getpid, kill_process};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::tty;

    /// What ends a command, each with the exit code that says so.
    const ENDS: [(Number, u8); 4] = [
        (Number::HUP, 129),
        (Number::INT, 130),
        (Number::QUIT, 131),
        (Number::TERM, 143),
    ];

    pub(super) struct Signals(Vec<(Signal, u8)>);

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            let ignored = ignored();
            let wanted = ENDS.iter().filter(|(number, _)| !has(ignored, *number));
            let signals = wanted.map(|(number, code)| Ok((listen_to(*number)?, *code)));
            signals.collect::<io::Result<_>>().map(Self)
        }

        /// Waits for a signal: 128 and its number.
        pub(super) async fn next(&mut self) -> u8 {
            std::future::poll_fn(|context| {
                for (signal, code) in &mut self.0 {
                    if signal.poll_recv(context).is_ready() {
                        return std::task::Poll::Ready(*code);
                    }
                }
                std::task::Poll::Pending
            })
            .await
        }
    }

    /// Ctrl-Z, and whoever lets the process go on.
    pub(crate) struct Stops {
        stop: Option<Signal>,
        go_on: Option<Signal>,
    }

    impl Stops {
        /// Where no shell would let us go on, Ctrl-Z is left to the system, which knows that too.
        pub(crate) fn listen() -> Self {
            let hears = tty::can_be_continued() && !has(ignored(), Number::TSTP);
            Self {
                stop: hears.then(|| listen_to(Number::TSTP).ok()).flatten(),
                go_on: listen_to(Number::CONT).ok(),
            }
        }

        /// Whether the process is to stop, or goes on again.
        pub(crate) async fn next(&mut self) -> bool {
            tokio::select! {
                () = heard(&mut self.stop) => true,
                () = heard(&mut self.go_on) => false,
            }
        }
    }

    async fn heard(signal: &mut Option<Signal>) {
        match signal {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Comes back when somebody lets it go on.
    pub(crate) fn stop_this_process() {
        if tty::can_be_continued() {
            let _always_possible = kill_process(getpid(), Number::STOP);
        }
    }

    fn listen_to(number: Number) -> io::Result<Signal> {
        signal(SignalKind::from_raw(number.as_raw()))
    }

    fn has(mask: u64, number: Number) -> bool {
        mask >> (number.as_raw() - 1) & 1 == 1
    }

    /// The signals that were ignored when this program began, as `nohup` has it: they stay so.
    /// Only Linux tells.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default()
    }
}

#[cfg(not(unix))]
pub(crate) fn stop_this_process() {}

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) struct Stops;

#[cfg(not(unix))]
impl Stops {
    pub(crate) fn listen() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) -> bool {
        std::future::pending().await
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
