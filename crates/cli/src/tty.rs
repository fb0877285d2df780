//! Whose the terminal is at this moment, and whether it shows what is typed.

#[cfg(unix)]
pub(crate) use unix::{Unseen, can_be_continued, is_ours};

#[cfg(not(unix))]
pub(crate) use other::{Unseen, is_ours};

#[cfg(unix)]
mod unix {
    use std::io::stdin;
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::unistd::{getpgid, getpgrp, getppid, getsid, tcgetpgrp};
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    const ECHO: LocalModes = LocalModes::ECHO.union(LocalModes::ECHONL);

    /// Whether this process is in the foreground of that terminal.
    pub(crate) fn is_ours(terminal: impl AsFd) -> bool {
        match tcgetpgrp(terminal) {
            Ok(foreground) => foreground == getpgrp(),
            // It controls no job of ours, so there is no background either (`su -c`).
            Err(error) => error == Errno::ENOTTY,
        }
    }

    /// Whether a shell with job control started this process, and lets it go on when it stops.
    pub(crate) fn can_be_continued() -> bool {
        // What is outside this PID namespace, as whatever started a container is, is 0 to us
        // (pid_namespaces(7)); asked about 0, the system answers for this process.
        let parent = Some(getppid());
        let in_session = getsid(parent) == getsid(None);
        in_session && getpgid(parent).is_ok_and(|group| group != getpgrp())
    }

    /// What is typed is not shown, as long as this lives.
    #[derive(Debug)]
    pub(crate) struct Unseen {
        before: Termios,
    }

    impl Unseen {
        /// `None` where it cannot be hidden.
        pub(crate) fn begin() -> Option<Self> {
            let before = tcgetattr(stdin()).ok()?;
            hide(&before)?;
            Some(Self { before })
        }

        /// Hides it again: a shell may have shown it meanwhile.
        pub(crate) fn keep(&self) {
            if let Ok(now) = tcgetattr(stdin())
                && now.local_modes.intersects(ECHO)
            {
                let _gone = hide(&now);
            }
        }
    }

    fn hide(modes: &Termios) -> Option<()> {
        let mut quiet = modes.clone();
        quiet.local_modes -= ECHO;
        tcsetattr(stdin(), OptionalActions::Drain, &quiet).ok()
    }

    impl Drop for Unseen {
        /// What was typed and not read goes too: a shell must not take half a code for a command.
        fn drop(&mut self) {
            // A terminal that is somebody else's by now has the modes that they gave it.
            if is_ours(stdin()) {
                let _gone = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    pub(crate) fn is_ours<T>(_terminal: T) -> bool {
        true
    }

    /// There is no such mode here.
    #[derive(Debug)]
    pub(crate) struct Unseen;

    impl Unseen {
        pub(crate) fn begin() -> Option<Self> {
            None
        }

        pub(crate) fn keep(&self) {}
    }
}
