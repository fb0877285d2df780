//! Any session, any unknown members, any previous file.

use std::fs;

use llm_auth_core::{
    ErrorKind, FileTokenStore, OAuthToken, SessionKey, Timestamp, TokenStore as _,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn key() -> SessionKey {
    SessionKey::new("qwen", "default")
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Members that no version of llm-auth has used.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("x_[a-z\u{e9}\"\\\\]{0,8}", any_value(), 0..4)
        .prop_map(|members| members.into_iter().collect())
}

prop_compose! {
    fn any_token()(
        access in any::<String>(),
        refresh in any::<Option<String>>(),
        expires in any::<i64>(),
        resource_url in any::<Option<String>>(),
        scope in any::<Option<String>>(),
        extra in unknown(),
        note_extra in unknown(),
    ) -> OAuthToken {
        let mut token = OAuthToken::new(access.into(), Timestamp::from_unix_millis(expires));
        token.refresh = refresh.filter(|text| !text.is_empty()).map(Into::into);
        token.resource_url = resource_url;
        token.scope = scope;
        token.extra.0 = extra;
        token.metadata.extra.0 = note_extra;
        token
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_saved_is_what_is_read(token in any_token()) {
        let text = serde_json::to_vec_pretty(&token).unwrap();
        let read: OAuthToken = serde_json::from_slice(&text).unwrap();
        prop_assert_eq!(&read, &token);
        prop_assert_eq!(serde_json::to_vec_pretty(&read).unwrap(), text);
    }

    #[test]
    fn the_members_of_gochat_have_gochats_types(token in any_token()) {
        let value = serde_json::to_value(&token).unwrap();
        prop_assert!(value["access"].is_string());
        prop_assert!(value["refresh"].is_string());
        prop_assert!(value["expires"].is_i64());
        prop_assert!(value.get("resourceUrl").is_none_or(Value::is_string));
    }

    #[test]
    fn unknown_members_of_a_file_survive_a_rewrite(members in unknown(), metadata in unknown()) {
        let mut file = json!({"access": "a", "refresh": "r", "expires": 1});
        file.as_object_mut().unwrap().extend(members.clone());
        file["llm_auth"] = Value::Object(metadata.clone());
        let mut read: OAuthToken = serde_json::from_value(file).unwrap();
        read.access = "b".into();
        let written = serde_json::to_value(&read).unwrap();
        for (name, value) in &members {
            prop_assert_eq!(&written[name], value);
        }
        for (name, value) in &metadata {
            prop_assert_eq!(&written["llm_auth"][name], value);
        }
    }
}

proptest! {
    // Each case writes and syncs real files.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_previous_file_is_lost_or_stops_a_sign_in(previous in vec(any::<u8>(), 0..200), token in any_token()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.json");
        fs::write(&path, &previous).unwrap();
        let store = FileTokenStore::file(&path);
        let was_session = match store.read(&key()) {
            Ok(_) => true,
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                false
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { store.lock(&key()).await.unwrap().save(&token).await.unwrap() });
        prop_assert_eq!(store.read(&key()).unwrap(), Some(token));
        let kept = fs::read_dir(directory.path()).unwrap().any(|entry| {
            fs::read(entry.unwrap().path()).unwrap() == previous
        });
        prop_assert!(was_session || kept);
    }
}
