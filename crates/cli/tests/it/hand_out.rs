//! A provider whose terms forbid a general-purpose command.

use crate::support::user::User;

#[test]
fn what_would_hand_out_a_token_of_openai_names_the_reason_and_the_way() {
    let user = User::new();
    let file = user.directory.path().join("session.json");
    let session = r#"{"access":"made-up","refresh":"made-up-refresh","expires":4102444800000}"#;
    std::fs::write(&file, session).unwrap();
    let file = file.to_str().unwrap();
    let import = ["import", "gochat", "--file", file, "--vendor", "openai"];
    for args in [
        &["token", "openai"][..],
        &["token", "chatgpt", "--json"],
        &["exec", "openai", "--", "true"],
        &["login", "openai"],
        &["login", "openai", "--json"],
        &[&import[..], &["--take-over"]].concat(),
        &[&import[..], &["--sign-in"]].concat(),
    ] {
        let done = user.run(args);
        done.assert_failed(1, "the application that the user connected");
        assert!(done.err.contains("llm-auth-openai"), "{args:?}: {done:?}");
        done.assert_no_secret(&["made-up"]);
    }
    assert!(!user.file("openai", "default").exists());
}

#[test]
fn a_login_offers_no_provider_that_it_refuses() {
    let user = User::new();
    let done = user.run(&["login"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains("huggingface"), "{done:?}");
    assert!(!done.err.contains("openai"), "{done:?}");
}
