//! `llm-auth import` without a flag: what it finds, and what it cannot read.

use std::fs;

use serde_json::Value;

use super::{qwen_code_signed_in, write};
use crate::support::user::User;

#[test]
fn an_inspection_names_the_owner_and_warns_and_changes_nothing() {
    let user = User::new();
    let file = qwen_code_signed_in(&user);
    let before = fs::read(&file).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for words in [
        "Qwen Code has a session",
        "2100-01-01",
        "only one program can use it",
        "--sign-in",
        "--take-over",
    ] {
        assert!(done.out.contains(words), "{words}: {done:?}");
    }
    done.assert_no_secret(&["made-up-access", "made-up-refresh"]);
    let done = user.run(&["import", "qwen-code", "--json"]);
    let found = done.json();
    assert_eq!(found["event"], "found");
    assert_eq!(
        (&found["vendor"], &found["rotates"]),
        (&"qwen".into(), &true.into())
    );
    assert_eq!(
        (&found["renewable"], &found["can_be_taken_over"]),
        (&true.into(), &true.into())
    );
    done.assert_no_secret(&["made-up-access", "made-up-refresh"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!user.file("qwen", "default").exists());
}

#[test]
fn without_a_program_all_known_ones_are_searched() {
    let user = User::new();
    let nothing = user.run(&["import"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
    assert!(nothing.err.contains("no session of another program"));
    qwen_code_signed_in(&user);
    fs::create_dir_all(user.directory.path().join(".mmx")).unwrap();
    fs::write(user.directory.path().join(".mmx/config.json"), "{").unwrap();
    let done = user.run(&["import"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("→ llm-auth import qwen-code"), "{done:?}");
    assert!(done.err.contains("mmx: "), "{done:?}");
    assert_eq!(user.run(&["import", "--take-over"]).code, Some(2));
}

#[test]
fn an_unreadable_file_is_named_and_never_quoted() {
    let user = User::new();
    user.run(&["import", "qwen-code"])
        .assert_failed(1, ".qwen/oauth_creds.json");
    for (content, what) in [
        ("made-up-secret", "is not a JSON object"),
        ("[\"made-up-secret\"]", "is not a JSON object"),
        (
            "{\"access_token\":\"made-up-secret\"}",
            "has no valid expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":\"soon\"}",
            "has no valid expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":1e300}",
            "has no valid expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":1000.5}",
            "has no valid refresh_token",
        ),
    ] {
        let file = write(&user, ".qwen/oauth_creds.json", &Value::Null);
        fs::write(file, content).unwrap();
        let done = user.run(&["import", "qwen-code"]);
        done.assert_failed(1, what);
        done.assert_no_secret(&["made-up-secret"]);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let user = User::new();
    let file = qwen_code_signed_in(&user);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert!(done.out.contains("(mode 644)"), "{done:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert!(!done.out.contains("(mode"), "{done:?}");
}
