//! Sign-ins, sign-outs and sessions that come from elsewhere.

use llm_auth_core::{AuthManager, ErrorKind, FileTokenStore, Revocation, Silent, TokenStore as _};

use super::support::{FakeProvider, caller_in_mid_refresh, expired_session, session};
use super::{key, stored, with_session};

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
    let (manager, store) = with_session(&provider, foreign.clone()).await;
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
    let (manager, store) = with_session(&provider, session("a1", "r1", 3600)).await;
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
async fn a_session_is_adopted_only_where_what_is_stored_by_then_may_be_replaced() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, session("a1", "r1", 3600)).await;
    let new = session("a7", "r7", 3600);
    let adopted = manager.insert_session_if(new.clone(), |stored| stored.is_none());
    assert!(adopted.await.unwrap().is_none());
    assert_eq!(stored(&store).await.access.expose(), "a1");
    let adopted = manager.insert_session_if(new.clone(), |stored| {
        stored.is_some_and(|stored| stored.access.expose() == "a1")
    });
    assert_eq!(adopted.await.unwrap().unwrap().access.expose(), "a7");

    let store = FileTokenStore::directory(tempfile::tempdir().unwrap().path());
    let free = || {
        let builder = AuthManager::builder(provider.clone()).store(store.clone());
        let (manager, new) = (builder.build(), new.clone());
        async move {
            manager
                .insert_session_if(new, |stored| stored.is_none())
                .await
        }
    };
    // Of two at once one finds it free.
    let (first, second) = tokio::join!(free(), free());
    assert_ne!(first.unwrap().is_some(), second.unwrap().is_some());
}

#[tokio::test]
async fn a_sign_out_during_a_refresh_wins_and_the_session_does_not_return() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
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
async fn a_sign_in_during_a_refresh_wins() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
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
