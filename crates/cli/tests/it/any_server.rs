//! A server that the user names, against a simulated one that describes itself.

mod messages;
#[cfg(unix)]
mod secret_files;
mod two_sign_ins;

use llm_auth_testkit::Approval;

use crate::support::session_file::read;
use crate::support::user::User;

/// Signs in at the simulated server under a name.
pub(crate) fn sign_in(user: &User, name: &str) {
    let issuer = format!("{}/standard", user.kit.base_url());
    let done = user.run(&[
        "login",
        "oidc",
        "--issuer",
        &issuer,
        "--client-id",
        "testkit-client",
        "--name",
        name,
        "--device",
        "--api-base",
        &format!("{issuer}/v1"),
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_server_is_a_provider_by_its_name_from_the_first_sign_in_on() {
    let user = User::new();
    sign_in(&user, "company");
    let token = user.run(&["token", "company"]);
    assert_eq!(token.out.trim_end(), user.stored("company")["access"]);
    let json = user.run(&["token", "COMPANY", "--json"]);
    assert!(json.out.contains("/standard/v1"), "{json:?}");
    for args in [
        &["status"][..],
        &["accounts", "company"],
        &["doctor", "company"],
    ] {
        let done = user.run(args);
        assert!(done.out.contains("company"), "{args:?}: {done:?}");
    }
    // The second sign-in needs no more than the name.
    let again = user.run(&["login", "company"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(user.kit.standard().counters().logins_ok, 2);
}

#[test]
fn a_registration_outlives_a_sign_out_until_the_server_is_forgotten() {
    let user = User::new();
    sign_in(&user, "company");
    let file = user.server_file("company");
    assert_eq!(user.run(&["logout", "company"]).code, Some(0));
    assert!(file.exists());
    assert_eq!(user.run(&["login", "company"]).code, Some(0));
    let done = user.run(&["logout", "company", "--forget-server"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!file.exists());
    let unknown = user.run(&["token", "company"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.err.contains("invalid value 'company'"),
        "{unknown:?}"
    );
}

#[test]
fn a_name_keeps_its_server_while_a_session_of_it_is_stored() {
    let user = User::new();
    sign_in(&user, "company");
    let token = format!("{}/other/token", user.kit.base_url());
    let other = user.run(&[
        "login",
        "oidc",
        "--name",
        "company",
        "--client-id",
        "testkit-client",
        "--token-endpoint",
        &token,
        "--device-endpoint",
        &token,
    ]);
    other.assert_failed(1, "the name company belongs to the server at");
    for (name, why) in [
        ("qwen", "it is taken by a provider"),
        ("a/b", "lower-case letters"),
    ] {
        let done = user.run(&[
            "login",
            "oidc",
            "--name",
            name,
            "--token-endpoint",
            &token,
            "--device-endpoint",
            &token,
        ]);
        done.assert_failed(2, why);
    }
}

#[test]
fn flags_of_servers_are_for_servers_alone() {
    let user = User::new();
    for (args, why) in [
        (
            &["login", "qwen", "--issuer", "https://auth.example"][..],
            "--issuer is for servers of your own",
        ),
        (
            &["login", "qwen", "https://mcp.example/mcp"],
            "llm-auth login mcp URL",
        ),
        (&["login", "oidc"], "name the server with --issuer URL"),
        (&["login", "mcp"], "name the MCP server"),
        (
            &["login", "mcp", "https://mcp.example", "--preset", "okta"],
            "--preset is for `llm-auth login oidc`",
        ),
        (
            &["logout", "qwen", "--forget-server"],
            "no server of your own",
        ),
        (&["mcp", "bridge", "qwen"], "qwen is no MCP server"),
    ] {
        user.run(args).assert_failed(2, why);
    }
}

#[test]
fn a_preset_says_which_values_it_lacks() {
    let user = User::new();
    let done = user.run(&[
        "login",
        "oidc",
        "--preset",
        "keycloak",
        "--client-id",
        "made-up",
        "--set",
        "realm=x",
    ]);
    done.assert_failed(1, "the preset requires a value for `host`");
    assert!(
        done.err.contains("--set host=... (the host of the server)"),
        "{done:?}"
    );
    let unknown = user.run(&["login", "oidc", "--preset", "unknown"]);
    unknown.assert_failed(2, "unknown preset: use one of azure-openai");
}

#[test]
fn a_preset_file_of_the_user_needs_no_release() {
    let user = User::new();
    let file = user.directory.path().join("acme.json");
    let preset = serde_json::json!({
        "name": "acme",
        "title": "Acme",
        "issuer": format!("{}/{{path}}", user.kit.base_url()),
        "client": {"id": "testkit-client"},
        "prefers_device": true,
        "values": {"path": "the path of the issuer"},
    });
    std::fs::write(&file, preset.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let done = user.run(&["login", "oidc", "--preset", file, "--set", "path=standard"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("Sign in to Acme"), "{done:?}");
    assert_eq!(user.run(&["token", "acme"]).code, Some(0));
}

#[test]
fn a_sign_in_that_is_declined_changes_nothing_of_what_is_remembered() {
    let user = User::new();
    sign_in(&user, "company");
    let file = user.server_file("company");
    let before = read(&file);
    user.kit.standard().set_approval(Approval::Deny);
    let done = user.run(&["login", "company", "--scope", "made-up"]);
    assert_eq!(done.code, Some(5), "{done:?}");
    assert_eq!(read(&file), before);
    let named = user.run(&["login", "company", "--issuer", "https://auth.example"]);
    named.assert_failed(2, "--issuer names a server, and company is remembered");
}

#[test]
fn what_a_later_version_remembers_of_a_server_stays() {
    let user = User::new();
    sign_in(&user, "company");
    let file = user.server_file("company");
    let mut server = read(&file);
    server["later"] = "made-up".into();
    server["endpoints"]["later"] = "made-up".into();
    std::fs::write(&file, server.to_string()).unwrap();
    let done = user.run(&["login", "company", "--scope", "models"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let after = read(&file);
    assert_eq!(
        (&after["later"], &after["scope"]),
        (&"made-up".into(), &"models".into())
    );
}

#[test]
fn a_file_that_is_no_server_is_named_by_doctor_and_quoted_by_nothing() {
    let user = User::new();
    sign_in(&user, "company");
    let file = user.server_file("company");
    std::fs::write(&file, r#"{"name":"company","made-up-secret":"#).unwrap();
    let doctor = user.run(&["doctor", "--offline"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.out.contains("company.json"), "{doctor:?}");
    let token = user.run(&["token", "company"]);
    assert_eq!(token.code, Some(2), "{token:?}");
    assert!(token.err.contains("company.json"), "{token:?}");
    for done in [doctor, token] {
        assert!(!format!("{done:?}").contains("made-up-secret"), "{done:?}");
    }
}

/// Writes a preset that claims the issuer of the simulated server.
fn claiming_preset(user: &User, token: &str) -> String {
    let file = user.directory.path().join("claim.json");
    let preset = serde_json::json!({
        "name": "company",
        "title": "\u{1b}[31mAcme\u{7}",
        "issuer": format!("{}/standard", user.kit.base_url()),
        "endpoints": {
            "token": token,
            "device_authorization": format!("{}/standard/device/code", user.kit.base_url()),
            "revocation": format!("{}/standard/revoke", user.kit.base_url()),
        },
        "client": {"id": "testkit-client"},
    });
    std::fs::write(&file, preset.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_preset_that_claims_an_issuer_does_not_get_the_sessions_of_a_name() {
    let user = User::new();
    sign_in(&user, "company");
    let file = user.server_file("company");
    let before = read(&file);
    // No server listens there.
    let preset = claiming_preset(&user, "http://127.0.0.1:9/token");
    for more in [&[][..], &["--account", "two"]] {
        let done = user.run(
            &[
                &["login", "oidc", "--preset", &preset, "--timeout", "20"],
                more,
            ]
            .concat(),
        );
        done.assert_failed(1, "company: this sign-in would be at");
        assert_eq!(read(&file), before);
    }
    // Not even if nothing is remembered any more.
    std::fs::remove_file(&file).unwrap();
    let done = user.run(&["login", "oidc", "--preset", &preset, "--timeout", "20"]);
    done.assert_failed(1, "a session of another server is stored");
    assert!(!file.exists());
}

#[test]
fn another_api_needs_another_name_while_a_session_is_stored() {
    let user = User::new();
    sign_in(&user, "company");
    for flag in ["--api-base", "--resource"] {
        let done = user.run(&[
            "login",
            "company",
            "--account",
            "two",
            flag,
            "https://other.example/v1",
        ]);
        done.assert_failed(1, "could not be used with what this call changes");
    }
}

#[test]
fn the_title_of_a_preset_does_not_control_the_terminal() {
    let user = User::new();
    let token = format!("{}/standard/token", user.kit.base_url());
    let preset = claiming_preset(&user, &token);
    let done = user.run(&["login", "oidc", "--preset", &preset, "--timeout", "20"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("Acme"), "{done:?}");
    assert!(!done.err.contains(['\u{1b}', '\u{7}']), "{done:?}");
}

#[test]
fn a_server_whose_first_sign_in_fails_is_not_remembered() {
    let user = User::with(Approval::Deny);
    let issuer = format!("{}/standard", user.kit.base_url());
    let named = [
        "--issuer",
        &issuer,
        "--name",
        "company",
        "--client-id",
        "testkit-client",
    ];
    let done = user.run(&[&["login", "oidc", "--device"], &named[..]].concat());
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(!user.server_file("company").exists());
    // One that is remembered stays.
    user.kit.standard().set_approval(Approval::Auto);
    sign_in(&user, "company");
    user.kit.standard().set_approval(Approval::Deny);
    assert_eq!(user.run(&["login", "company"]).code, Some(5));
    assert!(user.server_file("company").exists());
}

#[test]
fn a_server_that_is_not_named_as_it_names_itself_is_a_clear_error() {
    let user = User::new();
    let issuer = format!("{}/standard", user.kit.base_url());
    let login = |named: &[&str]| user.run(&[&["login", "oidc"], named].concat());
    login(&["--issuer", &format!("{issuer}/")])
        .assert_failed(1, "name the issuer exactly as the server does");
    let plain = login(&["--issuer", "http://sso.example.com"]);
    assert_eq!(plain.code, Some(2), "{plain:?}");
    assert!(
        plain.err.contains("--issuer <URL>") && plain.err.contains("https"),
        "{plain:?}"
    );
    login(&["--preset", "unheard-of"]).assert_failed(2, "unknown preset");
}

#[test]
fn a_token_that_the_api_of_a_server_refuses_is_replaced_once() {
    let user = User::new();
    sign_in(&user, "company");
    user.kit.standard().expire_access_tokens();
    for _ in 0..2 {
        let done = user.run(&["token", "company", "--verify"]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert!(user.kit.standard().is_live_access(done.out.trim_end()));
    }
    assert_eq!(user.kit.standard().counters().refreshes, 1);
}

#[test]
fn a_token_is_verified_at_an_api_whose_base_has_no_version_and_not_where_no_list_is() {
    for (base, is_asked) in [("standard", true), ("nothing", false)] {
        let user = User::new();
        let issuer = format!("{}/standard", user.kit.base_url());
        let base = format!("{}/{base}", user.kit.base_url());
        let args = ["login", "oidc", "--issuer", &issuer, "--device"];
        let more = ["--client-id", "testkit-client", "--name", "company"];
        let done = user.run(&[&args[..], &more, &["--api-base", &base]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        user.kit.standard().expire_access_tokens();
        let done = user.run(&["token", "company", "--verify"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let is_live = user.kit.standard().is_live_access(done.out.trim_end());
        assert_eq!(is_live, is_asked, "{done:?}");
        assert_eq!(done.err.is_empty(), is_asked, "{done:?}");
    }
}
