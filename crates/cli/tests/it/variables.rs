use crate::support::browser::{browse, with_browser};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_value_that_cannot_be_used_is_blamed_on_its_variable() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.expire("qwen");
    for (name, value) in [
        ("LLM_AUTH_QWEN_BASE_URL", "nonsense"),
        ("LLM_AUTH_QWEN_BASE_URL", "http://example.com"),
        ("LLM_AUTH_QWEN_BASE_URL", "https://example.com/path"),
        ("LLM_AUTH_QWEN_TOKEN_ENDPOINT", "ftp://127.0.0.1/x"),
        (
            "LLM_AUTH_QWEN_DEVICE_AUTHORIZATION_ENDPOINT",
            "https://u:made-up@example.com/",
        ),
        ("LLM_AUTH_CA_FILE", "/no/such/file.pem"),
        ("LLM_AUTH_CA_FILE", "/dev/null"),
        ("HTTPS_PROXY", "http://[made-up"),
        ("LLM_AUTH_LOG", "llm_auth=loudly"),
        ("LLM_AUTH_LOG", "verbose"),
        ("LLM_AUTH_LOG", "debug,please"),
        ("LLM_AUTH_QWEN_CLIENT_ID", "made up"),
        ("LLM_AUTH_QWEN_CLIENT_ID", "\"made-up\""),
        ("LLM_AUTH_QWEN_CLIENT_ID", "made\u{200b}-up"),
        ("LLM_AUTH_QWEN_SCOPE", "openid\nmade-up"),
        ("LLM_AUTH_QWEN_SCOPE", "made-up\u{1b}[2J"),
        (
            "LLM_AUTH_QWEN_TOKEN_ENDPOINT",
            "https://example.com/ made-up",
        ),
        ("LLM_AUTH_QWEN_ACCOUNT", "made-up\nmade-up"),
        ("LLM_AUTH_QWEN_ACCOUNT", "'made-up'"),
        ("LLM_AUTH_HOME", "~/made-up"),
        ("LLM_AUTH_HOME", "/tmp/made-up\n/x"),
        ("LLM_AUTH_CA_FILE", "~/made-up.pem"),
        ("HTTPS_PROXY", "http://mia:made-up@proxy.example\n:1"),
    ] {
        let done = Done::of(user.command(&["token", "qwen"]).env(name, value));
        done.assert_failed(1, name);
        assert!(!done.err.contains("made-up"), "{done:?}");
    }
    assert_eq!(user.kit.qwen().counters().refreshes, 0);
}

#[test]
fn the_hosts_without_a_proxy_are_named_if_they_make_no_sense() {
    let user = User::with_expired_session("qwen");
    for (name, value) in [
        ("NO_PROXY", "vendor.example:port"),
        ("no_proxy", "10.0.0.0/99x"),
        ("NO_PROXY", "https://vendor.example"),
        ("NO_PROXY", "[[["),
        ("no_proxy", "a.example, 10.0.0.0/99"),
        ("NO_PROXY", "<local>"),
    ] {
        let mut command = user.command(&["token", "qwen"]);
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env(name, value);
        Done::of(&mut command).assert_failed(1, name);
    }
}

#[test]
fn white_space_and_carriage_returns_around_a_value_are_ignored() {
    let user = User::new();
    for provider in ["qwen", "minimax", "gemini"] {
        let padded = |name: &str, value: &str| (name.to_owned(), format!(" \t{value} \r\n"));
        let mut values: Vec<_> = user
            .kit
            .env()
            .into_iter()
            .map(|(name, value)| padded(name, &value))
            .collect();
        let home = user.directory.path().join("padded");
        let upper = provider.to_ascii_uppercase();
        values.extend([
            padded("LLM_AUTH_HOME", home.to_str().unwrap()),
            padded("LLM_AUTH_LOG", "info"),
            padded("HTTPS_PROXY", "http://127.0.0.1:9"),
            padded("NO_PROXY", "vendor.example"),
            padded("BROWSER", ""),
            padded("LLM_AUTH_CA_FILE", ""),
            padded(&format!("LLM_AUTH_{upper}_ACCOUNT"), "mine"),
        ]);
        let mut command = user.command(&["login", provider, "--json", "--no-browser"]);
        let child = command.envs(values).spawn().unwrap();
        let done = with_browser(child, |event| {
            if let Some(url) = event["url"].as_str().filter(|_| provider == "gemini") {
                browse(url);
            }
        });
        assert_eq!(done.code, Some(0), "{done:?}");
        let file = home.join(format!("sessions/{provider}/mine.json"));
        assert!(file.exists(), "{done:?}");
    }
}

#[test]
fn a_log_directive_without_effect_is_reported_and_stops_nothing() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let mut command = user.command(&["token", "qwen"]);
    let done = Done::of(command.env("LLM_AUTH_LOG", "llm_auht=debug, info"));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("llm_auht"), "{done:?}");
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let user = User::new();
    let mut command = user.command(&["login", "qwen"]);
    for name in ["TOKEN_ENDPOINT", "CLIENT_ID", "SCOPE"] {
        command.env(format!("LLM_AUTH_QWEN_{name}"), "");
    }
    command.env("HTTPS_PROXY", "").env("LLM_AUTH_LOG", "");
    assert_eq!(Done::of(&mut command).code, Some(0));
}

#[test]
fn a_single_endpoint_outweighs_the_base_url() {
    let user = User::new();
    let other = User::new();
    let token = format!("{}/api/v1/oauth2/token", other.kit.base_url());
    let trusted = ["--trust-endpoint", other.kit.base_url()];
    let mut command = user.command(&[&["login", "qwen", "--timeout", "3"], &trusted[..]].concat());
    let done = Done::of(command.env("LLM_AUTH_QWEN_TOKEN_ENDPOINT", token));
    assert_ne!(
        done.code,
        Some(0),
        "the other server knows no such device code"
    );
    assert_eq!(user.kit.qwen().counters().device_requests, 1);
    assert_eq!(user.kit.qwen().counters().polls, 0);
    assert_eq!(other.kit.qwen().counters().polls, 1);
}

#[test]
fn a_client_id_and_a_scope_can_be_set() {
    let user = User::new();
    user.kit.qwen().allow_client("my-client");
    let mut command = user.command(&["login", "qwen"]);
    command.env("LLM_AUTH_QWEN_CLIENT_ID", "my-client");
    command.env("LLM_AUTH_QWEN_SCOPE", "openid model.completion");
    assert_eq!(Done::of(&mut command).code, Some(0));
    assert_eq!(user.stored("qwen")["scope"], "openid model.completion");
    let mut command = user.command(&["login", "qwen"]);
    let done = Done::of(command.env("LLM_AUTH_QWEN_CLIENT_ID", "unknown-client"));
    done.assert_failed(1, "qwen");
}

#[test]
fn a_proxy_never_gets_a_request_to_loopback() {
    let user = User::new();
    let mut command = user.command(&["login", "qwen"]);
    // Nothing listens on the discard port.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9");
    assert_eq!(Done::of(&mut command).code, Some(0));
}

#[cfg(unix)]
#[test]
fn text_that_is_not_utf_8_is_a_usage_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let user = User::new();
    let odd = OsStr::from_bytes(b"\xff\xfe");
    let done = Done::of(user.command(&["token", "qwen", "--account"]).arg(odd));
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(!done.err.contains("panicked"), "{done:?}");
    user.sign_in(&["qwen"]);
    user.expire("qwen");
    let done = Done::of(
        user.command(&["token", "qwen"])
            .env("LLM_AUTH_QWEN_CLIENT_ID", odd),
    );
    done.assert_failed(2, "LLM_AUTH_QWEN_CLIENT_ID");
    let store = user.directory.path().join(odd);
    let done = Done::of(user.command(&["login", "qwen", "--store"]).arg(&store));
    assert_eq!(done.code, Some(0), "a path need not be UTF-8: {done:?}");
    assert!(store.exists());
}

#[test]
fn the_default_directory_is_below_the_home_of_the_user() {
    let user = User::new();
    let done = Done::of(user.command(&["login", "qwen"]).env_remove("LLM_AUTH_HOME"));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!user.directory.path().join("home").exists());
    let done = Done::of(
        user.command(&["status", "--json"])
            .env_remove("LLM_AUTH_HOME"),
    );
    let store = done.json()["sessions"][0]["store"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        store.starts_with(user.directory.path().to_str().unwrap()),
        "{store}"
    );
}
