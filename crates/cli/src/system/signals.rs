//! The signals that end a command or stop it.

#[cfg(unix)]
pub(crate) use self::unix::{Passed, Signals, Stops, stop_this_process};

#[cfg(unix)]
mod unix {
    use std::io;

    use nix::unistd::{getpgid, getpgrp, getppid, getsid};
    use rustix::process::{Signal as Number, getpid, kill_process};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// What ends a command, each with the exit code that says so.
    const ENDS: [(Number, u8); 4] = [
        (Number::HUP, 129),
        (Number::INT, 130),
        (Number::QUIT, 131),
        (Number::TERM, 143),
    ];

    pub(crate) struct Signals(Vec<(Signal, u8)>);

    impl Signals {
        pub(crate) fn listen() -> io::Result<Self> {
            let ignored = ignored();
            let wanted = ENDS.iter().filter(|(number, _)| !has(ignored, *number));
            let signals = wanted.map(|(number, code)| Ok((listen_to(*number)?, *code)));
            signals.collect::<io::Result<_>>().map(Self)
        }

        /// Waits for a signal: 128 and its number.
        pub(crate) async fn next(&mut self) -> u8 {
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

    /// The signals that a program gets whose place this one takes.
    const PASSED: [Number; 6] = [
        Number::HUP,
        Number::INT,
        Number::QUIT,
        Number::TERM,
        Number::USR1,
        Number::USR2,
    ];

    /// The signals that are passed on to a child.
    pub(crate) struct Passed(Vec<(Signal, Number)>);

    /// A signal for a child.
    pub(crate) struct ForChild(Number);

    impl Passed {
        pub(crate) fn listen() -> Self {
            let ignored = ignored();
            let wanted = PASSED.iter().filter(|number| !has(ignored, **number));
            // What cannot be heard ends this process, and with it the proxy.
            let signals = wanted.filter_map(|number| Some((listen_to(*number).ok()?, *number)));
            Self(signals.collect())
        }

        pub(crate) async fn next(&mut self) -> ForChild {
            std::future::poll_fn(|context| {
                for (signal, number) in &mut self.0 {
                    if signal.poll_recv(context).is_ready() {
                        return std::task::Poll::Ready(ForChild(*number));
                    }
                }
                std::task::Poll::Pending
            })
            .await
        }
    }

    impl ForChild {
        pub(crate) fn send_to(&self, child: &tokio::process::Child) {
            let is_of_terminal = [Number::INT, Number::QUIT].contains(&self.0);
            if is_of_terminal && is_in_foreground() {
                // The terminal sends it to the child too: twice means more to many programs.
                return;
            }
            let id = child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
                // A child that has ended needs none.
                let _ended = kill_process(id, self.0);
            }
        }
    }

    /// Whether Ctrl-C of a terminal is for this process, and so for its children.
    fn is_in_foreground() -> bool {
        let terminal = std::fs::File::open("/dev/tty");
        let group = terminal
            .ok()
            .and_then(|file| rustix::termios::tcgetpgrp(file).ok());
        group.is_some_and(|group| group == rustix::process::getpgrp())
    }

    /// Ctrl-Z, and the signal that continues the process.
    pub(crate) struct Stops {
        stop: Option<Signal>,
        go_on: Option<Signal>,
    }

    impl Stops {
        /// Where no shell would let us go on, Ctrl-Z is left to the system, which knows that too.
        pub(crate) fn listen() -> Self {
            let hears = can_be_continued() && !has(ignored(), Number::TSTP);
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

    /// Returns when the process is continued.
    pub(crate) fn stop_this_process() {
        if can_be_continued() {
            let _always_possible = kill_process(getpid(), Number::STOP);
        }
    }

    /// Whether a shell with job control started this process, and lets it go on when it stops.
    fn can_be_continued() -> bool {
        // What is outside this PID namespace, as whatever started a container is, is 0 to us
        // (pid_namespaces(7)); asked about 0, the system answers for this process.
        let parent = Some(getppid());
        let in_session = getsid(parent) == getsid(None);
        in_session && getpgid(parent).is_ok_and(|group| group != getpgrp())
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

/// The console sends Ctrl-C to the child too.
#[cfg(not(unix))]
pub(crate) struct Passed;

#[cfg(not(unix))]
pub(crate) struct ForChild;

#[cfg(not(unix))]
impl Passed {
    pub(crate) fn listen() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) -> ForChild {
        match tokio::signal::ctrl_c().await {
            Ok(()) => ForChild,
            Err(_no_handler) => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl ForChild {
    pub(crate) fn send_to(&self, _child: &tokio::process::Child) {}
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            // Without a handler the system ends the process by itself.
            Err(_no_handler) => std::future::pending().await,
        }
    }
}
