//! A refresh depends on no caller: not on its runtime, its thread, its task or its handle.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::support::{FakeProvider, expired_session, session};
use llm_auth_core::{AuthManager, FileTokenStore, SessionKey, Silent, TokenStore as _};
use tokio::runtime::{Builder, Runtime};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The plainest executor that there is.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A file store with a session that has expired.
fn expired(provider: &FakeProvider) -> (AuthManager, FileTokenStore, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(directory.path().join("session.json"));
    let manager = AuthManager::builder(provider.clone())
        .store(store.clone())
        .build();
    let token = expired_session("a1", "r1");
    block_on(manager.insert_session(token)).unwrap();
    (manager, store, directory)
}

fn stored(store: &FileTokenStore) -> String {
    let key = SessionKey::new("fake", "default");
    let token = store.read(&key).unwrap().unwrap();
    token.refresh.unwrap().expose().to_owned()
}

/// Polls `token()` once, so that the refresh begins, and waits until the server has received the
/// request.
fn begin(manager: &AuthManager, provider: &FakeProvider) {
    let mut call = pin!(manager.token());
    let first = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(first.is_pending());
    block_on(provider.asked());
}

#[test]
fn a_runtime_that_is_dropped_in_mid_refresh_loses_nothing() {
    let provider = FakeProvider::default();
    let (manager, store, _directory) = expired(&provider);
    provider.hold();
    let runtime = one_thread();
    runtime.block_on(async { begin(&manager, &provider) });
    drop(runtime);
    provider.release();
    block_on(manager.wait_idle());
    assert_eq!(stored(&store), "r2");
    assert_eq!(provider.refreshes(), 1);
}

#[test]
fn a_waiter_on_a_second_runtime_gets_the_token_when_the_first_is_dropped() {
    let provider = FakeProvider::default();
    let (manager, _store, _directory) = expired(&provider);
    provider.hold();
    let first = one_thread();
    first.block_on(async { begin(&manager, &provider) });
    let second = thread::spawn(move || one_thread().block_on(manager.token()).unwrap());
    drop(first);
    provider.release();
    assert_eq!(second.join().unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[test]
fn a_runtime_whose_only_thread_is_blocked_does_not_hold_the_refresh_up() {
    let provider = FakeProvider::default();
    let (manager, store, _directory) = expired(&provider);
    let refresh_token = one_thread().block_on(async {
        begin(&manager, &provider);
        // The thread of this runtime is blocked until the refresh is stored and the lock free.
        block_on(manager.wait_idle());
        let key = SessionKey::new("fake", "default");
        drop(
            block_on(
                store
                    .clone()
                    .lock_wait(std::time::Duration::ZERO)
                    .lock(&key),
            )
            .unwrap(),
        );
        stored(&store)
    });
    assert_eq!(refresh_token, "r2");
}

#[test]
fn a_handle_that_is_dropped_in_mid_refresh_loses_nothing() {
    let provider = FakeProvider::default();
    let (manager, store, _directory) = expired(&provider);
    provider.hold();
    let mut watch = manager.watch();
    begin(&manager, &provider);
    drop(manager);
    provider.release();
    while block_on(watch.changed()).is_some() {}
    assert_eq!(stored(&store), "r2");
}

#[test]
fn a_thread_that_panics_in_mid_refresh_loses_nothing() {
    let provider = FakeProvider::default();
    let (manager, store, _directory) = expired(&provider);
    provider.hold();
    let asking = thread::spawn({
        let (manager, provider) = (manager.clone(), provider.clone());
        move || {
            begin(&manager, &provider);
            panic!("as asked");
        }
    });
    assert!(asking.join().is_err());
    provider.release();
    block_on(manager.wait_idle());
    assert_eq!(stored(&store), "r2");
}

#[test]
fn a_plain_executor_can_sign_in_refresh_and_sign_out() {
    let provider = FakeProvider::default();
    let directory = tempfile::tempdir().unwrap();
    let manager = AuthManager::builder(provider)
        .store(FileTokenStore::file(directory.path().join("session.json")))
        .build();
    let token = block_on(manager.token_or_login(&Silent)).unwrap();
    assert_eq!(token.access.expose(), "a1");
    let token = block_on(manager.invalidate(&token)).unwrap();
    assert_eq!(token.access.expose(), "a2");
    assert!(block_on(manager.logout()).unwrap().was_signed_in);
}

#[test]
fn a_blocking_handle_needs_no_executor_at_all() {
    let provider = FakeProvider::default();
    let manager = AuthManager::builder(provider).build().blocking();
    assert!(manager.token().unwrap_err().needs_login());
    assert_eq!(
        manager.token_or_login(&Silent).unwrap().access.expose(),
        "a1"
    );
    assert_eq!(manager.refresh().unwrap().access.expose(), "a2");
    assert_eq!(manager.load().unwrap().unwrap().access.expose(), "a2");
}

#[test]
fn a_runtime_without_connections_and_timers_is_enough() {
    let provider = FakeProvider::default();
    let (manager, _store, _directory) = expired(&provider);
    let bare = Builder::new_current_thread().build().unwrap();
    let token = bare.block_on(manager.token()).unwrap();
    assert_eq!(token.access.expose(), "a2");
}

#[test]
fn blocking_threads_that_all_wait_for_a_token_do_not_wait_for_each_other() {
    let provider = FakeProvider::default();
    let (manager, _store, _directory) = expired(&provider);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (manager, handle) = (manager.clone(), runtime.handle().clone());
            runtime.spawn_blocking(move || handle.block_on(manager.token()).unwrap())
        })
        .collect();
    for call in waiting {
        let token = runtime.block_on(call).unwrap();
        assert_eq!(token.access.expose(), "a2");
    }
    assert_eq!(provider.refreshes(), 1);
}

#[test]
fn a_background_refresh_begins_outside_every_runtime() {
    let provider = FakeProvider::default();
    let (manager, store, _directory) = expired(&provider);
    let key = SessionKey::new("fake", "default");
    let mut guard = block_on(store.lock(&key)).unwrap();
    block_on(guard.save(&session("a5", "r5", 200))).unwrap();
    drop(guard);
    assert_eq!(block_on(manager.token()).unwrap().access.expose(), "a5");
    block_on(manager.wait_idle());
    assert_eq!(stored(&store), "r6");
}

#[test]
fn a_keeper_that_was_made_outside_every_runtime_refreshes() {
    let provider = FakeProvider::default();
    let (manager, _store, _directory) = expired(&provider);
    let mut watch = manager.watch();
    let _keeper = manager.keep_fresh();
    block_on(watch.changed()).unwrap();
    assert_eq!(provider.refreshes(), 1);
}
