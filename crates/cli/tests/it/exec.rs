//! `llm-auth exec`: a program gets the token, and everything else stays its own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use llm_auth_testkit::Approval;

use crate::support::done::Done;
use crate::support::inherited_signals::let_children_receive_signals;
use crate::support::session_file::read;
use crate::support::user::User;
use crate::support::wait::wait_for;

const SH: &str = "/bin/sh";

#[test]
fn the_program_gets_the_token_and_the_base_url_and_keeps_its_own_streams_and_exit_code() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let script = "read line; echo \"$line $LLM_AUTH_ACCESS_TOKEN $BASE\"; echo said >&2; exit 42";
    let mut child = user
        .command(&[
            "exec",
            "qwen",
            "--api-base-env",
            "BASE",
            "--",
            SH,
            "-c",
            script,
        ])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(42), "{done:?}");
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    let base = user.kit.base_url();
    assert_eq!(done.out, format!("hello {access} {base}/v1\n"));
    assert_eq!(done.err, "said\n");
}

#[test]
fn the_token_stands_under_every_name_that_is_asked_for_and_in_no_argument() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let script = "echo \"$A $B $LLM_AUTH_ACCESS_TOKEN.\"; tr '\\0' ' ' < /proc/$$/cmdline";
    let done = user.run(&[
        "exec", "minimax", "--env", "A", "--env", "B", "--", SH, "-c", script,
    ]);
    let access = user.stored("minimax")["access"]
        .as_str()
        .unwrap()
        .to_owned();
    let (first, arguments) = done.out.split_once('\n').unwrap();
    assert_eq!(first, format!("{access} {access} ."));
    assert!(!arguments.contains(&access), "{arguments}");
}

#[test]
fn an_api_header_that_cannot_be_sent_stops_no_program() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let file = user.file("gemini", "default");
    let mut session = read(&file);
    session["llm_auth"]["context"]["quota_project"] = "two words".into();
    std::fs::write(&file, session.to_string()).unwrap();
    let exec = ["exec", "gemini", "--api-base-env", "BASE", "--"];
    let mut exec = user.command(&[&exec[..], &[SH, "-c", "echo \"$BASE.\""]].concat());
    let done = Done::of(exec.env_remove("LLM_AUTH_GEMINI_QUOTA_PROJECT"));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, ".\n");
    assert!(done.err.contains("BASE is not set"), "{done:?}");
    // Here the header is asked for.
    let mut token = user.command(&["token", "gemini", "--json"]);
    let done = Done::of(token.env_remove("LLM_AUTH_GEMINI_QUOTA_PROJECT"));
    done.assert_failed(1, "quota project");
}

#[test]
fn an_expired_session_is_refreshed_before_the_start() {
    let user = User::with_expired_session("qwen");
    let done = user.run(&[
        "exec",
        "qwen",
        "--",
        SH,
        "-c",
        "echo $LLM_AUTH_ACCESS_TOKEN",
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let access = user.stored("qwen")["access"].clone();
    assert_eq!(done.out.trim_end(), access.as_str().unwrap());
    assert_eq!(user.kit.qwen().counters().refreshes, 1);
}

#[test]
fn arguments_after_the_program_are_the_program_s() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let words = ["exec", "qwen", SH, "-c", "echo $0 $1", "--json", "--env"];
    let done = user.run(&words);
    assert_eq!(done.out, "--json --env\n", "{done:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_writes_no_memory_to_a_file_and_the_program_has_its_own_limit() {
    let limits = |status: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = line.unwrap().split_whitespace().collect();
        (words[4].to_owned(), words[5].to_owned())
    };
    // With as much as this machine allows, so that there is something to take away.
    let with_cores = |user: &User, words: &str| {
        user.shell(&format!(
            "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$0\" {words}"
        ))
    };
    let user = User::with(Approval::Manual);
    let mut child = with_cores(&user, "login qwen --json").spawn().unwrap();
    wait_for(user.kit.qwen(), |seen| seen.polls > 0);
    let file = format!("/proc/{}/limits", child.id());
    let (soft, hard) = limits(&std::fs::read_to_string(file).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(soft, if hard == "0" { "0" } else { "1" });
    let user = User::new();
    user.sign_in(&["qwen"]);
    let done = with_cores(&user, "exec qwen cat /proc/self/limits").output();
    assert_eq!(limits(&Done::from(done.unwrap()).out), (hard.clone(), hard));
}

/// The process runs as another user if this one is root, for whom nothing is closed.
#[test]
#[cfg(target_os = "linux")]
fn another_process_of_the_user_cannot_look_into_this_one() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;

    const OTHER: u32 = 65_534;
    let user = User::with(Approval::Manual);
    let home = user.directory.path();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let command = user.command(&["login", "qwen", "--json"]);
    let program = home.join("a-copy");
    std::fs::copy(command.get_program(), &program).unwrap();
    let mut child = Command::new(&program);
    child.args(command.get_args()).env_clear();
    child.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    child
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if is_root {
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(home, Some(OTHER), Some(OTHER)).unwrap();
        child.uid(OTHER).gid(OTHER);
    }
    let mut child = child.spawn().unwrap();
    wait_for(user.kit.qwen(), |seen| seen.polls > 0);
    // What a process may not look into belongs to root (proc(5)).
    let owner = std::fs::metadata(format!("/proc/{}/mem", child.id())).map(|file| file.uid());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(owner.unwrap(), 0);
}

#[test]
fn without_a_session_no_program_is_started() {
    let user = User::new();
    let mark = user.directory.path().join("started");
    let done = user.run(&["exec", "qwen", "--", "/bin/touch", mark.to_str().unwrap()]);
    done.assert_failed(3, "not signed in");
    assert!(!mark.exists());
}

#[test]
fn a_program_that_cannot_be_run_has_the_exit_code_of_a_shell() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.run(&["exec", "qwen", "--", "/nowhere/made-up"])
        .assert_failed(127, "/nowhere/made-up");
    let directory = user.directory.path().to_str().unwrap();
    user.run(&["exec", "qwen", "--", directory])
        .assert_failed(126, "cannot run");
}

#[test]
fn an_unusable_variable_name_or_a_missing_command_is_a_usage_error() {
    let user = User::new();
    for args in [
        &["exec", "qwen", "--env", "A=B", "--", "/bin/true"][..],
        &["exec", "qwen", "--env", "", "--", "/bin/true"],
        &["exec", "qwen", "--env", "A,B", "--", "/bin/true"],
        &["exec", "qwen", "--env", "PATH", "--", "/bin/true"],
        &["exec", "qwen", "--env", "LD_PRELOAD", "--", "/bin/true"],
        &[
            "exec",
            "qwen",
            "--env",
            "LD_LIBRARY_PATH",
            "--",
            "/bin/true",
        ],
        &[
            "exec",
            "qwen",
            "--env",
            "DYLD_INSERT_LIBRARIES",
            "/bin/true",
        ],
        &["exec", "qwen", "--api-base-env", "LD_AUDIT", "/bin/true"],
        &["exec", "qwen", "--env", "BASH_ENV", "--", "/bin/true"],
        &["exec", "qwen", "--env", "NODE_OPTIONS", "--", "/bin/true"],
        &["exec", "qwen", "--env", "GLIBC_TUNABLES", "--", "/bin/true"],
        &[
            "exec",
            "qwen",
            "--api-base-env",
            "PYTHONSTARTUP",
            "/bin/true",
        ],
        &[
            "exec",
            "qwen",
            "--env",
            "A",
            "--api-base-env",
            "A",
            "/bin/true",
        ],
        &["exec", "qwen", "--"],
        &["exec", "qwen"],
    ] {
        assert_eq!(user.run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn the_secret_of_an_oauth_client_is_not_the_program_s() {
    let user = User::new();
    for provider in ["qwen", "gemini"] {
        user.sign_in(&[provider]);
        let done = Done::of(
            user.command(&["exec", provider, "--", "/usr/bin/env"])
                .env("LLM_AUTH_QWEN_CLIENT_SECRET", "made-up-other-secret")
                .env("LLM_AUTH_LATER_CLIENT_SECRET", "made-up-other-secret")
                .env("OTHER_CLIENT_SECRET", "kept"),
        );
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.contains("LLM_AUTH_ACCESS_TOKEN="), "{done:?}");
        assert!(done.out.contains("OTHER_CLIENT_SECRET=kept"), "{done:?}");
        for secret in [user.kit.client_secret(), "made-up-other-secret"] {
            assert!(!done.out.contains(secret), "{done:?}");
        }
        let refresh = user.stored(provider)["refresh"].clone();
        assert!(!done.out.contains(refresh.as_str().unwrap()), "{done:?}");
    }
}

#[test]
fn signals_are_the_program_s_own() {
    let_children_receive_signals();
    let user = User::new();
    user.sign_in(&["qwen"]);
    let script = "trap 'echo heard; exit 7' TERM; echo ready; while :; do sleep 1; done";
    let mut child = user.start(&["exec", "qwen", "--", SH, "-c", script]);
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(7), "heard\n"),
        "{done:?}"
    );
}

#[test]
fn an_option_that_exec_does_not_know_is_not_run() {
    let user = User::new();
    for args in [
        &["exec", "qwen", "--made-up-timeout", "5", "--", "true"][..],
        &["exec", "qwen", "-x", "true"],
    ] {
        user.run(args).assert_failed(2, "is no option of exec");
    }
}
