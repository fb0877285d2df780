//! The files with a secret that a sign-in reads.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use llm_auth_testkit::{StandardProvider, Testkit};

use crate::support::user::User;

#[test]
fn a_secret_that_others_can_read_or_that_is_none_is_refused_and_not_shown() {
    let kit = Testkit::builder().standard(StandardProvider::default().registers_clients());
    let user = User {
        kit: kit.start_blocking().unwrap(),
        directory: tempfile::tempdir().unwrap(),
    };
    let issuer = format!("{}/standard", user.kit.base_url());
    let file = user.directory.path().join("secret.txt");
    let place = file.to_str().unwrap();
    let server = ["login", "oidc", "--device", "--issuer", &issuer];
    let client = [
        "--client-id",
        "testkit-client",
        "--client-secret-file",
        place,
    ];
    let registration = ["--registration-token-file", place];
    for (flags, content, mode, why) in [
        (&client[..], "made-up", 0o644, "other users can read"),
        (&client, "made-up", 0o660, "other users can read"),
        (&registration, "made-up", 0o604, "other users can read"),
        (&client, "", 0o600, "is empty"),
        (&client, "\n", 0o600, "is empty"),
        (&client, "made-up\nmade-up", 0o600, "not printable ASCII"),
        (&registration, "\n", 0o600, "is empty"),
        (&registration, "made-up two", 0o600, "not valid in a token"),
    ] {
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let done = user.run(&[&server, flags].concat());
        done.assert_failed(1, why);
        assert!(done.err.contains(place), "{done:?}");
        assert!(!done.err.contains("made-up"), "{done:?}");
    }
}

#[test]
fn a_preset_that_every_user_can_change_decides_nothing() {
    let user = User::new();
    let file = user.directory.path().join("acme.json");
    fs::write(
        &file,
        r#"{"name":"acme","title":"Acme","issuer":"https://a.invalid"}"#,
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let place = file.to_str().unwrap();
    let done = user.run(&["login", "oidc", "--preset", place, "--client-id", "x"]);
    done.assert_failed(1, "every user of this computer can change");
}
