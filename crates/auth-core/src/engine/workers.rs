//! A few threads for calls that block: files and host names.
//!
//! See decision 0053.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that start on demand and stay: once one runs, later work needs nothing from the system.
#[derive(Debug)]
pub(crate) struct Workers {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    /// The process that started the threads: a forked child has none of them.
    process: u32,
    threads: usize,
    idle: usize,
    jobs: VecDeque<Job>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

/// The threads for files. A file system syncs many files at once about as fast as one, so more
/// threads than cores are useful.
pub(crate) fn files() -> &'static Workers {
    static FILES: Workers = Workers::new("llm-auth-files", 10);
    &FILES
}

/// The threads for host names: a name server that hangs must not delay a save.
pub(crate) fn names() -> &'static Workers {
    static NAMES: Workers = Workers::new("llm-auth-names", 2);
    &NAMES
}

impl Workers {
    const fn new(name: &'static str, most: usize) -> Self {
        Self {
            name,
            most,
            state: Mutex::new(State {
                process: 0,
                threads: 0,
                idle: 0,
                jobs: VecDeque::new(),
            }),
            more: Condvar::new(),
        }
    }

    /// Runs blocking work to its end, whether or not the future is still polled.
    ///
    /// # Errors
    ///
    /// The work's error; [`ErrorKind::System`] if it panics, or if no thread runs and none can be
    /// started: then it has not begun.
    pub(crate) async fn run<T: Send + 'static>(
        &'static self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, outcome) = oneshot::channel();
        self.push(Box::new(move || {
            // A dropped caller does not want the outcome.
            let _unwanted = done.send(work());
        }))?;
        outcome.await.unwrap_or_else(|source| {
            Err(Error::new(ErrorKind::System, "a background job panicked").with_source(source))
        })
    }

    fn push(&'static self, job: Job) -> Result<()> {
        let mut state = self.state();
        if state.idle <= state.jobs.len() && state.threads < self.most {
            let started = thread::Builder::new()
                .name(self.name.into())
                .spawn(move || self.work());
            match started {
                Ok(_runs_for_ever) => state.threads += 1,
                // The running threads will get to it.
                Err(error) if state.threads > 0 => {
                    tracing::debug!(%error, "cannot start another thread");
                }
                Err(source) => {
                    return Err(Error::new(
                        ErrorKind::System,
                        "cannot start a thread; raise the limits of this user (`ulimit -a`)",
                    )
                    .with_source(source));
                }
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    fn work(&self) {
        super::mark_own_thread();
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A waiter sees that the channel is closed.
                let _panic = catch_unwind(AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            state.idle += 1;
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if state.process != process {
            *state = State {
                process,
                ..State::default()
            };
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::block_on;

    #[test]
    fn a_panic_in_a_job_is_an_error_and_the_next_job_runs() {
        static WORKERS: Workers = Workers::new("llm-auth-test", 1);
        let error = block_on(WORKERS.run::<()>(|| panic!("as asked"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert_eq!(block_on(WORKERS.run(|| Ok(7))).unwrap(), 7);
    }

    #[test]
    fn no_more_threads_run_than_allowed() {
        static WORKERS: Workers = Workers::new("llm-auth-test", 2);
        let (started, seen) = std::sync::mpsc::channel();
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let hold = std::sync::Arc::new(Mutex::new(hold));
        for _ in 0..6 {
            let (started, hold) = (started.clone(), std::sync::Arc::clone(&hold));
            WORKERS
                .push(Box::new(move || {
                    started.send(thread::current().id()).unwrap();
                    hold.lock().unwrap().recv().unwrap();
                }))
                .unwrap();
        }
        for _ in 0..6 {
            release.send(()).unwrap();
        }
        let mut ids: Vec<_> = seen.iter().take(6).map(|id| format!("{id:?}")).collect();
        ids.sort();
        ids.dedup();
        assert!(ids.len() <= 2, "{ids:?}");
    }
}
