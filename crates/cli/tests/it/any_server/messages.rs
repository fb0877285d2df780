//! What a user reads about a server that is not as it should be, and what to do then.

use std::fs;

use super::sign_in;
use crate::support::user::User;

/// Signs in without naming an API.
fn without_api(user: &User) {
    let issuer = format!("{}/standard", user.kit.base_url());
    let args = ["login", "oidc", "--issuer", &issuer, "--device"];
    let more = ["--client-id", "testkit-client", "--name", "company"];
    let done = user.run(&[&args[..], &more].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_session_without_an_api_says_how_to_name_one_and_that_works() {
    let user = User::new();
    without_api(&user);
    for call in [
        "setup claude-code company",
        "setup codex company",
        "setup opencode company --model x",
        "serve company",
        "exec company --proxy --as openai -- true",
        "keep company --as anthropic-profile --once",
    ] {
        let args: Vec<&str> = call.split(' ').collect();
        let done = user.run(&args);
        assert_eq!(done.code, Some(1), "{call}: {done:?}");
        for line in [
            "`llm-auth logout company --account default`",
            "--api-base URL`",
        ] {
            assert!(done.err.contains(line), "{call}: {done:?}");
        }
    }
    let api = format!("{}/standard/v1", user.kit.base_url());
    for args in [
        &["logout", "company", "--account", "default"][..],
        &["login", "company", "--api-base", &api],
        &["setup", "claude-code", "company"],
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
    }
}

#[test]
fn a_server_without_a_session_is_listed_with_the_command_that_signs_in() {
    let user = User::new();
    sign_in(&user, "company");
    sign_in(&user, "other");
    user.run(&["logout", "company"]);
    let done = user.run(&["status"]);
    assert!(
        done.out.contains("sign in with `llm-auth login company`"),
        "{done:?}"
    );
    assert!(!done.out.contains("llm-auth login other"), "{done:?}");
    let json = user.run(&["status", "--json"]).json();
    assert_eq!(json["sessions"].as_array().unwrap().len(), 1);
    let servers = json["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(servers[0]["vendor"], "company");
    assert_eq!(servers[0]["mcp"], false);
    let api = servers[0]["api_base"].as_str().unwrap();
    assert!(api.ends_with("/standard/v1"), "{api}");
    // It is about sessions only.
    let checked = user.run(&["status", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let of_other = user.run(&["status", "other", "--json"]).json();
    assert_eq!(of_other["servers"], serde_json::json!([]));
}

#[test]
fn a_client_that_the_server_refuses_is_changed_by_the_command_that_the_advice_names() {
    let user = User::new();
    sign_in(&user, "company");
    let done = user.run(&["login", "company", "--client-id", "wrong"]);
    done.assert_failed(1, "invalid_client");
    assert!(done.err.contains("`llm-auth login company`"), "{done:?}");
    assert!(done.err.contains("--client-id ID"), "{done:?}");
    let done = user.run(&["login", "company", "--client-id", "testkit-client"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_url_that_leads_nowhere_is_to_be_checked_and_a_scheme_is_named() {
    let user = User::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for args in [
        &["login", "oidc", "--issuer", &nowhere, "--client-id", "x"][..],
        &["login", "mcp", &nowhere, "--client-id", "x"],
    ] {
        let done = user.run(args);
        done.assert_failed(4, "cannot connect");
        assert!(
            done.err.contains("check the host and the port in the URL"),
            "{done:?}"
        );
        assert!(!done.err.contains("doctor"), "{done:?}");
    }
    for args in [
        &["login", "oidc", "--issuer", "htp://sso.example"][..],
        &["login", "oidc", "--token-endpoint", "htp://sso.example"],
        &["login", "mcp", "htp://sso.example"],
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        let why = "begins with htp://: begin it with https://";
        assert!(done.err.contains(why), "{done:?}");
    }
}

#[test]
fn a_call_with_wrong_arguments_names_the_help_of_its_command() {
    let user = User::new();
    sign_in(&user, "company");
    for (call, help) in [
        (
            "login qwen --issuer https://x.example",
            "`llm-auth login --help`",
        ),
        ("mcp bridge company", "`llm-auth mcp bridge --help`"),
        ("setup opencode company", "`llm-auth setup --help`"),
        ("keep company", "`llm-auth keep --help`"),
    ] {
        let args: Vec<&str> = call.split(' ').collect();
        let done = user.run(&args);
        assert_eq!(done.code, Some(2), "{call}: {done:?}");
        assert!(done.err.contains(help), "{call}: {done:?}");
    }
}

#[test]
fn a_broken_preset_is_named_by_its_file_and_its_member() {
    let user = User::new();
    let file = user.directory.path().join("acme.json");
    let place = file.to_str().unwrap();
    for (members, why) in [
        (r#""issuer":"https://{host}""#, "it lacks `host`"),
        (
            r#""issuer":"https://a.invalid","values":{"host":"x"}"#,
            "it explains `host`, and no `{host}` stands in `issuer`",
        ),
        (r#""isuer":"https://x.example""#, "its member `isuer`"),
        (r#""endpoints":{"token":7}"#, "its member `endpoints`"),
        (
            r#""endpoints":{"token":"htp://x","authorization":"https://a.invalid"}"#,
            "`endpoints.token`",
        ),
        (
            r#""issuer":"https://a.invalid","api_base":"x.example""#,
            "`api_base`",
        ),
        (
            r#""issuer":"https://a.invalid","client":{"id":"x","secret":"made-up"}"#,
            "its member `client`: unknown field `secret`",
        ),
        (
            r#""issuer":"https://a.invalid","client":{"id":" "}"#,
            "the client id is empty",
        ),
        (
            r#""issuer":"https://a.invalid","redirect":{"path":"callback"}"#,
            "`redirect`",
        ),
        (
            r#""issuer":"https://a.invalid","authorization_parameters":{"state":"y"}"#,
            "`authorization_parameters`",
        ),
        (
            r#""issuer":"https://a.invalid","error_codes":{"gone":"invalid_grnat"}"#,
            "`error_codes`",
        ),
        (
            r#""issuer":"https://a.invalid","api_headers":{"authorization":"x"}"#,
            "`api_headers`",
        ),
        (
            r#""issuer":"https://a.invalid","api_headers":{"Content-Length":"5"}"#,
            "`api_headers`",
        ),
        (
            r#""issuer":"https://a.invalid","authorization_parameters":{"redirect_uri":"x"}"#,
            "each sign-in has its own `redirect_uri`",
        ),
        (
            r#""issuer":"https://a.invalid","resource":"/api""#,
            "`resource`",
        ),
        (
            r#""issuer":"https://a.invalid","resource":"""#,
            "`resource`",
        ),
        (
            r#""issuer":"https://a.invalid","audience":" ""#,
            "`audience`",
        ),
        (r#""issuer":"https://a.invalid","scope":"a\nb""#, "`scope`"),
        (
            r#""endpoints":{"token":"https://a.invalid/token"}"#,
            "add `authorization` or `device_authorization`",
        ),
    ] {
        fs::write(
            &file,
            format!(r#"{{"name":"acme","title":"Acme",{members}}}"#),
        )
        .unwrap();
        let done = user.run(&["login", "oidc", "--preset", place, "--client-id", "x"]);
        done.assert_failed(1, why);
        assert!(done.err.contains(place), "{members}: {done:?}");
    }
}

#[test]
fn a_preset_that_is_no_object_has_no_fit_name_or_can_be_changed_by_all_is_refused_by_its_file() {
    let user = User::new();
    let file = user.directory.path().join("acme.json");
    let place = file.to_str().unwrap();
    for (text, why) in [
        ("[]", "it is no JSON object"),
        (
            r#"{"name":"a/b","title":"Acme","issuer":"https://a.invalid"}"#,
            "its member `name`",
        ),
        (
            r#"{"name":"qwen","title":"Acme","issuer":"https://a.invalid"}"#,
            "taken by a provider",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let done = user.run(&["login", "oidc", "--preset", place, "--client-id", "x"]);
        done.assert_failed(1, why);
        assert!(done.err.contains(place), "{done:?}");
    }
}

#[test]
fn a_password_or_a_key_in_a_url_that_is_wrong_is_not_repeated() {
    let user = User::new();
    for url in [
        "https://me:made-up-pass@a.example/",
        "http://a.example/?key=made-up-pass",
    ] {
        for args in [
            &["login", "oidc", "--json", "--issuer", url][..],
            &[
                "login",
                "oidc",
                "--issuer",
                "https://a.invalid",
                "--accept-issuer",
                url,
            ],
            &["login", "oidc", "--token-endpoint", url],
            &[
                "login",
                "oidc",
                "--issuer",
                "https://a.invalid",
                "--api-base",
                url,
            ],
            &["login", "mcp", url],
            &["token", "qwen", url],
        ] {
            let done = user.run(args);
            assert_eq!(done.code, Some(2), "{done:?}");
            assert!(!format!("{done:?}").contains("made-up-pass"), "{done:?}");
        }
    }
}

#[test]
fn what_no_client_and_no_api_is_called_is_a_usage_error_before_anything_is_sent() {
    let user = User::new();
    let issuer = format!("{}/standard", user.kit.base_url());
    for (flag, value, why) in [
        ("--client-id", "", "the client id is empty"),
        ("--client-id", " ", "the client id is empty"),
        ("--client-id", "made-up\n", "not printable ASCII"),
        ("--client-id", "made-up\u{1b}[31m", "not printable ASCII"),
        ("--scope", "models\u{7}", "control characters"),
        ("--resource", "", "it is empty"),
        ("--audience", " ", "it is empty"),
        ("--redirect-path", "callback", "must begin with a slash"),
        ("--redirect-port", "80", "browsers do not open port 80"),
        ("--resource", "/api", "no absolute URI"),
        ("--scope", "a \"b\"", "no scope has"),
        ("--accept-issuer", "", "an endpoint is not a URL"),
        ("--set", "host=a.example", "--set is for a --preset"),
        ("--api-base", "x", "begin it with https://"),
    ] {
        let done = user.run(&["login", "oidc", "--issuer", &issuer, flag, value]);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains(why), "{done:?}");
        assert!(!done.err.contains(['\u{1b}', '\u{7}']), "{done:?}");
    }
    let twice = ["--set", "host=a.example", "--set", "host=b.example"];
    let done = user.run(&[&["login", "oidc", "--preset", "gitlab"], &twice[..]].concat());
    done.assert_failed(2, "--set host= is given more than once");
    let value = ["--set", "host="];
    let done = user.run(&[&["login", "oidc", "--preset", "gitlab"], &value[..]].concat());
    done.assert_failed(1, "the preset requires a value for `host`");
    assert!(done.err.contains("--set host=..."), "{done:?}");
    let token = format!("{issuer}/token");
    let done = user.run(&[
        "login",
        "oidc",
        "--token-endpoint",
        &token,
        "--client-id",
        "x",
    ]);
    done.assert_failed(2, "--authorization-endpoint or --device-endpoint");
    assert_eq!(user.kit.standard().counters().device_requests, 0);
}
