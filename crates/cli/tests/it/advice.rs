//! What is advised is about what failed, and can be followed as it stands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use llm_auth_testkit::Approval;

use crate::support::done::Done;
use crate::support::user::User;

/// The words of the old catch-all.
const OF_ANOTHER_TROUBLE: [&str; 3] = ["the client, the scope", "--account", "run this as"];

fn advises(done: &Done, advice: &str, never: &[&str]) {
    let printed = done.err.split_once("→ ").map(|(_, printed)| printed);
    let printed = printed.unwrap_or_else(|| panic!("{done:?}"));
    assert!(printed.contains(advice), "{advice}: {done:?}");
    for words in never {
        assert!(!printed.contains(words), "{words}: {done:?}");
    }
}

#[test]
fn a_rejected_file_or_directory_is_named_with_what_to_change() {
    let user = User::with_expired_session("qwen");
    let file = user.file("qwen", "default");
    let copy = user.directory.path().join("copy.json");
    let second = copy.with_file_name("second.json");
    fs::copy(&file, &copy).unwrap();
    fs::hard_link(&copy, &second).unwrap();
    let store = copy.to_str().unwrap();
    let done = user.run(&["token", "qwen", "--store", store]);
    done.assert_failed(1, "second name");
    advises(&done, "another file with --store", &OF_ANOTHER_TROUBLE);
    fs::hard_link(&file, user.directory.path().join("third.json")).unwrap();
    let done = user.run(&["token", "qwen"]);
    done.assert_failed(1, "second name");
    advises(
        &done,
        "LLM_AUTH_HOME to another directory",
        &OF_ANOTHER_TROUBLE,
    );
    // A directory in which others may replace files.
    let open = user.directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(&second).unwrap();
    fs::copy(&copy, open.join("s.json")).unwrap();
    let store = open.join("s.json");
    let done = user.run(&["token", "qwen", "--store", store.to_str().unwrap()]);
    done.assert_failed(1, "chmod go-w");
    advises(&done, "another file with --store", &OF_ANOTHER_TROUBLE);
}

#[test]
fn the_advice_for_a_session_of_another_account_or_provider_is_a_separate_file() {
    let user = User::with_expired_session("qwen");
    let one = user.directory.path().join("one.json");
    fs::copy(user.file("qwen", "default"), &one).unwrap();
    let store = one.to_str().unwrap();
    for args in [
        &["token", "qwen", "--account", "work", "--store", store][..],
        &["token", "minimax", "--store", store],
    ] {
        let done = user.run(args);
        done.assert_failed(1, "contains a session of");
        advises(&done, "use another file with --store", &["the client"]);
    }
    let elsewhere = user.file("qwen", "work");
    fs::copy(user.file("qwen", "default"), &elsewhere).unwrap();
    let done = user.run(&["token", "qwen", "--account", "work"]);
    done.assert_failed(1, "contains a session of the account default");
    advises(&done, "move that file back", &["the client", "--store"]);
}

#[test]
fn a_sign_in_that_was_not_approved_in_time_is_advised_as_it_was_begun() {
    let user = User::with(Approval::Manual);
    // No request is sent: the page is shown, and the port listens.
    let browser = ["login", "huggingface", "--flow", "browser"];
    let mut command = user.command(&[&browser[..], &["--timeout", "0.2"]].concat());
    let done = Done::of(command.env("LLM_AUTH_HUGGINGFACE_CLIENT_ID", "made-up"));
    done.assert_failed(5, "in time");
    let longer = "--timeout SECONDS allows more time";
    advises(&done, longer, &["the provider's code"]);
    let again = "`llm-auth login huggingface --flow browser`";
    advises(&done, again, &[]);
    let flags = [
        ["--account", "work"],
        ["--region", "cn"],
        ["--flow", "device"],
        ["--trust-endpoint", "relay.example.com:8443"],
    ]
    .concat();
    let login = [&["login", "minimax"], &flags[..]].concat();
    let done = user.run(&[&login[..], &["--timeout", "0.2"]].concat());
    done.assert_failed(5, "was not approved");
    let again = format!("`llm-auth login minimax {}`", flags.join(" "));
    advises(&done, &again, &["allows more time"]);
}

#[test]
fn the_sign_in_advised_for_a_session_keeps_the_flags_that_make_its_provider() {
    let user = User::new();
    let done = user.run(&["token", "minimax", "--region", "cn"]);
    done.assert_failed(3, "not signed in");
    advises(&done, "`llm-auth login minimax --region cn`", &[]);
    let client = user.directory.path().join("my client.json");
    fs::write(&client, user.kit.client_secret_json()).unwrap();
    let client = client.to_str().unwrap();
    let done = user.run(&["token", "gemini", "--client-file", client]);
    done.assert_failed(3, "not signed in");
    let again = format!("`llm-auth login gemini --client-file '{client}'`");
    advises(&done, &again, &[]);
}
