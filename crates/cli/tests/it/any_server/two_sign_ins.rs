//! Sign-ins to servers of the user's own at the same time, under one name.

use llm_auth_testkit::{Approval, Testkit};
use serde_json::Value;

use super::sign_in;
use crate::support::browser::{browse, with_browser};
use crate::support::done::Done;
use crate::support::user::User;

const NAME: &str = "company";

fn words<'a>(issuer: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let client = ["--client-id", "testkit-client", "--name", NAME];
    let server = [
        "login", "oidc", "--json", "--flow", "browser", "--issuer", issuer,
    ];
    [&server[..], &client, more].concat()
}

/// A sign-in in the browser, and what happens while it waits for that.
fn waiting(user: &User, more: &[&str], meanwhile: impl FnOnce(&str)) -> Done {
    let issuer = format!("{}/standard", user.kit.base_url());
    let child = user.start(&words(&issuer, more));
    with_browser(child, |event: &Value| {
        meanwhile(event["url"].as_str().unwrap());
    })
}

fn another() -> Testkit {
    let kit = Testkit::builder().approval(Approval::Auto);
    kit.start_blocking().unwrap()
}

fn assert_usable(user: &User) {
    let done = user.run(&["token", NAME]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out.trim_end(), user.stored(NAME)["access"]);
}

/// Edits the file of the server.
fn change_server(user: &User, change: impl FnOnce(&mut Value)) {
    let file = user.server_file(NAME);
    let mut server = crate::support::session_file::read(&file);
    change(&mut server);
    std::fs::write(&file, server.to_string()).unwrap();
}

/// A user whose session is for one API, and whose server is for another one now.
fn with_another_resource() -> User {
    let user = User::new();
    let done = waiting(&user, &["--resource", "https://one.example"], browse);
    assert_eq!(done.code, Some(0), "{done:?}");
    change_server(&user, |server| {
        server["resource"] = "https://other.example".into();
    });
    user
}

#[test]
fn a_sign_in_that_fails_takes_nothing_from_one_that_succeeded_meanwhile() {
    let user = User::new();
    let done = waiting(&user, &["--timeout", "1"], |_| sign_in(&user, NAME));
    assert_eq!(done.code, Some(5), "{done:?}");
    assert_usable(&user);
}

#[test]
fn a_sign_in_to_another_server_stores_nothing_under_a_name_that_was_taken_meanwhile() {
    let user = User::new();
    let other = another();
    let issuer = format!("{}/standard", other.base_url());
    let mut taken = None;
    let done = waiting(&user, &[], |url| {
        let second = user.start(&words(&issuer, &[]));
        let second = with_browser(second, |event| browse(event["url"].as_str().unwrap()));
        assert_eq!(second.code, Some(0), "{second:?}");
        taken = Some(user.stored(NAME));
        browse(url);
    });
    done.assert_failed(1, "another sign-in has meanwhile given the name company");
    assert_eq!(Some(user.stored(NAME)), taken);
    assert_usable(&user);
}

#[test]
fn a_server_that_is_forgotten_during_a_sign_in_is_remembered_by_it() {
    let user = User::new();
    sign_in(&user, NAME);
    let done = waiting(&user, &[], |url| {
        let forgotten = user.run(&["logout", NAME, "--forget-server"]);
        assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
        browse(url);
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_usable(&user);
}

#[test]
fn a_name_is_its_server_s_until_the_user_forgets_that() {
    let user = User::new();
    sign_in(&user, NAME);
    assert_eq!(user.run(&["logout", NAME]).code, Some(0));
    let file = user.server_file("company");
    let before = std::fs::read(&file).unwrap();
    let other = another();
    let issuer = format!("{}/standard", other.base_url());
    user.run(&words(&issuer, &[]))
        .assert_failed(1, "the name company belongs to");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let forgotten = user.run(&["logout", NAME, "--forget-server"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let second = with_browser(user.start(&words(&issuer, &[])), |event| {
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(second.code, Some(0), "{second:?}");
}

#[test]
fn a_call_that_is_refused_before_the_sign_in_remembers_nothing() {
    let user = User::new();
    let issuer = format!("{}/standard", user.kit.base_url());
    for more in [["--region", "cn"], ["--client-file", "made-up"]] {
        let done = user.run(&words(&issuer, &more));
        assert_ne!(done.code, Some(0), "{done:?}");
    }
    assert!(!user.server_file("company").exists());
}

#[test]
fn a_sign_in_for_another_api_or_resource_leaves_a_session_that_came_meanwhile_usable() {
    for flag in ["--api-base", "--resource", "--audience"] {
        let user = User::new();
        sign_in(&user, NAME);
        assert_eq!(user.run(&["logout", NAME]).code, Some(0));
        let more = ["--account", "two", flag, "https://other.example/v1"];
        let done = waiting(&user, &more, |url| {
            let first = user.run(&["login", NAME]);
            assert_eq!(first.code, Some(0), "{first:?}");
            browse(url);
        });
        done.assert_failed(1, "could not be used after this one");
        assert!(
            done.err
                .contains("llm-auth logout company --account default")
        );
        assert_usable(&user);
        let refreshed = user.run(&["token", NAME, "--force-refresh"]);
        assert_eq!(refreshed.code, Some(0), "{flag}: {refreshed:?}");
        assert!(!user.file(NAME, "two").exists());
    }
}

#[test]
fn a_session_for_one_resource_is_not_refreshed_for_another() {
    let user = with_another_resource();
    let refreshes = user.kit.standard().counters().refreshes;
    user.run(&["token", NAME, "--force-refresh"])
        .assert_failed(1, "made for other servers");
    assert_eq!(user.kit.standard().counters().refreshes, refreshes);
}

#[test]
fn a_sign_in_whose_server_cannot_be_written_stores_no_session() {
    let user = User::new();
    sign_in(&user, NAME);
    let done = user.run(&["logout", NAME]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let file = user.server_file(NAME);
    let done = waiting(&user, &["--resource", "https://one.example"], |url| {
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        browse(url);
    });
    done.assert_failed(1, "the server in");
    assert!(!user.file(NAME, "default").exists());
}

#[test]
fn a_session_whose_tokens_are_for_another_api_can_still_be_revoked() {
    let user = with_another_resource();
    let done = user.run(&["logout", NAME]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("confirmed the revocation"), "{done:?}");
}

#[test]
fn a_session_that_would_be_revoked_at_another_server_is_removed_here_with_a_flag() {
    let user = User::new();
    sign_in(&user, NAME);
    change_server(&user, |server| {
        server["endpoints"]["revocation"] = "https://other.example/revoke".into();
    });
    let done = user.run(&["logout", NAME]);
    done.assert_failed(1, "made for other servers");
    assert!(
        done.err
            .contains("`llm-auth logout company --account default --local`"),
        "{done:?}"
    );
    let done = user.run(&["logout", NAME, "--account", "default", "--local"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[cfg(unix)]
#[test]
fn a_sign_in_that_waits_for_another_one_ends_at_a_signal() {
    use rustix::process::{Pid, Signal, kill_process};

    let user = User::new();
    sign_in(&user, NAME);
    let issuer = format!("{}/standard", user.kit.base_url());
    let lock = user.server_file(NAME).with_extension("json.lock");
    let other = std::fs::File::create(&lock).unwrap();
    other.lock().unwrap();
    let child = user.start(&words(&issuer, &[]));
    let process = Pid::from_child(&child);
    let kit = user.kit.standard();
    let done = with_browser(child, |event| {
        let before = kit.counters().logins_ok;
        browse(event["url"].as_str().unwrap());
        assert_eq!(kit.counters().logins_ok, before + 1);
        kill_process(process, Signal::TERM).unwrap();
    });
    assert_eq!(done.code, Some(143), "{done:?}");
    assert!(done.err.contains("interrupted"), "{done:?}");
    other.unlock().unwrap();
    assert_usable(&user);
}

#[test]
fn the_advice_of_a_call_names_its_own_store_and_home() {
    let user = User::new();
    sign_in(&user, NAME);
    let store = user.directory.path().join("one.json");
    let store = store.to_str().unwrap();
    let home = user.directory.path().join("home");
    let home = home.to_str().unwrap();
    let done = user.run(&["login", NAME, "--store", store]);
    assert_eq!(done.code, Some(0), "{done:?}");
    change_server(&user, |server| {
        server["endpoints"]["revocation"] = "https://other.example/revoke".into();
    });
    let done = user.run(&["logout", NAME, "--store", store, "--home", home]);
    let advised = format!("`llm-auth logout {NAME} --store {store} --local --home {home}`");
    assert!(done.err.contains(&advised), "{done:?}");
    let words = ["logout", NAME, "--store", store, "--local", "--home", home];
    assert_eq!(user.run(&words).code, Some(0));
    assert!(user.file(NAME, "default").exists());
    let done = user.run(&[
        "login",
        NAME,
        "--resource",
        "https://a.example",
        "--home",
        home,
    ]);
    let advised = format!("`llm-auth logout {NAME} --account default --home {home}`");
    assert!(done.err.contains(&advised), "{done:?}");
}

#[test]
fn a_session_whose_server_is_gone_or_cannot_be_read_is_not_good() {
    let user = User::new();
    sign_in(&user, NAME);
    assert_eq!(user.run(&["status", "--check"]).code, Some(0));
    let file = user.server_file(NAME);
    for content in [None, Some("{")] {
        match content {
            None => std::fs::remove_file(&file).unwrap(),
            Some(content) => std::fs::write(&file, content).unwrap(),
        }
        let done = user.run(&["status", "--check"]);
        done.assert_failed(3, "company (default) is not used");
    }
}

#[test]
fn what_killed_processes_left_is_forgotten_with_the_server() {
    let user = User::new();
    sign_in(&user, NAME);
    let file = user.server_file(NAME);
    let servers = file.parent().unwrap();
    let sessions = user.directory.path().join("home/sessions").join(NAME);
    for left in [
        servers.join(".company.json.made-up.llm-auth.tmp"),
        sessions.join(".two.json.tmp"),
    ] {
        std::fs::write(left, "{\"client_secret\":\"made-up-secret\"").unwrap();
    }
    let done = user.run(&["logout", NAME, "--forget-server"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for directory in [servers, &sessions] {
        let left = std::fs::read_dir(directory).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = left.filter(|name| name.ends_with(".tmp")).collect();
        assert_eq!(left, [""; 0]);
    }
}

#[cfg(unix)]
#[test]
fn a_command_that_waits_for_the_lock_of_a_session_ends_at_a_signal_and_does_nothing_later() {
    use rustix::process::{Pid, Signal, kill_process};

    for words in [
        &["token", NAME, "--force-refresh"][..],
        &["logout", NAME],
        &["exec", NAME, "--", "true"],
    ] {
        let user = User::new();
        sign_in(&user, NAME);
        user.expire(NAME);
        let stored = user.stored(NAME);
        let file = user.file(NAME, "default");
        let lock = file.with_extension("json.lock");
        // `exec` resumes this process before it closes what a child must not have.
        let other = std::fs::File::create(&lock).unwrap();
        let other = rustix::io::fcntl_dupfd_cloexec(other, NOT_OF_THE_CHILD).unwrap();
        let other = std::fs::File::from(other);
        other.lock().unwrap();
        let mut child = user.start(words);
        wait_until_open(&child, &lock);
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(143), "{words:?}");
        other.unlock().unwrap();
        assert_eq!(user.stored(NAME), stored);
        assert_eq!(user.kit.standard().counters().refreshes, 0);
    }
}

/// Descriptors from this number on are of the test alone.
#[cfg(unix)]
const NOT_OF_THE_CHILD: i32 = 900;

/// Waits until the process has this file open.
#[cfg(unix)]
fn wait_until_open(child: &std::process::Child, file: &std::path::Path) {
    let descriptors = format!("/proc/{}/fd", child.id());
    loop {
        let open = std::fs::read_dir(&descriptors).into_iter().flatten();
        let mut open = open.filter_map(|entry| Some(entry.ok()?.path()));
        let is_own = |descriptor: &std::path::Path| {
            let name = descriptor.file_name().and_then(std::ffi::OsStr::to_str);
            let number = name.and_then(|name| name.parse().ok());
            number.is_some_and(|number: i32| number < NOT_OF_THE_CHILD)
        };
        if open
            .any(|open| is_own(&open) && std::fs::read_link(&open).is_ok_and(|open| open == file))
        {
            return;
        }
        std::thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn the_file_of_a_server_is_for_its_owner_alone_again_once_it_is_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let user = User::new();
    sign_in(&user, NAME);
    let file = user.server_file(NAME);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_usable(&user);
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_sign_in_waits_for_no_registration_of_another_one() {
    let user = User::new();
    sign_in(&user, NAME);
    let lock = user
        .server_file(NAME)
        .with_extension("json.registration.lock");
    let other = std::fs::File::create(&lock).unwrap();
    other.lock().unwrap();
    let done = waiting(&user, &["--account", "two"], browse);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_sign_in_whose_session_cannot_be_stored_leaves_the_server_as_it_was() {
    let user = User::new();
    sign_in(&user, NAME);
    let before = std::fs::read(user.server_file(NAME)).unwrap();
    let sessions = user.directory.path().join("home/sessions").join(NAME);
    let more = ["--account", "two", "--scope", "openid email"];
    let done = waiting(&user, &more, |url| {
        // The name that a new file has until it is whole.
        std::fs::create_dir_all(sessions.join(".two.json.tmp/x")).unwrap();
        browse(url);
    });
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!user.file(NAME, "two").exists());
    assert_eq!(std::fs::read(user.server_file(NAME)).unwrap(), before);
    assert_usable(&user);
}

#[test]
fn a_server_that_is_no_regular_file_is_refused_before_anything_is_asked() {
    let user = User::new();
    let file = user.server_file(NAME);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("elsewhere.json", &file).unwrap();
    let issuer = format!("{}/standard", user.kit.base_url());
    user.run(&words(&issuer, &[]))
        .assert_failed(1, "it is no regular file");
    assert_eq!(user.kit.standard().counters().logins_ok, 0);
}
