//! The end of the process, which waits for everything that a server has received and the store has
//! not.
//!
//! See decision 0054.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};

/// How long the end of the process waits. A request takes at most 20 s unless the program allows
/// more, and a save after it a moment.
const EXIT_WAIT: Duration = Duration::from_secs(25);

struct State {
    /// The process that counts: a forked child has none of its parent's work.
    process: u32,
    running: usize,
    ending: bool,
    /// Whether the end waits at all.
    waits: bool,
}

static STATE: Mutex<State> = Mutex::new(State {
    process: 0,
    running: 0,
    ending: false,
    waits: true,
});
static LESS: Condvar = Condvar::new();

/// The process that gives up waiting: a forked child does not.
static GIVEN_UP: LazyLock<watch::Sender<u32>> = LazyLock::new(|| watch::Sender::new(0));

/// Work that the end of the process waits for, for as long as this value lives: from before a
/// credential is spent until its successor is stored.
#[derive(Debug)]
pub(crate) struct Critical {
    process: u32,
}

/// Marks the beginning of work that must not be cut off.
///
/// # Errors
///
/// [`ErrorKind::System`] if the process is ending already: then it must not begin.
pub(crate) fn critical() -> Result<Critical> {
    let mut state = state();
    if state.ending {
        return Err(Error::new(
            ErrorKind::System,
            "the process is exiting; nothing was sent",
        ));
    }
    state.running += 1;
    Ok(Critical {
        process: state.process,
    })
}

/// Lets the process end at once, even if a refresh token is spent and its successor not stored: for
/// a user who insists, for example by a second Ctrl-C. The session may be lost.
///
/// Otherwise a normal end waits, at most 25 s; see [`AuthManager`](crate::AuthManager).
///
/// # Examples
///
/// ```
/// let mut interrupts = 0;
/// # for _ in 0..2 {
/// // In the handler of Ctrl-C:
/// interrupts += 1;
/// if interrupts == 2 {
///     llm_auth_core::skip_exit_wait();
/// }
/// # }
/// ```
pub fn skip_exit_wait() {
    state().waits = false;
}

/// Ends every wait for the lock of a session with an error, now and later, for a program that is asked
/// to end: what has begun is finished and stored, and nothing new begins.
///
/// # Examples
///
/// ```
/// // In the handler of the first Ctrl-C:
/// llm_auth_core::give_up_waiting();
/// ```
pub fn give_up_waiting() {
    GIVEN_UP.send_replace(std::process::id());
}

/// Waits for this, or until the process gives up waiting.
///
/// # Errors
///
/// Its own; [`ErrorKind::System`] if the process gives up.
pub(crate) async fn unless_given_up<T>(waiting: impl Future<Output = Result<T>>) -> Result<T> {
    let mut state = GIVEN_UP.subscribe();
    // The sender is static, so this ends for no other reason.
    let mut given_up = pin!(state.wait_for(|process| *process == std::process::id()));
    let mut waiting = pin!(waiting);
    poll_fn(|context| {
        if let Poll::Ready(done) = waiting.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        given_up.as_mut().poll(context).map(|_ending| {
            let message = "the process is ending; nothing was sent or changed";
            Err(Error::new(ErrorKind::System, message))
        })
    })
    .await
}

/// Whether the process is ending, so that nothing new should be tried.
pub(crate) fn is_ending() -> bool {
    state().ending
}

fn state() -> MutexGuard<'static, State> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if state.process != process {
        *state = State {
            process,
            running: 0,
            ending: false,
            waits: true,
        };
    }
    state
}

impl Drop for Critical {
    fn drop(&mut self) {
        let mut state = state();
        if self.process == state.process {
            state.running = state.running.saturating_sub(1);
            LESS.notify_all();
        }
    }
}

/// Registers the wait, once: `main` may return, and `exit` may be called, in mid-refresh.
pub(super) fn wait_at_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !shutdown_hooks::add_shutdown_hook(at_exit) {
            tracing::warn!("the process will exit without waiting for a refresh in progress");
        }
    });
}

extern "C" fn at_exit() {
    // The work itself would wait for itself.
    if super::is_own_thread() {
        return;
    }
    let mut state = state();
    state.ending = true;
    let deadline = Instant::now() + EXIT_WAIT;
    while state.running > 0 && state.waits {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let waited = LESS.wait_timeout(state, left);
        (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
}
