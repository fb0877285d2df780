//! Sign-ins, sign-outs and sessions that come from elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use llm_auth_core::{
    AuthManager, ErrorKind, FileTokenStore, Insertion, OAuthToken, Revocation, Silent, Timestamp,
    TokenStore as _,
};
use tokio::time::timeout;

use super::stored;
use crate::support::{
    Brittle, FakeProvider, caller_in_mid_refresh, expired_session, key, manager_of, session,
};

#[tokio::test]
async fn a_sign_in_is_stored_before_it_is_given_and_a_sign_out_forgets_it() {
    let provider = FakeProvider::default();
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(directory.path().join("sessions"));
    let manager = AuthManager::builder(provider).store(store.clone()).build();
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    let token = manager.login(&Silent).await.unwrap();
    assert_eq!(token.metadata.provider.as_deref(), Some("fake"));
    assert_eq!(store.read(&key()).unwrap().as_ref(), Some(token.as_ref()));

    let logout = manager.logout().await.unwrap();
    assert!(logout.was_signed_in);
    assert_eq!(logout.revocation.unwrap().unwrap(), Revocation::Confirmed);
    assert_eq!(store.read(&key()).unwrap(), None);
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    assert!(!manager.logout().await.unwrap().was_signed_in);
}

#[tokio::test]
async fn a_session_of_another_provider_is_neither_used_nor_replaced() {
    let provider = FakeProvider::default();
    let mut foreign = session("a1", "r1", 3600);
    foreign.metadata.provider = Some("other".into());
    let (manager, store) = manager_of(&provider, foreign.clone()).await;
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(
        manager.login(&Silent).await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(
        manager.logout().await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(stored(&store).await, foreign);
}

#[tokio::test]
async fn a_sign_out_by_another_process_is_seen() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a1", "r1", 3600)).await;
    manager.token().await.unwrap();
    store.lock(&key()).await.unwrap().remove().await.unwrap();
    assert!(manager.load().await.unwrap().is_none());
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
}

#[tokio::test]
async fn a_session_that_a_program_obtained_by_itself_is_adopted() {
    let provider = FakeProvider::default();
    let manager = AuthManager::builder(provider).build();
    manager
        .insert_session(session("a1", "r1", 3600))
        .await
        .unwrap();
    let token = manager.token().await.unwrap();
    assert_eq!(token.metadata.provider.as_deref(), Some("fake"));
}

#[tokio::test]
async fn a_new_session_keeps_the_members_of_the_old_one_that_no_version_here_knows() {
    let provider = FakeProvider::default();
    let mut old = session("a1", "r1", 3600);
    old.extra.0.insert("of_gochat".into(), "made-up".into());
    let (manager, store) = manager_of(&provider, old).await;
    let new = session("a7", "r7", 3600);
    manager.insert_session(new).await.unwrap();
    let kept = stored(&store).await;
    assert_eq!(kept.access.expose(), "a7");
    assert_eq!(kept.extra.0["of_gochat"], "made-up");
}

#[tokio::test]
async fn of_two_callers_without_a_session_one_signs_in_and_both_have_its_token() {
    let provider = FakeProvider::default();
    provider.hold();
    let store = Arc::new(Brittle::default());
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .build();
    let first = manager.token_or_login(&Silent);
    let second = async {
        provider.asked().await;
        // While the first asks its user, the second finds nothing stored.
        let before = store.loads.load(Ordering::SeqCst);
        let release = async {
            while store.loads.load(Ordering::SeqCst) == before {
                tokio::task::yield_now().await;
            }
            provider.release();
        };
        tokio::join!(manager.token_or_login(&Silent), release).0
    };
    let both = async { tokio::join!(first, second) };
    let (first, second) = timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(provider.sign_ins(), 1);
}

#[tokio::test]
async fn a_sign_out_revokes_the_session_that_could_not_be_stored() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    store.refuse_save.store(true, Ordering::SeqCst);
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .build();
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Store);
    // The store still refuses, so that nothing saves the session before.
    let logout = manager.logout().await.unwrap();
    assert_eq!(logout.revocation.unwrap().unwrap(), Revocation::Confirmed);
    assert_eq!(provider.revoked(), ["r2"]);
    assert_eq!(store.held(), None);
}

#[tokio::test]
async fn a_session_is_inserted_only_if_it_may_replace_what_is_stored_by_then() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let new = session("a7", "r7", 3600);
    let inserted = manager.insert_session_if(new.clone(), |_new, stored| stored.is_none());
    let Insertion::Refused(refused) = inserted.await.unwrap() else {
        panic!("not refused");
    };
    assert_eq!(refused.new, new);
    assert_eq!(refused.stored.unwrap().access.expose(), "a1");
    assert_eq!(stored(&store).await.access.expose(), "a1");
    let inserted = manager.insert_session_if(new.clone(), |new, stored| {
        new.access.expose() == "a7" && stored.is_some_and(|stored| stored.access.expose() == "a1")
    });
    let Insertion::Stored(inserted) = inserted.await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(inserted.token.access.expose(), "a7");
    assert_eq!(inserted.replaced.unwrap().access.expose(), "a1");
    assert!(!inserted.replaced_unreadable);
    assert_eq!(stored(&store).await.access.expose(), "a7");

    let store = FileTokenStore::directory(tempfile::tempdir().unwrap().path());
    let free = || {
        let builder = AuthManager::builder(provider.clone()).store(store.clone());
        let (manager, new) = (builder.build(), new.clone());
        async move {
            let inserted = manager.insert_session_if(new, |_new, stored| stored.is_none());
            matches!(inserted.await.unwrap(), Insertion::Stored(_))
        }
    };
    // Of two at once one finds it free.
    let (first, second) = tokio::join!(free(), free());
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_sign_in_that_may_not_replace_the_stored_session_is_given_back() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a5", "r5", 3600)).await;
    manager.token().await.unwrap();
    let of_same_user = |new: &OAuthToken, stored: Option<&OAuthToken>| {
        stored.is_none_or(|stored| stored.access == new.access)
    };
    let signed_in = manager.login_with(&Silent, of_same_user).await.unwrap();
    let Insertion::Refused(refused) = signed_in else {
        panic!("not refused");
    };
    assert_eq!(stored(&store).await.access.expose(), "a5");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a5");
    // It goes to another account.
    let another = AuthManager::builder(provider.clone())
        .store(store.clone())
        .account("another")
        .build();
    let inserted = another.insert_session_if(refused.new, of_same_user).await;
    assert!(matches!(inserted.unwrap(), Insertion::Stored(_)));
    assert_eq!(another.token().await.unwrap().access.expose(), "a1");
    // Once the account is free, the same sign-in is stored there.
    manager.logout().await.unwrap();
    let signed_in = manager.login_with(&Silent, of_same_user).await.unwrap();
    assert!(matches!(signed_in, Insertion::Stored(_)));
    assert_eq!(stored(&store).await.access.expose(), "a1");
    assert_eq!(provider.sign_ins(), 2);
}

#[tokio::test]
async fn a_sign_in_knows_what_it_would_replace_before_the_user_is_asked() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a5", "r5", 3600)).await;
    let pending = manager.begin_login().await.unwrap();
    assert_eq!(pending.stored().unwrap().access.expose(), "a5");
    assert_eq!(provider.sign_ins(), 0);
    // Nothing is locked while the user thinks, and what is stored by then decides.
    store.lock(&key()).await.unwrap().remove().await.unwrap();
    let signed_in = pending.authenticate(&Silent, |_new, stored| stored.is_none());
    let Insertion::Stored(signed_in) = signed_in.await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(signed_in.replaced, None);
}

#[tokio::test]
async fn a_sign_in_replaces_what_is_no_session_and_it_is_kept_aside() {
    let provider = FakeProvider::default();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    std::fs::write(&file, "no session").unwrap();
    let manager = AuthManager::builder(provider)
        .store(FileTokenStore::file(&file))
        .build();
    assert_eq!(manager.begin_login().await.unwrap().stored(), None);
    let signed_in = manager.login_with(&Silent, |_new, stored| stored.is_none());
    let Insertion::Stored(signed_in) = signed_in.await.unwrap() else {
        panic!("refused");
    };
    assert!(signed_in.replaced_unreadable && signed_in.replaced.is_none());
    let names = std::fs::read_dir(directory.path()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.any(|name| name.starts_with("session.json.corrupt-")));
}

#[tokio::test]
async fn a_sign_in_reads_the_store_twice() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(session("a5", "r5", 3600));
    let manager = AuthManager::builder(provider)
        .store(Arc::clone(&store))
        .build();
    manager.login(&Silent).await.unwrap();
    let signed_in = manager.login_with(&Silent, |_new, _stored| true).await;
    assert!(matches!(signed_in.unwrap(), Insertion::Stored(_)));
    assert_eq!(store.loads.load(Ordering::SeqCst), 0);
    assert_eq!(store.locked_loads.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_sign_out_during_a_refresh_wins_and_the_session_does_not_return() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let caller = caller_in_mid_refresh(&provider, &manager).await;
    let signing_out = tokio::spawn({
        let manager = manager.clone();
        async move { manager.logout().await }
    });
    provider.release();
    assert!(caller.await.unwrap().is_ok());
    assert!(signing_out.await.unwrap().unwrap().was_signed_in);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_sign_out_that_waited_leaves_the_session_of_another_server_that_came_meanwhile() {
    let of_server = |access: &str, server: &str| {
        let mut of_server = session(access, "r1", 3600);
        of_server.metadata.server = Some(server.into());
        of_server.metadata.signed_in_at = Some(Timestamp::from_unix_millis(1_000));
        of_server
    };
    let provider = FakeProvider::default();
    for (before, came) in [
        (
            Some(of_server("a1", "https://one.example")),
            "https://two.example",
        ),
        (Some(session("a1", "r1", 3600)), "https://two.example"),
        (None, "https://two.example"),
    ] {
        let store = Arc::new(Brittle::default());
        if let Some(before) = before {
            store.hold(before);
        }
        let manager = AuthManager::builder(provider.clone())
            .store(Arc::clone(&store))
            .build();
        let guard = store.lock(&key()).await.unwrap();
        let signing_out = tokio::spawn(async move { manager.logout().await });
        while store.loads.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        store.hold(of_server("a7", came));
        drop(guard);
        let refused = signing_out.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StoreBusy);
        assert_eq!(store.held().unwrap().access.expose(), "a7");
    }
    assert!(provider.revoked().is_empty());
}

#[tokio::test]
async fn a_sign_in_during_a_refresh_wins() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let caller = caller_in_mid_refresh(&provider, &manager).await;
    let signing_in = tokio::spawn({
        let manager = manager.clone();
        async move { manager.insert_session(session("a7", "r7", 3600)).await }
    });
    provider.release();
    caller.await.unwrap().unwrap();
    signing_in.await.unwrap().unwrap();
    assert_eq!(stored(&store).await.refresh.unwrap().expose(), "r7");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a7");
}
