//! What the person pastes while a sign-in waits for the browser.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, stdin};

use llm_auth_core::Secret;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The longest line that is read; no redirect is as long.
const LONGEST: u64 = 64 * 1024;

/// Reads lines of standard input in a thread of its own: such a read cannot be called off.
#[derive(Debug)]
pub(super) struct Pastes {
    lines: Mutex<UnboundedReceiver<Secret>>,
    from_terminal: bool,
    _unseen: Option<tty::Unseen>,
}

impl Pastes {
    /// `None` where standard input belongs to somebody else now: a job in the background that
    /// reads from its terminal is stopped.
    pub(super) fn start() -> Option<Self> {
        let from_terminal = stdin().is_terminal();
        if from_terminal && !tty::is_ours() {
            return None;
        }
        let (say, lines) = unbounded_channel();
        std::thread::spawn(move || read(&say));
        Some(Self {
            lines: Mutex::new(lines),
            from_terminal,
            _unseen: from_terminal.then(tty::Unseen::begin).flatten(),
        })
    }

    /// Whether a person can paste, and not a program only.
    pub(super) fn are_by_hand(&self) -> bool {
        self.from_terminal
    }

    pub(super) async fn next(&self) -> Secret {
        match self.lines.lock().await.recv().await {
            Some(line) => line,
            // Standard input has ended.
            None => std::future::pending().await,
        }
    }
}

fn read(say: &UnboundedSender<Secret>) {
    let mut input = BufReader::new(stdin().lock());
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() && say.send(Secret::from(text)).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
mod tty {
    use std::io::stdin;

    use rustix::process::getpgrp;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

    /// Whether this process is in the terminal's foreground.
    pub(super) fn is_ours() -> bool {
        tcgetpgrp(stdin()).is_ok_and(|foreground| foreground == getpgrp())
    }

    /// What is pasted is not shown, as long as this lives: it holds a code.
    #[derive(Debug)]
    pub(super) struct Unseen {
        before: Termios,
    }

    impl Unseen {
        pub(super) fn begin() -> Option<Self> {
            let before = tcgetattr(stdin()).ok()?;
            let mut quiet = before.clone();
            quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ECHONL);
            tcsetattr(stdin(), OptionalActions::Drain, &quiet).ok()?;
            Some(Self { before })
        }
    }

    impl Drop for Unseen {
        fn drop(&mut self) {
            // A terminal that is gone needs nothing back.
            let _gone = tcsetattr(stdin(), OptionalActions::Drain, &self.before);
        }
    }
}

#[cfg(not(unix))]
mod tty {
    pub(super) fn is_ours() -> bool {
        true
    }

    /// There is no such mode here.
    #[derive(Debug)]
    pub(super) struct Unseen;

    impl Unseen {
        pub(super) fn begin() -> Option<Self> {
            None
        }
    }
}
