//! Servers that the user has named, in an environment that names others.

use super::stranger::Stranger;
use crate::any_server::sign_in;
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

#[test]
fn no_variable_leads_the_client_secret_of_a_server_elsewhere() {
    let (user, stranger) = (User::new(), Stranger::new());
    sign_in(&user, "company");
    let file = user.server_file("company");
    let mut server = read(&file);
    server["client"]["secret"] = "made-up-secret".into();
    std::fs::write(&file, server.to_string()).unwrap();
    let mut command = user.command(&["login", "company"]);
    for last in [
        "BASE_URL",
        "TOKEN_ENDPOINT",
        "DEVICE_AUTHORIZATION_ENDPOINT",
        "REVOCATION_ENDPOINT",
    ] {
        command.env(format!("LLM_AUTH_COMPANY_{last}"), stranger.url(""));
    }
    let done = Done::of(&mut command);
    assert!(!done.err.contains(&stranger.host), "{done:?}");
    assert_eq!(stranger.seen(), "", "{done:?}");
}

#[test]
fn a_file_of_a_server_that_is_edited_leads_no_token_elsewhere() {
    for member in ["token", "revocation", "userinfo", "api_base"] {
        let (user, stranger) = (User::new(), Stranger::new());
        sign_in(&user, "company");
        let file = user.server_file("company");
        let mut server = read(&file);
        server["endpoints"][member] = stranger.url("/x").into();
        std::fs::write(&file, server.to_string()).unwrap();
        let session = user.file("company", "default");
        let tokens = |session: serde_json::Value| {
            let of = |name: &str| session[name].clone();
            (of("access"), of("refresh"))
        };
        let before = tokens(read(&session));
        for args in [
            &["token", "company", "--force-refresh"][..],
            &["token", "company", "--verify"],
        ] {
            let done = user.run(args);
            assert_eq!(done.code, Some(1), "{member} {args:?}: {done:?}");
            assert!(done.err.contains("company"), "{done:?}");
        }
        for args in [
            &["token", "company", "--json"][..],
            &["exec", "company", "--api-base-env", "BASE", "--", "env"],
        ] {
            let done = user.run(args);
            assert_eq!(done.code, Some(1), "{member}: {done:?}");
            done.assert_no_secret(&[before.0.as_str().unwrap()]);
        }
        assert_eq!(tokens(read(&session)), before, "{member}");
        let shown = user.run(&["status", "company"]);
        assert!(shown.out.contains("warning"), "{shown:?}");
        assert_eq!(user.run(&["status", "--check"]).code, Some(3));
        let done = user.run(&["logout", "company"]);
        assert_eq!(done.code, Some(1), "{member}: {done:?}");
        assert_eq!(tokens(read(&session)), before, "{member}");
        let done = user.run(&["logout", "company", "--local"]);
        assert_eq!(done.code, Some(0), "{member}: {done:?}");
        assert_eq!(stranger.seen(), "", "{member}");
    }
}
