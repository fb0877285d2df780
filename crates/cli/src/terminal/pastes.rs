//! What the person pastes while a sign-in waits for the browser.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, stdin};
use std::sync::{Mutex as Lock, MutexGuard, PoisonError};

use llm_auth_core::Secret;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::tty::{self, Unseen};

/// The longest line that is read; no redirect is as long.
const LONGEST: u64 = 64 * 1024;

/// Reads lines of standard input in a thread of its own: such a read cannot be called off.
#[derive(Debug)]
pub(super) struct Pastes {
    lines: Mutex<Receiver<Secret>>,
    from_terminal: bool,
    unseen: Lock<Option<Unseen>>,
}

impl Pastes {
    /// `None` where nothing can be pasted.
    pub(super) fn start() -> Option<Self> {
        let from_terminal = stdin().is_terminal();
        if !from_terminal && !source::may_be_for_us() {
            return None;
        }
        let (say, lines) = channel(4);
        std::thread::spawn(move || read(&say, from_terminal));
        let pastes = Self {
            lines: Mutex::new(lines),
            from_terminal,
            unseen: Lock::new(None),
        };
        pastes.attend();
        Some(pastes)
    }

    /// Whether a person can paste, be it that the terminal is somebody else's at this moment.
    pub(super) fn are_by_hand(&self) -> bool {
        self.from_terminal
    }

    /// Whether what is pasted is hidden.
    pub(super) fn are_unseen(&self) -> bool {
        self.unseen().is_some()
    }

    /// Hides what is pasted as long as the terminal is ours; it may go to a shell and come back.
    pub(super) fn attend(&self) {
        let mut unseen = self.unseen();
        match &*unseen {
            _ if !self.from_terminal || !tty::is_ours(stdin()) => *unseen = None,
            Some(unseen) => unseen.keep(),
            None => *unseen = Unseen::begin(),
        }
    }

    fn unseen(&self) -> MutexGuard<'_, Option<Unseen>> {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows again what is typed.
    pub(super) fn end(&self) {
        *self.unseen() = None;
    }

    pub(super) async fn next(&self) -> Secret {
        match self.lines.lock().await.recv().await {
            Some(line) => line,
            // Standard input has ended.
            None => std::future::pending().await,
        }
    }
}

fn read(say: &Sender<Secret>, from_terminal: bool) {
    let mut input = BufReader::new(stdin());
    // Of a pipe one word may be a code.
    let mut words = 0..1;
    loop {
        if input.buffer().is_empty() && from_terminal {
            source::wait_until_ours();
        }
        let mut line = Vec::new();
        let read = Read::by_ref(&mut input)
            .take(LONGEST)
            .read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        let counts = match Likely::of(text) {
            Some(Likely::Answer) => true,
            Some(Likely::Code) => words.next().is_some(),
            None => false,
        };
        let counts = counts || (from_terminal && !text.is_empty());
        if counts && say.blocking_send(Secret::from(text)).is_err() {
            return;
        }
    }
}

/// What a line of a pipe is likely to be, which may hold other things such as the rest of a script.
enum Likely {
    Answer,
    Code,
}

impl Likely {
    fn of(text: &str) -> Option<Self> {
        if text.contains("state=") || text.contains("code=") {
            Some(Self::Answer)
        } else if text.is_empty() || text.contains(|c: char| c == '=' || c.is_whitespace()) {
            None
        } else {
            Some(Self::Code)
        }
    }
}

#[cfg(unix)]
mod source {
    use std::io::stdin;
    use std::thread::sleep;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::{FileType, fstat};

    use crate::tty;

    const LOOK_AGAIN: Duration = Duration::from_millis(300);

    /// A file is there for another reader, such as the shell whose script this is.
    pub(super) fn may_be_for_us() -> bool {
        fstat(stdin()).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            matches!(kind, FileType::Fifo | FileType::Socket)
        })
    }

    /// Waits for a line of the terminal while this process is in its foreground: reading in the
    /// background would stop the job.
    pub(super) fn wait_until_ours() {
        loop {
            let input = stdin();
            let _interrupted = poll(&mut [PollFd::new(&input, PollFlags::IN)], None);
            if tty::is_ours(&input) {
                return;
            }
            sleep(LOOK_AGAIN);
        }
    }
}

#[cfg(not(unix))]
mod source {
    pub(super) fn may_be_for_us() -> bool {
        true
    }

    pub(super) fn wait_until_ours() {}
}
