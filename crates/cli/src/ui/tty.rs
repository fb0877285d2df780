//! The modes of the terminal: whether this process is in its foreground, and whether it shows what
//! is typed.
//!
//! See decision 0023.

#[cfg(unix)]
pub(crate) use unix::{HiddenInput, is_ours, restore};

#[cfg(not(unix))]
pub(crate) use other::{HiddenInput, is_ours, restore};

#[cfg(unix)]
mod unix {
    use std::io::stdin;
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::unistd::{getpgrp, tcgetpgrp};
    use rustix::termios::{
        InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr,
        tcsetattr,
    };

    /// By lines a terminal takes 4,095 bytes and loses the rest, and an address may be longer.
    const BY_LINES: LocalModes = LocalModes::ICANON;
    const SHOWN: LocalModes = LocalModes::ECHO.union(LocalModes::ECHONL);

    /// Whether this process is in the foreground of that terminal.
    pub(crate) fn is_ours(terminal: impl AsFd) -> bool {
        match tcgetpgrp(terminal) {
            Ok(foreground) => foreground == getpgrp(),
            // It controls no job of ours, so there is no background either (`su -c`).
            Err(error) => error == Errno::ENOTTY,
        }
    }

    /// Makes a terminal usable again that a program left as it had it when it was killed, as `stty
    /// sane` does; whether it was so.
    pub(crate) fn restore() -> bool {
        // Decision 0045.
        let is_sane = |modes: &Termios| {
            modes
                .local_modes
                .contains(LocalModes::ECHO.union(LocalModes::ICANON))
        };
        let Ok(mut modes) = tcgetattr(stdin()) else {
            return false;
        };
        if is_sane(&modes) || !is_ours(stdin()) {
            return false;
        }
        modes.local_modes |= LocalModes::ECHO
            | LocalModes::ECHOE
            | LocalModes::ECHOK
            | LocalModes::ICANON
            | LocalModes::IEXTEN
            | LocalModes::ISIG;
        modes.input_modes |= InputModes::ICRNL | InputModes::IXON;
        modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        tcsetattr(stdin(), OptionalActions::Drain, &modes).is_ok()
    }

    /// What is typed is not shown and comes byte by byte, as long as this lives. The keys that
    /// make signals do so still.
    #[derive(Debug)]
    pub(crate) struct HiddenInput {
        before: Termios,
    }

    impl HiddenInput {
        /// `None` where it cannot be hidden.
        pub(crate) fn begin() -> Option<Self> {
            let before = tcgetattr(stdin()).ok()?;
            hide(&before)?;
            Some(Self { before })
        }

        /// Hides it again: a shell may have shown it meanwhile.
        pub(crate) fn keep(&self) {
            if let Ok(now) = tcgetattr(stdin())
                && now.local_modes.intersects(SHOWN.union(BY_LINES))
            {
                let _gone = hide(&now);
            }
        }
    }

    fn hide(modes: &Termios) -> Option<()> {
        let mut quiet = modes.clone();
        quiet.local_modes -= SHOWN.union(BY_LINES);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Drain, &quiet).ok()
    }

    impl Drop for HiddenInput {
        /// What was typed and not read goes too: a shell must not take half a code for a command.
        fn drop(&mut self) {
            // A terminal that now belongs to another job keeps the modes of that job.
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

    pub(crate) fn restore() -> bool {
        false
    }

    /// There is no such mode here.
    #[derive(Debug)]
    pub(crate) struct HiddenInput;

    impl HiddenInput {
        pub(crate) fn begin() -> Option<Self> {
            None
        }

        pub(crate) fn keep(&self) {}
    }
}
