//! The addresses and codes that a user pastes while a sign-in waits for the browser.
//!
//! See decision 0024.

#[cfg(unix)]
mod typed;

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};

use llm_auth_core::Secret;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::ui::streams::Screen;
use crate::ui::tty::{self, HiddenInput};

/// Asks the terminal to mark where a paste begins and ends, and not to do so any more.
const MARKED_PASTES: &str = "\x1b[?2004h";
pub(super) const PLAIN_PASTES: &str = "\x1b[?2004l";

/// The longest line that is read; no redirect is as long.
const LONGEST: u64 = 64 * 1024;

/// Reads lines of standard input in a thread of its own: such a read cannot be called off.
#[derive(Debug)]
pub(super) struct PasteInput {
    lines: Mutex<Receiver<Secret>>,
    from_terminal: bool,
    screen: &'static Screen,
    hidden: Lock<Option<Hidden>>,
    /// What is typed is for us; once the terminal is given back, it is a shell's.
    is_for_us: Arc<AtomicBool>,
}

/// The terminal as a paste needs it; as it was when this is dropped.
#[derive(Debug)]
struct Hidden {
    input: HiddenInput,
    screen: &'static Screen,
}

impl Hidden {
    fn begin(screen: &'static Screen) -> Option<Self> {
        let input = HiddenInput::begin()?;
        screen.steer(MARKED_PASTES);
        Some(Self { input, screen })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.screen.steer(PLAIN_PASTES);
    }
}

impl PasteInput {
    /// `None` where nothing can be pasted.
    pub(super) fn start(screen: &'static Screen) -> Option<Self> {
        let from_terminal = stdin().is_terminal();
        if !from_terminal && !source::may_be_for_us() {
            return None;
        }
        let (say, lines) = channel(4);
        let is_for_us = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_for_us);
        std::thread::spawn(move || match from_terminal {
            true => source::read_terminal(&say, &asked),
            false => read_lines(&say, is_of_an_answer),
        });
        let input = Self {
            lines: Mutex::new(lines),
            from_terminal,
            screen,
            hidden: Lock::new(None),
            is_for_us,
        };
        input.attend();
        Some(input)
    }

    /// Whether a user can paste, even if another job has the terminal at this moment.
    pub(super) fn is_by_hand(&self) -> bool {
        self.from_terminal
    }

    /// Whether what is pasted is hidden.
    pub(super) fn is_hidden(&self) -> bool {
        self.hidden().is_some()
    }

    /// Hides what is pasted as long as the terminal is ours; it may go to a shell and come back.
    pub(super) fn attend(&self) {
        let mut hidden = self.hidden();
        let is_for_us = self.from_terminal && tty::is_ours(stdin());
        self.is_for_us.store(is_for_us, Ordering::SeqCst);
        match &*hidden {
            _ if !is_for_us => *hidden = None,
            Some(hidden) => hidden.input.keep(),
            None => *hidden = Hidden::begin(self.screen),
        }
    }

    fn hidden(&self) -> MutexGuard<'_, Option<Hidden>> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows again what is typed, and reads no more of it.
    pub(super) fn end(&self) {
        self.is_for_us.store(false, Ordering::SeqCst);
        *self.hidden() = None;
    }

    pub(super) async fn next(&self) -> Secret {
        match self.lines.lock().await.recv().await {
            Some(line) => line,
            // Standard input has ended.
            None => std::future::pending().await,
        }
    }
}

/// Reads lines until the input ends, and passes on those that count.
fn read_lines(say: &Sender<Secret>, counts: fn(&str) -> bool) {
    let mut input = BufReader::new(stdin());
    loop {
        let mut line = Vec::new();
        let read = Read::by_ref(&mut input)
            .take(LONGEST)
            .read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if counts(text) && say.blocking_send(Secret::from(text)).is_err() {
            return;
        }
    }
}

/// Whether a line of a pipe, which may hold other things such as the rest of a script, says itself
/// that it is for us: a code with its name, or the parameters of an address. Any other word stays
/// here, for a code is sent to the provider; of an address only one with our `state` is.
fn is_of_an_answer(text: &str) -> bool {
    // Decision 0046.
    let text = text.trim_start_matches(['"', '\'', '<']);
    let names = ["code=", "error=", "state="];
    let mut parts = text.split(['?', '&']);
    parts.any(|part| names.iter().any(|name| part.starts_with(name)))
}

#[cfg(unix)]
mod source {
    use std::io::stdin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::sleep;
    use std::time::Duration;

    use llm_auth_core::Secret;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};
    use rustix::io::{Errno, read};
    use tokio::sync::mpsc::Sender;

    use super::typed::Typed;
    use crate::ui::tty;

    const LOOK_AGAIN: Duration = Duration::from_millis(300);
    /// Within this time after a line end more of the same paste comes, if there is more.
    const REST_OF_A_PASTE: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 200_000_000,
    };

    /// A file is there for another reader, such as the shell whose script this is.
    pub(super) fn may_be_for_us() -> bool {
        fstat(stdin()).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            matches!(kind, FileType::Fifo | FileType::Socket)
        })
    }

    /// Passes on what is pasted or typed. Nothing but the end of the sign-in ends it.
    pub(super) fn read_terminal(say: &Sender<Secret>, is_for_us: &AtomicBool) {
        let mut typed = Typed::default();
        let mut bytes = [0; 4096];
        loop {
            let mut texts = Vec::new();
            if typed.may_be_complete() && !comes(Some(&REST_OF_A_PASTE)) {
                texts.extend(typed.complete());
            } else {
                wait_until_ours(is_for_us);
                match read(stdin(), &mut bytes) {
                    Ok(count @ 1..) => {
                        texts.extend(bytes[..count].iter().filter_map(|byte| typed.take(*byte)));
                    }
                    Err(Errno::INTR) => {}
                    // An end of input by lines, or a terminal that is gone: its signal ends us.
                    Ok(_) | Err(_) => sleep(LOOK_AGAIN),
                }
            }
            if texts
                .into_iter()
                .any(|text| say.blocking_send(text).is_err())
            {
                return;
            }
        }
    }

    /// Waits for something in the terminal while this process is in its foreground: reading in the
    /// background would stop the job.
    fn wait_until_ours(is_for_us: &AtomicBool) {
        loop {
            comes(None);
            if is_for_us.load(Ordering::SeqCst) && tty::is_ours(stdin()) {
                return;
            }
            sleep(LOOK_AGAIN);
        }
    }

    /// Whether something comes within that time.
    fn comes(within: Option<&Timespec>) -> bool {
        let input = stdin();
        poll(&mut [PollFd::new(&input, PollFlags::IN)], within).is_ok_and(|count| count > 0)
    }
}

#[cfg(not(unix))]
mod source {
    use std::sync::atomic::AtomicBool;

    use llm_auth_core::Secret;
    use tokio::sync::mpsc::Sender;

    pub(super) fn may_be_for_us() -> bool {
        true
    }

    pub(super) fn read_terminal(say: &Sender<Secret>, _is_for_us: &AtomicBool) {
        super::read_lines(say, |text| !text.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_pipe_only_what_says_that_it_is_an_answer_is_passed_on() {
        for text in [
            "code=4/made-up",
            "?code=4/made-up&state=s",
            "http://127.0.0.1:4711/cb?state=s&code=c",
            "state=s&code=c",
            "http://127.0.0.1:4711/cb?code=c",
            "\"http://127.0.0.1:4711/cb?code=c&state=s\"",
        ] {
            assert!(is_of_an_answer(text), "{text}");
        }
        for text in [
            "",
            "made-up-password-of-another-program",
            "sk-made-up-0123456789abcdef",
            "export code=made-up",
            "zipcode=12345",
            "https://vendor.example/?estate=x",
        ] {
            assert!(!is_of_an_answer(text), "{text}");
        }
    }
}
