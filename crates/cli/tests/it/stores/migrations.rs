//! Sessions move from one store to another.

use serde_json::{Value, json};

use super::{KEY, files, holders, home};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_migration_moves_every_session_proves_it_and_is_remembered() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    user.sign_in(&["minimax"]);
    let before = user.stored("qwen");
    let key = user.key_file("key", KEY);
    let done = user.run(&["migrate", "--to", "encrypted", "--key-file", &key, "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let report = done.json();
    assert_eq!(
        report["moved"].as_array().map(Vec::len),
        Some(3),
        "{report}"
    );
    assert!(!user.file("qwen", "default").exists());
    for account in [
        &["token", "qwen"][..],
        &["token", "qwen", "--account", "work"],
        &["token", "minimax"],
    ] {
        assert_eq!(user.run(account).code, Some(0), "{account:?}");
    }
    assert_eq!(user.run(&["migrate", "--to", "encrypted"]).code, Some(2));
    let back = user.run(&["migrate", "--to", "files"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(user.stored("qwen"), before);
    let settings = std::fs::read(home(&user).join("settings.json")).unwrap();
    let settings: Value = serde_json::from_slice(&settings).unwrap();
    assert_eq!(
        (&settings["store"], &settings["key_file"]),
        (&json!("files"), &Value::Null)
    );
    assert!(holders(&home(&user).join("encrypted"), "sealed_by").is_empty());
}

#[test]
fn a_key_is_changed_by_a_migration_out_of_the_store_and_back() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let (old, new) = (
        user.key_file("old", KEY),
        user.key_file("new", "another-key-of-thirty-two-bytes!"),
    );
    let good = |args: &[&str]| {
        let done = user.run(args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        done
    };
    let token = good(&["token", "qwen"]).out;
    good(&["migrate", "--to", "encrypted", "--key-file", &old]);
    let directory = home(&user).join("encrypted/qwen");
    let aside = directory.join("work.json.corrupt-1");
    std::fs::write(&aside, "made-up damage").unwrap();
    let with_new = ["token", "qwen", "--key-file", &new];
    user.run(&with_new)
        .assert_failed(1, "the key is wrong for the sessions");
    good(&["migrate", "--to", "files"]);
    let done = good(&["migrate", "--to", "encrypted", "--key-file", &new]);
    assert!(
        done.err.contains("work.json.corrupt-1 was kept aside"),
        "{done:?}"
    );
    let done = good(&["token", "qwen"]);
    assert!(done.out == token && done.err.is_empty(), "{done:?}");
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "made-up damage");
    user.run(&["token", "qwen", "--key-file", &old])
        .assert_failed(1, "the key is wrong for the sessions");
}

#[test]
fn a_migration_of_nothing_says_so() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let done = user.run(&["migrate", "--to", "encrypted", "--key-file", &key]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("no session to move in plain files"),
        "{done:?}"
    );
    // What it says to use has the key too.
    let other = user.directory.path().join("other dir");
    let other = format!("encrypted:{}", other.display());
    let done = user.run(&[
        "migrate",
        "--from",
        "files",
        "--to",
        &other,
        "--key-file",
        &key,
    ]);
    let flags = format!("use --store '{other}' --key-file {key}.");
    assert!(done.err.contains(&flags), "{done:?}");
}

/// The states in which a kill may leave two stores.
#[test]
fn a_migration_that_was_killed_loses_nothing_and_is_finished_by_the_next() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let migrate = ["migrate", "--to", "encrypted", "--key-file", &key];
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let original = std::fs::read(&file).unwrap();
    let session = user.stored("qwen");
    let moved = |place: &str| {
        let store = ["--store", "encrypted", "--key-file", &key];
        let done = user.run(&[&["token", "qwen"][..], &store].concat());
        assert_eq!(done.code, Some(0), "{place}: {done:?}");
        assert!(!file.exists(), "{place}");
        done.out.trim().to_owned()
    };
    // The copy was stored, and the original not removed.
    assert_eq!(user.run(&migrate).code, Some(0));
    std::fs::write(&file, &original).unwrap();
    assert_eq!(
        user.run(&["migrate", "--from", "files", "--to", "encrypted"])
            .code,
        Some(0)
    );
    assert_eq!(moved("copied"), session["access"].as_str().unwrap());
    // Both stores have another session: neither is touched.
    let store = ["--store", "encrypted", "--key-file", &key];
    let refreshed = user.run(&[&["token", "qwen", "--force-refresh"][..], &store].concat());
    std::fs::write(&file, &original).unwrap();
    let done = user.run(&["migrate", "--from", "files", "--to", "encrypted"]);
    done.assert_failed(1, "could not be moved");
    assert_eq!(std::fs::read(&file).unwrap(), original);
    let there = user.run(&[&["token", "qwen"][..], &store].concat());
    assert_eq!(there.out, refreshed.out);
}

#[test]
fn a_copy_is_not_refreshed_while_the_original_may_be_there() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let original = std::fs::read(&file).unwrap();
    // As it is before the original is removed: moved with its mark, and the original again.
    let mut copy = user.stored("qwen");
    copy["llm_auth"]["copied_from"] = json!("files");
    std::fs::write(&file, copy.to_string()).unwrap();
    let access = copy["access"].as_str().unwrap();
    let here = ["--store", "files"];
    let token = |flags: &[&str]| user.run(&[&["token", "qwen"][..], &here, flags].concat());
    // It is handed out, and not refreshed.
    assert_eq!(token(&[]).out.trim(), access);
    let refused = token(&["--force-refresh"]);
    refused.assert_failed(1, "a copy of the one in files");
    assert!(
        refused.err.contains("`llm-auth migrate` again"),
        "{refused:?}"
    );
    let script = format!("printf %s '{access}' | $0 token qwen --refused - --store files");
    Done::of(&mut user.shell(&script)).assert_failed(1, "a copy of the one in files");
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
    let status = user.run(&["status", "--json"]).json();
    let row = &status["sessions"][0];
    assert_eq!(
        (&row["renewable"], &row["state"]),
        (&json!(false), &json!("valid"))
    );
    // It is not moved on, as if it were the original.
    let migrate = ["migrate", "--to", "encrypted", "--key-file", &key];
    let again = user.run(&migrate);
    again.assert_failed(1, "could not be moved");
    assert!(again.err.contains("is itself a copy"), "{again:?}");
    // A migration from elsewhere does not end that move, for the original may be in use.
    let from = [
        "migrate",
        "--from",
        "encrypted",
        "--to",
        "files",
        "--keep-settings",
    ];
    user.run(&[&from[..], &["--key-file", &key]].concat());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), copy.to_string());
    // The original is not concerned, and a sign-in replaces the copy.
    std::fs::write(&file, &original).unwrap();
    assert_eq!(token(&["--force-refresh"]).code, Some(0));
    std::fs::write(&file, copy.to_string()).unwrap();
    user.sign_in(&["qwen"]);
    assert_eq!(token(&["--force-refresh"]).code, Some(0));
    let seen = user.kit.qwen().counters();
    assert_eq!((seen.refreshes, seen.reuse), (2, 0));
}

#[test]
fn a_migration_that_is_killed_anywhere_keeps_every_session_in_one_of_the_stores() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let accounts = ["a", "b", "c"];
    for account in accounts {
        user.sign_in(&["qwen", "--account", account]);
    }
    let tokens = || accounts.map(|account| user.run(&["token", "qwen", "--account", account]));
    let before = tokens().map(|done| done.out);
    let there = home(&user).join("encrypted");
    let migrate = ["migrate", "--to", "encrypted", "--key-file", &key];
    for written in 0..12 {
        let mut child = user.start(&migrate);
        // It may end before.
        while files(&there).len() < written && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        drop(child.kill());
        child.wait().unwrap();
        for account in accounts {
            let in_store = |store: &[&str]| {
                let args = ["token", "qwen", "--account", account, "--store"];
                user.run(&[&args[..], store].concat()).out
            };
            let sealed = ["encrypted", "--key-file", &key];
            let found = [in_store(&["files"]), in_store(&sealed)];
            assert!(
                found.iter().any(|token| before.contains(token)),
                "{written}: {found:?}"
            );
        }
        let again = user.run(&[&migrate[..], &["--from", "files"]].concat());
        // The first may have ended.
        assert!(matches!(again.code, Some(0)), "{written}: {again:?}");
        let settings = home(&user).join("settings.json");
        if !settings.exists() {
            assert_eq!(user.run(&migrate).code, Some(0));
        }
        assert_eq!(tokens().map(|done| done.out), before, "{written}");
        let back = user.run(&["migrate", "--to", "files"]);
        assert_eq!(back.code, Some(0), "{written}: {back:?}");
        assert_eq!(tokens().map(|done| done.out), before, "{written}");
        std::fs::remove_file(settings).unwrap();
        std::fs::remove_dir_all(&there).unwrap();
    }
}
