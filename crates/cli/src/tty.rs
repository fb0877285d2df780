//! Whose the terminal is at this moment, and whether it shows what is typed.

#[cfg(unix)]
pub(crate) use unix::{Unseen, is_ours};

#[cfg(not(unix))]
pub(crate) use other::{Unseen, is_ours};

#[cfg(unix)]
mod unix {
    use std::io::stdin;
    use std::os::fd::AsFd;

    use rustix::process::getpgrp;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

    /// Whether this process is in the foreground of that terminal.
    pub(crate) fn is_ours(terminal: impl AsFd) -> bool {
        tcgetpgrp(terminal).is_ok_and(|foreground| foreground == getpgrp())
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
            let mut quiet = before.clone();
            quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ECHONL);
            tcsetattr(stdin(), OptionalActions::Drain, &quiet).ok()?;
            Some(Self { before })
        }
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
    }
}
