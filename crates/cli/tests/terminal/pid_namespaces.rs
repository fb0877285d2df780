//! A command whose parent is outside its PID namespace, as in many a container: the system then
//! returns 0 as its group and session (`pid_namespaces(7)`).

use std::process::{Command, Stdio};

use llm_auth_testkit::Approval;

use crate::browser::skip::skip;
use crate::pty::Terminal;
use crate::support::browser::final_url;
use crate::support::user::User;

/// The arguments with which `unshare` makes such a namespace here, if it can.
fn unshare(test: &str) -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [
        &["--pid", "--fork", "--kill-child"],
        // Another user becomes root in a user namespace.
        &[
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--kill-child",
        ],
    ];
    let works = |way: &&&[&str]| {
        let mut probe = Command::new("unshare");
        probe
            .args(**way)
            .arg("true")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    let way = WAYS.iter().find(works);
    if way.is_none() {
        skip(
            test,
            "no namespace can be made (`unshare --pid`, of util-linux)",
        );
    }
    way.copied()
}

fn start(user: &User, way: &[&str], words: &[&str]) -> Terminal {
    let args = [way, words].concat();
    let path = [("PATH", "/usr/bin:/bin")];
    Terminal::run(user, (80, 40), "unshare".as_ref(), &args, &path)
}

#[test]
fn a_container_s_first_process_takes_a_paste_and_ctrl_z_does_not_freeze_it() {
    let Some(way) = unshare("the first process of a container") else {
        return;
    };
    let user = User::new();
    let words = user.words(&["login", "gemini"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut terminal = start(&user, way, &words);
    terminal.wait_for("Ctrl-C stops");
    assert!(!terminal.echoes());
    terminal.send("\u{1a}");
    let end = final_url(&terminal.page(user.kit.base_url()));
    terminal.send(&format!("{end}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(!terminal.written().contains(&end));
    assert!(terminal.echoes());
}

#[test]
fn in_a_container_s_script_ctrl_c_leaves_nothing_behind() {
    let Some(way) = unshare("a script in a container") else {
        return;
    };
    let user = User::with(Approval::Manual);
    let program = user.command(&[]).get_program().to_owned();
    // The shell is the parent, in the same group and session.
    let script = "trap : INT; \"$0\" login qwen; exit $?";
    let words = ["/bin/sh", "-c", script, program.to_str().unwrap()];
    let mut terminal = start(&user, way, &words);
    terminal.wait_for("Ctrl-C stops");
    terminal.send("\u{3}");
    assert_eq!(terminal.end(), 130);
    let screen = terminal.screen();
    assert!(
        screen.contains("interrupted; nothing was changed"),
        "{screen}"
    );
    assert!(!user.file("qwen", "default").exists());
}
