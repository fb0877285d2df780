//! Values that another version, or a user, has written.

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};

use crate::support::{hasty, key, row, save, session, shared, stored};

#[tokio::test]
async fn a_row_of_a_later_format_is_left_as_it_is_and_other_accounts_work() {
    let Some(server) = shared("a later format") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "later").build().unwrap(), row("later"));
    save(&store, &session(1)).await;
    let mut guard = store.lock(&key()).await.unwrap();
    server.command(&["HSET", &row, "format", "2"]);
    let before = server.command(&["HGETALL", &row]);
    let errors = [
        store.load(&key()).await.unwrap_err(),
        store.lock(&key()).await.unwrap_err(),
        store.lock_optimistically(&key()).await.unwrap_err(),
        guard.save(&session(2)).await.unwrap_err(),
        guard.remove().await.unwrap_err(),
    ];
    guard.release().await;
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = error.to_string();
        assert!(
            text.contains("format 2") && text.contains("update"),
            "{text}"
        );
    }
    assert_eq!(server.command(&["HGETALL", &row]), before);
    let other = SessionKey::new("standard", "other");
    store.lock(&other).await.unwrap().release().await;
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_of_that_session_and_stays() {
    let Some(server) = shared("another type") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "type").build().unwrap(), row("type"));
    server.command(&["SET", &row, "made-up"]);
    for error in [
        store.load(&key()).await.unwrap_err(),
        store.lock_optimistically(&key()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&row), "{error}");
    }
    assert_eq!(server.command(&["GET", &row]), "made-up");
    assert_eq!(store.accounts().await.unwrap(), [key()]);
}

#[tokio::test]
async fn lease_fields_that_were_edited_hold_no_session_for_ever() {
    let Some(server) = shared("edited lease") else {
        return;
    };
    let (store, row) = (
        hasty(&server.url(), "edited").build().unwrap(),
        row("edited"),
    );
    save(&store, &session(1)).await;
    let edits = [
        ("nan", "nan"),
        ("inf", "inf"),
        ("-1", "x"),
        ("", ""),
        ("9e99", "1000"),
    ];
    for (ends, length) in edits {
        server.command(&[
            "HSET", &row, "holder", "made-up", "ends", ends, "length", length,
        ]);
        let guard = store.lock(&key()).await.unwrap();
        guard.release().await;
    }
    server.command(&["HSET", &row, "fence", "made-up", "length", "made-up"]);
    save(&store, &session(2)).await;
    assert_eq!(stored(&store).await, Some(session(2)));
}

#[tokio::test]
async fn a_sign_out_leaves_no_session_and_a_row_that_still_fences() {
    let Some(server) = shared("tombstone") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "gone").build().unwrap(), row("gone"));
    save(&store, &session(1)).await;
    let mut sleeper = store.lock(&key()).await.unwrap();
    let mut leaving = store.lock_optimistically(&key()).await.unwrap();
    leaving.remove().await.unwrap();
    leaving.release().await;
    // Also if the row was lost in between.
    server.command(&["DEL", &row]);
    let mut again = store.lock_optimistically(&key()).await.unwrap();
    again.remove().await.unwrap();
    let error = sleeper.finish(&session(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost);
    assert_eq!(stored(&store).await, None);
    assert!(!server.command(&["HGETALL", &row]).contains("made-up"));
    assert!(store.accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_successor_is_stored_although_the_server_has_lost_the_row_meanwhile() {
    let Some(server) = shared("a lost row") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "lost").build().unwrap(), row("lost"));
    save(&store, &session(1)).await;
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(server.command(&["DEL", &row]), "1");
    let error = guard.prepare(Some(&session(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost);
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(stored(&store).await, Some(session(2)));
}

#[tokio::test]
async fn sessions_have_no_expiry() {
    let Some(server) = shared("no expiry") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "ttl").build().unwrap(), row("ttl"));
    save(&store, &session(1)).await;
    let guard = store.lock(&key()).await.unwrap();
    assert_eq!(server.command(&["TTL", &row]), "-1");
    guard.release().await;
}
