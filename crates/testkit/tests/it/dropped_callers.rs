//! The caller of a refresh is dropped at every await point: no session is lost.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use llm_auth_core::{AuthManager, FileTokenStore, ProviderSpec as _, Silent};
use llm_auth_testkit::{Approval, StandardProvider, Testkit, TestkitBuilder, immediate_polls};

use crate::conformance::vendor;

type TestResult = Result<(), Box<dyn StdError>>;

fn manager(kit: &Testkit, store: &FileTokenStore) -> Result<AuthManager, llm_auth_core::Error> {
    let provider = vendor().builder().base_url(kit.base_url())?;
    let provider = provider.schedule(immediate_polls()).build();
    Ok(AuthManager::builder(provider).store(store.clone()).build())
}

fn kit() -> TestkitBuilder {
    let server = StandardProvider::new("my-app")
        .device_authorization_path("/device")
        .token_path("/token")
        .user_info_path("/me");
    let builder = Testkit::builder().standard(server);
    builder.approval(Approval::Auto).interval(Duration::ZERO)
}

/// Polls a future so many times and then drops it; returns its output if it came before.
async fn polled<T>(work: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_caller_that_is_dropped_at_any_await_point_of_a_refresh_loses_nothing() -> TestResult {
    let kit = kit().start().await?;
    let directory = tempfile::tempdir()?;
    let store = FileTokenStore::file(directory.path().join("session.json"));
    manager(&kit, &store)?.login(&Silent).await?;
    let mut dropped_at = 0;
    loop {
        let current = manager(&kit, &store)?.token().await?;
        let caller = manager(&kit, &store)?;
        let came = polled(caller.invalidate(&current), dropped_at).await;
        caller.wait_idle().await;
        // Another process, which knows nothing of the first.
        let next = manager(&kit, &store)?.token().await?;
        assert!(kit.standard().is_live_access(next.access.expose()));
        let seen = kit.standard().counters();
        assert_eq!((seen.reuse, seen.families_revoked), (0, 0));
        if let Some(token) = came {
            assert_eq!(token?.access, next.access);
            break;
        }
        dropped_at += 1;
    }
    assert!(dropped_at >= 2, "there were await points to drop it at");
    assert_eq!(kit.standard().violations(), Vec::<String>::new());
    Ok(())
}

/// Nothing else drives it: the refresh itself is dropped at each of its own await points only
/// together with its runtime, as at the end of a process.
#[test]
fn a_process_that_ends_at_any_moment_of_a_refresh_loses_nothing_but_what_was_never_received()
-> TestResult {
    let kit = kit()
        // The server accepts a token again if its successor was never used: RFC 9700 section 4.14.2
        // leaves that to it, and without it a response that no client received is lost.
        .grace(Duration::from_secs(600))
        .start_blocking()?;
    let directory = tempfile::tempdir()?;
    let store = FileTokenStore::file(directory.path().join("session.json"));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    runtime()?.block_on(async { manager(&kit, &store)?.login(&Silent).await })?;
    for turns in 0..40 {
        let ending = runtime()?;
        ending.block_on(async {
            let caller = manager(&kit, &store)?;
            let current = caller.token().await?;
            let _came = polled(caller.invalidate(&current), 1).await;
            // The owned task is polled so many times, and then the process is over.
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            Ok::<_, llm_auth_core::Error>(())
        })?;
        drop(ending);
        let next = runtime()?.block_on(async {
            let manager = manager(&kit, &store)?;
            let token = manager.token().await?;
            manager.invalidate(&token).await
        })?;
        assert!(
            kit.standard().is_live_access(next.access.expose()),
            "{turns}"
        );
    }
    assert_eq!(kit.standard().counters().families_revoked, 0);
    Ok(())
}
