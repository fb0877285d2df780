//! The key of a proxy, and who has none.

use llm_auth_core::files;

use super::client::Request;
use super::process::{Proxy, chat};
use super::upstream::{Upstream, ok};
use crate::support::user::User;

#[test]
fn the_key_is_taken_in_four_places_and_forwarded_in_none() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    let proxy = Proxy::start(&user, &["qwen"]);
    let key = proxy.key().to_owned();
    assert_eq!(key.len(), 43);
    let get = || Request::get("/qwen/x?a=1");
    let with_query = Request::get(&format!("/qwen/x?key={key}&a=1"));
    let everywhere = Request::get(&format!("/qwen/x?a=1&key={key}"))
        .key(&key)
        .header("x-api-key", &key)
        .header("X-Goog-Api-Key", &key)
        .header("api-key", &key)
        .header("x-made-up", &key);
    for request in [
        get().key(&key),
        get().header("Authorization", &format!("bearer {key}")),
        get().header("x-api-key", &key),
        get().header("x-goog-api-key", &key),
        with_query,
        everywhere,
        // SDKs send what else they find, too.
        get().key(&key).header("x-api-key", "made-up-other"),
    ] {
        let response = request.send(proxy.address());
        assert_eq!(response.status, 200, "{response:?}");
    }
    let seen = upstream.requests();
    assert_eq!(seen.len(), 7);
    for request in seen {
        let head = &request.head;
        assert!(
            !head.contains(&key) && !head.contains("made-up-other"),
            "{head}"
        );
        assert_eq!(request.target(), "/v1/x?a=1");
        let bearer = format!("Bearer {access}");
        assert_eq!(request.header("authorization"), Some(bearer.as_str()));
    }
}

#[test]
fn a_request_without_the_key_reaches_no_api() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    let proxy = Proxy::start(&user, &["qwen", "--metrics"]);
    let get = || Request::get("/qwen/x");
    for (request, code) in [
        (get(), "no_key"),
        (get().key("made-up"), "wrong_key"),
        (get().key(""), "no_key"),
        (get().key(&proxy.key()[1..]), "wrong_key"),
        (get().key(&format!("{}x", proxy.key())), "wrong_key"),
        (get().header("Authorization", proxy.key()), "no_key"),
        // The token of the session is no key.
        (get().key(&access), "wrong_key"),
        (Request::get("/metrics"), "no_key"),
        (Request::get("/other"), "no_key"),
    ] {
        let response = request.send(proxy.address());
        response.assert_refused(401, code, "the key that the proxy printed");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn two_proxies_have_different_keys() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let one = Proxy::start(&user, &["qwen"]);
    let other = Proxy::start(&user, &["qwen"]);
    assert_ne!(one.key(), other.key());
    let response = chat("qwen", false).key(one.key()).send(other.address());
    response.assert_refused(401, "wrong_key", "not one of this proxy");
}

#[test]
fn a_key_ends_with_its_requests_its_time_and_its_paths() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(
        &user,
        &[
            "qwen",
            "--max-requests",
            "2",
            "--allow-path",
            "chat/completions",
        ],
    );
    let elsewhere = Request::get("/qwen/models");
    proxy
        .send(elsewhere)
        .assert_refused(403, "path_not_allowed", "--allow-path");
    // A path is compared by whole segments.
    let longer = Request::get("/qwen/chat/completionsx");
    proxy
        .send(longer)
        .assert_refused(403, "path_not_allowed", "--allow-path");
    // A refused request does not count.
    for status in [200, 200, 403] {
        assert_eq!(proxy.send(chat("qwen", false)).status, status);
    }
    assert_eq!(user.kit.qwen().counters().chats_ok, 2);
    let proxy = Proxy::start(&user, &["qwen", "--expires", "0.000001"]);
    let response = proxy.send(chat("qwen", false));
    response.assert_refused(401, "key_expired", "start the proxy again");
    assert_eq!(user.kit.qwen().counters().chats_ok, 2);
}

#[test]
fn only_requests_that_are_sent_count_against_a_key() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen", "--max-requests", "1"]);
    // One that no URL holds, and one that no HTTP server reads.
    let long = format!("/qwen/{}", "x".repeat(9_000));
    for _ in 0..2 {
        assert_eq!(proxy.send(Request::get(&long)).status, 414);
        let headers = Request::get("/qwen/x").header("x-made-up", &"x".repeat(600_000));
        assert_eq!(headers.send(proxy.address()).status, 431);
    }
    for status in [200, 403] {
        assert_eq!(proxy.send(chat("qwen", false)).status, status);
    }
    assert_eq!(user.kit.qwen().counters().chats_ok, 1);
}

#[test]
fn a_key_in_a_file_is_for_its_user_only_and_is_printed_nowhere() {
    use std::os::unix::fs::PermissionsExt as _;

    let user = User::new();
    user.sign_in(&["qwen"]);
    let path = user.directory.path().join("key");
    // One that was killed leaves its file.
    drop(Proxy::start(
        &user,
        &["qwen", "--write-key", path.to_str().unwrap()],
    ));
    let older = std::fs::read_to_string(&path).unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_mode(0o644);
    std::fs::set_permissions(&path, permissions).unwrap();
    let mut proxy = Proxy::start(&user, &["qwen", "--write-key", path.to_str().unwrap()]);
    assert!(proxy.started.get("key").is_none(), "{}", proxy.started);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = files::read(&path, 1024).unwrap();
    let key = String::from_utf8(key.to_vec()).unwrap();
    assert_ne!(key, older);
    assert!(!proxy.started.to_string().contains(key.trim_end()));
    proxy.started["key"] = key.trim_end().into();
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    let done = proxy.stop();
    done.assert_no_secret(&[key.trim_end()]);
    assert!(!path.exists());
}

#[test]
fn neither_the_log_nor_the_output_holds_a_secret_or_a_body() {
    let user = User::with_expired_session("qwen");
    let mut command = user.command(&["-vv", "serve", "--json", "qwen", "--write-key"]);
    command.arg(user.directory.path().join("key"));
    let mut proxy = Proxy::of(command.env("LLM_AUTH_LOG", "trace"));
    let key = std::fs::read_to_string(user.directory.path().join("key")).unwrap();
    proxy.started["key"] = key.trim_end().into();
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    user.kit.qwen().expire_access_tokens();
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    let done = proxy.stop();
    assert!(done.err.contains("llm_auth"), "{done:?}");
    let stored = user.stored("qwen");
    done.assert_no_secret(&[
        key.trim_end(),
        stored["access"].as_str().unwrap(),
        stored["refresh"].as_str().unwrap(),
        "one two three",
    ]);
}

#[test]
fn each_key_file_has_a_key_of_its_own() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let [one, other] = ["one", "other"].map(|name| {
        let path = user.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    });
    let files = ["--write-key", &one, "--write-key", &other];
    let args = [&["qwen", "--max-requests", "1"], &files[..]].concat();
    let mut proxy = Proxy::start(&user, &args);
    assert_eq!(proxy.started["key_files"].as_array().unwrap().len(), 2);
    let keys = [&one, &other].map(|path| std::fs::read_to_string(path).unwrap());
    assert_ne!(keys[0], keys[1]);
    for key in &keys {
        proxy.started["key"] = key.trim_end().into();
        assert_eq!(proxy.send(chat("qwen", false)).status, 200);
        let response = proxy.send(chat("qwen", false));
        response.assert_refused(403, "too_many_requests", "all its requests");
    }
    proxy.stop();
    let again = user.directory.path().join("./home/../one");
    for again in [&one, again.to_str().unwrap()] {
        let twice = ["qwen", "--write-key", &one, "--write-key", again];
        let refused = Proxy::refused(&user, &twice);
        assert!(refused.contains("two keys"), "{refused}");
    }
}

#[test]
fn a_key_replaces_no_file_of_another_program_and_no_session() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let directory = user.directory.path();
    let mine = directory.join("mine");
    let [free, mine_too, at] = ["free", "mine", "socket"].map(|name| {
        let path = directory.join(name);
        path.to_str().unwrap().to_owned()
    });
    std::fs::write(&mine, "of the user").unwrap();
    let args = ["qwen", "--socket", &at, "--write-key", &free];
    let refused = Proxy::refused(&user, &[&args[..], &["--write-key", &mine_too]].concat());
    assert!(refused.contains("exists, and llm-auth has not written it"));
    assert_eq!(std::fs::read(&mine).unwrap(), b"of the user");
    // Nothing was begun: the lock of a socket stays.
    assert!(!directory.join("socket.lock").exists());
    let session = user.file("qwen", "default");
    let before = std::fs::read(&session).unwrap();
    let args = ["qwen", "--write-key", session.to_str().unwrap()];
    let refused = Proxy::refused(&user, &args);
    assert!(refused.contains("must not be below"), "{refused}");
    assert_eq!(std::fs::read(&session).unwrap(), before);
    let refused = Proxy::refused(&user, &["qwen", "--write-key", "-"]);
    assert!(refused.contains("the key is printed"), "{refused}");
}

#[test]
fn a_proxy_does_not_take_the_key_file_of_another() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let path = user.directory.path().join("key");
    let args = ["qwen", "--write-key", path.to_str().unwrap()];
    let mut proxy = Proxy::start(&user, &args);
    let refused = Proxy::refused(&user, &args);
    assert!(refused.contains("another llm-auth process keeps"));
    let key = std::fs::read_to_string(&path).unwrap();
    proxy.started["key"] = key.trim_end().into();
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    proxy.stop();
    assert!(!path.exists());
    Proxy::start(&user, &args).stop();
}

#[test]
fn a_key_file_that_another_program_has_changed_stays() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let path = user.directory.path().join("key");
    let args = ["qwen", "--write-key", path.to_str().unwrap()];
    let proxy = Proxy::start(&user, &args);
    std::fs::write(&path, "of the user").unwrap();
    proxy.stop();
    let refused = Proxy::refused(&user, &args);
    assert!(refused.contains("another program changed"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"of the user");
}

#[test]
fn each_account_of_a_provider_is_at_a_path_of_its_own() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    for account in ["home", "work: made up"] {
        user.sign_in(&["qwen", "--account", account]);
    }
    let accounts = ["--account", "home", "--account", "work: made up"];
    let proxy = Proxy::start(&user, &[&["qwen"], &accounts[..]].concat());
    let sessions = proxy.started["sessions"].as_array().unwrap();
    let urls = sessions.iter().map(|session| &session["base_url"]);
    let paths = urls.map(|url| url.as_str().unwrap().rsplit('/').next().unwrap());
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths, ["qwen-home", "qwen-work--made-up"]);
    for path in paths {
        assert_eq!(proxy.send(chat(path, false)).status, 200);
    }
    let requests = upstream.requests();
    let tokens = requests.iter().map(|seen| seen.header("authorization"));
    let stored = ["home", "work: made up"].map(|account| {
        let done = user.run(&["token", "qwen", "--account", account]);
        format!("Bearer {}", done.out.trim_end())
    });
    let stored = stored.iter().map(|header| Some(header.as_str()));
    assert!(tokens.eq(stored));
    assert_eq!(proxy.send(chat("qwen", false)).status, 404);
    // Two that would be at one path.
    user.sign_in(&["qwen", "--account", "work- made up"]);
    let alike = ["--account", "work: made up", "--account", "work- made up"];
    let done = user.run(&[&["serve", "qwen"], &alike[..]].concat());
    done.assert_failed(2, "at the path /qwen-work--made-up");
}

#[test]
fn a_key_that_could_never_be_used_is_not_made() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for (flag, value) in [
        ("--max-requests", "0"),
        ("--expires", "0"),
        ("--expires", "0.0"),
    ] {
        let why = Proxy::refused(&user, &["qwen", flag, value]);
        assert!(why.contains("cannot be used"), "{why}");
        let program = ["--api-base-env", "BASE", "--", "/bin/true"];
        let done = user.run(&[&["exec", "qwen", "--proxy", flag, value], &program[..]].concat());
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains("cannot be used"), "{done:?}");
    }
}

#[test]
fn a_file_with_a_token_never_becomes_one_with_a_key_nor_the_other_way_round() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let [token, key] = ["token", "key"].map(|name| user.directory.path().join(name));
    let [token_path, key_path] = [&token, &key].map(|path| path.to_str().unwrap());
    let keep = |file| user.run(&["keep", "qwen", "--once", "--file", file]);
    assert_eq!(keep(token_path).code, Some(0));
    let kept = std::fs::read(&token).unwrap();
    let serve = ["qwen", "--write-key", token_path];
    let why = Proxy::refused(&user, &serve);
    assert!(
        why.contains("holds the token that `llm-auth keep` wrote"),
        "{why}"
    );
    assert_eq!(std::fs::read(&token).unwrap(), kept);
    assert_eq!(keep(token_path).code, Some(0));

    let mut killed = Proxy::start(&user, &["qwen", "--write-key", key_path]);
    killed.child.kill().unwrap();
    drop(killed);
    let written = std::fs::read(&key).unwrap();
    keep(key_path).assert_failed(1, "holds the key that `llm-auth serve --write-key` wrote");
    assert_eq!(std::fs::read(&key).unwrap(), written);
    // A file of the same name is another one.
    std::fs::remove_file(&token).unwrap();
    Proxy::start(&user, &serve).stop();
    assert!(!token.exists());
    drop(Proxy::start(&user, &["qwen", "--write-key", key_path]));
}
