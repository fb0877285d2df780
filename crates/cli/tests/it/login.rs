use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use llm_auth_testkit::{Approval, Fault, Operation};

use crate::support::browser::{browse, final_url};
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;
use crate::support::wait::wait_for;

#[test]
fn each_provider_needs_only_environment_variables_for_a_sign_in() {
    let user = User::new();
    for provider in ["qwen", "minimax", "gemini"] {
        user.sign_in(&[provider]);
        let token = user.run(&["token", provider]);
        assert_eq!(token.code, Some(0), "{token:?}");
        let access = token.out.strip_suffix('\n').unwrap();
        assert_eq!(user.stored(provider)["access"], access);
        assert_eq!(token.err, "");
    }
    for kit in [user.kit.qwen(), user.kit.minimax(), user.kit.gemini()] {
        assert_eq!(kit.counters().logins_ok, 1);
        assert_eq!(kit.violations(), Vec::<String>::new());
    }
}

#[test]
fn the_page_and_the_code_are_shown_before_the_wait_and_nothing_goes_to_stdout() {
    let user = User::with(Approval::Manual);
    let mut child = user.start(&["login", "qwen"]);
    let mut shown = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !shown.contains("Waiting") {
        assert!(lines.read_line(&mut shown).unwrap() > 0, "{shown}");
    }
    let codes = user.kit.qwen().pending_user_codes();
    let base = user.kit.base_url();
    let whole = format!("{base}/authorize?user_code={}&client=qwen-code", codes[0]);
    assert!(shown.lines().any(|line| line == whole), "{shown}");
    assert!(
        shown
            .lines()
            .any(|line| line == format!("Or enter it at {base}/authorize")),
        "{shown}"
    );
    assert!(shown.lines().any(|line| line.trim() == codes[0]), "{shown}");
    assert!(shown.contains("2026-04-15"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(user.kit.qwen().approve(&codes[0]));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
}

#[test]
fn json_events_describe_the_whole_sign_in_and_hold_no_token() {
    let user = User::with(Approval::AutoAfterPolls(1));
    user.kit
        .minimax()
        .fault(Operation::Poll, Fault::response(503, "busy"));
    let done = user.run(&["login", "minimax", "--json", "--account", "work"]);
    let events = done.events();
    assert!(events.iter().all(|event| event["v"] == 1), "{events:?}");
    let names: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names.first(), Some(&"device_code"));
    assert_eq!(names.last(), Some(&"signed_in"));
    assert!(
        names.contains(&"waiting") && names.contains(&"trouble"),
        "{names:?}"
    );
    assert!(events[0]["user_code"].is_string() && events[0]["url"].is_string());
    let last = events.last().unwrap();
    assert_eq!(
        (&last["vendor"], &last["account"]),
        (&"minimax".into(), &"work".into())
    );
    assert_eq!(last["notification"], "Signed in at the simulated MiniMax.");
    let stored = read(&user.file("minimax", "work"));
    assert!(!done.out.contains(stored["access"].as_str().unwrap()));
    assert!(!done.out.contains(stored["refresh"].as_str().unwrap()));
}

#[test]
fn two_accounts_at_one_provider_are_two_sessions() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "me@work.example/../x"]);
    let first = user.run(&["token", "qwen"]);
    let second = user.run(&["token", "qwen", "--account", "me@work.example/../x"]);
    assert_eq!((first.code, second.code), (Some(0), Some(0)));
    assert_ne!(first.out, second.out);
    let sessions = user.run(&["status", "--json"]).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_client_file_is_all_that_gemini_needs() {
    let user = User::new();
    let file = user.directory.path().join("client_secret.json");
    std::fs::write(&file, user.kit.client_secret_json()).unwrap();
    let file = file.to_str().unwrap();
    let args = ["login", "gemini", "--client-file", file, "--json"];
    let mut command = user.command(&args);
    command.env_remove("LLM_AUTH_GEMINI_CLIENT_ID");
    command.env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET");
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    browse(event["url"].as_str().unwrap());
    while lines.read_line(&mut line).unwrap() > 0 {}
    assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    // The session remembers its client: a refresh needs neither file nor variable.
    let refreshed = user
        .command(&["token", "gemini", "--force-refresh"])
        .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
        .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
        .status()
        .unwrap();
    assert_eq!(refreshed.code(), Some(0));
    assert_eq!(user.kit.gemini().counters().refresh_ok, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_sign_in_reads_the_session_file_four_times_and_the_client_file_once() {
    let user = User::new();
    let client = user.directory.path().join("client_secret.json");
    std::fs::write(&client, user.kit.client_secret_json()).unwrap();
    let of_client: [&str; 2] = ["--client-file", client.to_str().unwrap()];
    for (provider, flags) in [("qwen", &[][..]), ("gemini", &of_client)] {
        let args = [&[provider], flags].concat();
        user.sign_in(&args);
        let mut of_client = 0;
        let of_session = opened(&user.file(provider, "default"), || {
            of_client = opened(&client, || user.sign_in(&args));
        });
        assert!((1..=4).contains(&of_session), "{provider}: {of_session}");
        assert_eq!(of_client, usize::from(provider == "gemini"));
    }
}

/// How often the file is opened meanwhile.
#[cfg(target_os = "linux")]
fn opened(file: &std::path::Path, meanwhile: impl FnOnce()) -> usize {
    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
    // Two equal events in a row would be one, so the end of each is watched too.
    let events = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE;
    watch.add_watch(file.parent().unwrap(), events).unwrap();
    meanwhile();
    let mut count = 0;
    loop {
        match watch.read_events() {
            Ok(events) => {
                let of_file = events.iter().filter(|event| {
                    event.mask.contains(AddWatchFlags::IN_OPEN)
                        && event.name.as_deref() == file.file_name()
                });
                count += of_file.count();
            }
            Err(Errno::EAGAIN) => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn a_client_file_may_be_a_pipe_of_the_shell_which_can_be_read_once() {
    use crate::support::browser::{browse, with_browser};
    use crate::support::command::command;
    use crate::support::done::Done;

    let user = User::new();
    let file = user.directory.path().join("client_secret.json");
    std::fs::write(&file, user.kit.client_secret_json()).unwrap();
    let in_bash = |script: &str| {
        let of_command = command(user.directory.path(), &[]);
        let script = script.replace("\"$0\"", &user.words(&[]).join(" "));
        let mut bash = std::process::Command::new("/bin/bash");
        bash.args(["-c", &script, "bash"])
            .arg(&file)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(user.kit.env());
        for (name, value) in of_command.get_envs() {
            bash.envs(value.map(|value| (name, value)));
        }
        bash.env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
            .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        bash
    };
    let login = r#""$0" login gemini --json --client-file <(cat "$1")"#;
    let done = with_browser(in_bash(login).spawn().unwrap(), |event| {
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    for (script, code) in [
        (
            r#""$0" token gemini --force-refresh --client-file <(cat "$1")"#,
            0,
        ),
        (
            r#""$0" doctor gemini --offline --client-file <(cat "$1")"#,
            0,
        ),
    ] {
        let done = Done::of(&mut in_bash(script));
        assert_eq!(done.code, Some(code), "{script}: {done:?}");
    }
    let nothing = r#""$0" login gemini --client-file <(:)"#;
    Done::of(&mut in_bash(nothing)).assert_failed(1, "/dev/fd/");
}

#[test]
fn after_three_incomplete_addresses_the_advice_is_to_start_again() {
    use std::io::{Read as _, Write as _};

    let user = User::new();
    let mut command = user.command(&["login", "gemini", "--json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut next = |event: &str| {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no {event}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            if read["event"] == event {
                return read;
            }
        }
    };
    let url = next("authorization_url")["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let whole = final_url(&url);
    let (before, code) = whole.split_once("code=").unwrap();
    let (code, after) = code.split_once('&').unwrap_or((code, ""));
    for cut in 1..=3 {
        let code = &code[..code.len() - cut];
        writeln!(input, "{before}code={code}&{after}").unwrap();
        if cut == 3 {
            next("pastes_exhausted");
        }
        next("trouble");
    }
    writeln!(input, "{whole}").unwrap();
    assert_eq!(next("ignored")["pasted"], true);
    browse(&url);
    next("signed_in");
    let mut printed = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{printed}");
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let of_cut = printed
        .matches("may have been cut: copy the whole address")
        .count();
    let again = printed
        .matches("press Ctrl-C and run `llm-auth login` again")
        .count();
    assert_eq!((of_cut, again), (2, 2), "{printed}");
    let (_, end) = printed.split_once("press Ctrl-C").unwrap();
    assert!(!end.to_lowercase().contains("paste"), "{printed}");
    assert!(!end.contains("Copy"), "{printed}");
}

#[test]
fn gemini_without_a_client_or_with_a_wrong_file_prints_advice() {
    let user = User::new();
    let run = |args: &[&str]| {
        let mut command = user.command(args);
        command.env_remove("LLM_AUTH_GEMINI_CLIENT_ID");
        command.env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET");
        Done::of(&mut command)
    };
    run(&["login", "gemini"]).assert_failed(1, "no OAuth client");
    let missing = user.directory.path().join("none.json");
    let args = [
        "login",
        "gemini",
        "--client-file",
        missing.to_str().unwrap(),
    ];
    run(&args).assert_failed(1, "none.json");
    let wrong = user.directory.path().join("wrong.json");
    std::fs::write(
        &wrong,
        r#"{"web":{"client_id":"x","client_secret":"made-up-secret"}}"#,
    )
    .unwrap();
    let done = run(&["login", "gemini", "--client-file", wrong.to_str().unwrap()]);
    done.assert_failed(1, "wrong.json");
    assert!(!done.err.contains("made-up-secret"), "{done:?}");
    assert_eq!(user.kit.gemini().counters().authorizations, 0);
}

#[test]
fn a_listener_that_has_gone_away_ends_the_login_without_a_panic() {
    let user = User::with(Approval::Manual);
    let mut command = user.command(&["login", "qwen", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!done.err.contains("panicked"), "{done:?}");
}

#[test]
fn a_sign_in_that_is_not_approved_in_time_is_exit_code_5() {
    let user = User::with(Approval::Manual);
    let done = user.run(&["login", "qwen", "--timeout", "0.4"]);
    done.assert_failed(5, "was not approved");
    let done = user.run(&["login", "gemini", "--timeout", "0.4"]);
    done.assert_failed(5, "gemini");
    assert!(!user.file("qwen", "default").exists());
}

#[test]
fn a_denied_sign_in_ends_at_once() {
    let user = User::with(Approval::Manual);
    let child = user.start(&["login", "minimax", "--json"]);
    wait_for(user.kit.minimax(), |seen| seen.polls > 0);
    let code = user.kit.minimax().pending_user_codes().remove(0);
    assert!(user.kit.minimax().deny(&code));
    let done = Done::from(child.wait_with_output().unwrap());
    done.assert_failed(5, "minimax");
    let last = done.events().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["kind"]),
        (&"error".into(), &"denied".into())
    );
    assert_eq!(last["exit_code"], 5);
}
