//! F41: programs that use the library as careless users do. Each is a process of its own: this
//! same program, started with [`FLAG`], its name, the provider, the token file.

use std::pin::pin;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use llm_auth::qwen::{AuthManager, Error, FileTokenStore, OAuthToken, QwenProvider};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

pub(crate) const FLAG: &str = "--careless";

/// The program goes on with its token until the word.
pub(crate) const WAITS: &str = "waits";

/// A wait that never ends, for a test.
const HUNG: Duration = Duration::from_secs(20);

type Outcome = Result<Arc<OAuthToken>, Error>;

/// Runs the program that was asked for, if one was.
pub(crate) fn asked() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [flag, name, base, file, more @ ..] = &words[..] else {
        return None;
    };
    if flag != FLAG {
        return None;
    }
    // The session of the test records no server.
    let provider = QwenProvider::builder()
        .base_url(base)
        .unwrap()
        .trust_endpoint(base.parse().unwrap());
    let manager = AuthManager::builder(provider.build())
        .store(FileTokenStore::file(file))
        .build();
    let waits = more.first().is_some_and(|more| more == WAITS);
    let outcome = match name.as_str() {
        "returns" => many_threads().block_on(returns(manager, waits)),
        "static" => many_threads().block_on(in_a_static(manager, waits)),
        "exits" => many_threads().block_on(exits(manager, waits)),
        "blocks" => return Some(blocks(manager)),
        "deadline" => deadline(&manager),
        "two-runtimes" => two_runtimes(&manager),
        "drops" => return Some(drops(manager)),
        "panics" => panics(&manager),
        "plain" => return Some(plain(&manager)),
        "nests" => return Some(one_thread().block_on(async { plain(&manager) })),
        "child" => child(&manager),
        _ => return Some(ExitCode::from(2)),
    };
    Some(report(&outcome))
}

fn report(outcome: &Outcome) -> ExitCode {
    match outcome {
        Ok(token) => {
            println!("{}", token.access.expose());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(match (error.needs_login(), error.is_transient()) {
                (true, _) => 3,
                (_, true) => 4,
                _ => 1,
            })
        }
    }
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().enable_all().build().unwrap()
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A line of standard input: the torture run sends it at the right moment.
fn read_word() {
    let _octets = std::io::stdin().read_line(&mut String::new());
}

/// The same for a future.
fn word() -> oneshot::Receiver<()> {
    let (came, word) = oneshot::channel();
    std::thread::spawn(move || {
        read_word();
        came.send(())
    });
    word
}

/// What a program does with its token: nothing, or something that lasts until the word.
async fn until_word(waits: bool) {
    if waits {
        let _came = word().await;
    }
}

/// The README's program, which has a use for the token if it `waits`.
async fn returns(manager: AuthManager, waits: bool) -> Outcome {
    let token = manager.token().await;
    until_word(waits).await;
    token
}

/// The same with a manager that is never dropped.
async fn in_a_static(manager: AuthManager, waits: bool) -> Outcome {
    static MANAGER: OnceLock<AuthManager> = OnceLock::new();
    let token = MANAGER.get_or_init(|| manager).token().await;
    until_word(waits).await;
    token
}

/// The same, and no destructor runs.
#[allow(clippy::exit, reason = "what is put to the test")]
async fn exits(manager: AuthManager, waits: bool) -> Outcome {
    let token = manager.token().await;
    until_word(waits).await;
    report(&token);
    std::process::exit(0)
}

/// The only thread blocks as soon as the request is on its way, until it may go on.
fn blocks(manager: AuthManager) -> ExitCode {
    one_thread().block_on(async move {
        let _task = tokio::spawn(async move { manager.token().await });
        let _came = word().await;
        read_word();
    });
    ExitCode::SUCCESS
}

/// One runtime per call; the first call has a deadline, which is over when the request is seen.
fn deadline(manager: &AuthManager) -> Outcome {
    let first = one_thread().block_on(or_word(manager.token()));
    first.unwrap_or_else(|| one_thread().block_on(manager.token()))
}

/// What comes first; `None` for the word.
async fn or_word(token: impl Future<Output = Outcome>) -> Option<Outcome> {
    tokio::select! {
        outcome = token => Some(outcome),
        _ = word() => None,
    }
}

/// The first runtime began the refresh and is gone; a caller waits on the second.
fn two_runtimes(manager: &AuthManager) -> Outcome {
    let (first, second) = (many_threads(), one_thread());
    let begun = manager.clone();
    let _task = first.spawn(async move { begun.token().await });
    second.block_on(word()).unwrap();
    let mut waiting = Box::pin(manager.token());
    let now = second.block_on(async {
        std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await
    });
    first.shutdown_background();
    match now {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => second.block_on(waiting),
    }
}

/// The task that asked is cut off, and with it the last handle.
fn drops(manager: AuthManager) -> ExitCode {
    many_threads().block_on(async move {
        let task = tokio::spawn(async move { manager.token().await });
        let _came = word().await;
        task.abort();
        let _ended = task.await;
    });
    ExitCode::SUCCESS
}

/// The thread that asked panics; another one asks again.
fn panics(manager: &AuthManager) -> Outcome {
    let asking = manager.clone();
    let thread = std::thread::spawn(move || {
        one_thread().block_on(async move {
            let _none = or_word(asking.token()).await;
            // As `panic!`, without the words on standard error.
            std::panic::resume_unwind(Box::new("careless"));
        });
    });
    assert!(thread.join().is_err());
    one_thread().block_on(manager.token())
}

/// A child is started in mid-refresh, and lives longer than we do: until the torture closes the
/// standard input that it has from us.
#[allow(clippy::zombie_processes, reason = "it outlives this program")]
fn child(manager: &AuthManager) -> Outcome {
    many_threads().block_on(async {
        let asking = manager.clone();
        let task = tokio::spawn(async move { asking.token().await });
        let _came = word().await;
        let mut long = Command::new("/bin/cat");
        long.stdout(Stdio::null()).stderr(Stdio::null());
        let _child = long.spawn().unwrap();
        task.await.unwrap()
    })
}

/// Waits by an executor that is not tokio's; inside a runtime that blocks its thread.
fn plain(manager: &AuthManager) -> ExitCode {
    let Some(outcome) = block_on(manager.token()) else {
        eprintln!("no token after {} s", HUNG.as_secs());
        return ExitCode::FAILURE;
    };
    report(&outcome)
}

/// Polls, and sleeps until it is woken; `None` if that takes too long.
fn block_on<F: Future>(future: F) -> Option<F::Output> {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let end = Instant::now() + HUNG;
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
