//! Ctrl-C, Ctrl-Z, and which process has the terminal.

use llm_auth_testkit::Approval;

use crate::pty::{SMALL, Terminal, WIDE};
use crate::support::browser::{browse, final_url};
use crate::support::user::User;

#[test]
fn ctrl_c_leaves_no_file_and_prints_that() {
    for provider in ["qwen", "gemini"] {
        let user = User::with(Approval::Manual);
        let mut terminal = Terminal::start(&user, SMALL, &["login", provider], &[]);
        terminal.wait_for("Ctrl-C stops");
        terminal.send("\u{3}");
        assert_eq!(terminal.end(), 130);
        let screen = terminal.screen();
        assert!(
            screen.contains("interrupted; nothing was changed"),
            "{screen}"
        );
        assert!(!screen.contains("Ctrl-C stops"), "{screen}");
        assert!(terminal.echoes() && !terminal.hides_cursor());
        assert!(!user.file(provider, "default").exists());
    }
}

#[test]
fn the_foreground_process_has_the_terminal() {
    let user = User::new();
    let mut shell = Terminal::shell(&user, (100, 60));
    shell.wait_for("READY");
    shell.send("$LLM_AUTH login gemini\n");
    shell.wait_for("Ctrl-C stops");
    assert!(!shell.echoes());
    let url = shell.page(user.kit.base_url());

    // Ctrl-Z: the shell gets a terminal that shows what is typed, and nothing of the clock.
    shell.send("\u{1a}");
    shell.wait_for("Stopped");
    shell.wait_until_gone("Ctrl-C stops");
    assert!(shell.echoes());

    // In the background it prints events, but draws no countdown over typed text and reads none
    // of it.
    shell.send("bg\n");
    shell.send("echo $((40 + 2))-is-typed\n");
    shell.wait_for("42-is-typed");
    browse(&format!("{}?state=forged", redirect_uri(&url)));
    shell.wait_for("Ignored an unexpected request");
    assert!(!shell.screen().contains("Ctrl-C stops"));
    assert!(shell.echoes());

    shell.send("fg\n");
    shell.wait_for("Ctrl-C stops");
    assert!(!shell.echoes());
    let end = final_url(&url);
    shell.send(&format!("{end}\n"));
    shell.wait_for("Signed in to Gemini");
    assert!(!shell.written().contains(&end));
    shell.send("echo $?-is-the-code; exit\n");
    shell.wait_for("0-is-the-code");
    assert!(shell.echoes());
}

/// The redirect URI that an authorization URL names.
fn redirect_uri(url: &str) -> String {
    let encoded = url
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("redirect_uri="));
    encoded.unwrap().replace("%3A", ":").replace("%2F", "/")
}

#[test]
fn without_a_shell_that_could_continue_it_ctrl_z_does_not_stop_it() {
    let user = User::new();
    // The first process of its session, as `ssh -t host llm-auth login` has it.
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[]);
    terminal.wait_for("Ctrl-C stops");
    terminal.send("\u{1a}");
    browse(&terminal.page(user.kit.base_url()));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_controls_no_job_takes_pastes_too() {
    let user = User::new();
    let words = user.words(&["login", "gemini"]);
    // As `su -c` has it.
    let args: Vec<&str> = std::iter::once("--wait")
        .chain(words.iter().map(String::as_str))
        .collect();
    let path = [("PATH", "/usr/bin:/bin")];
    let mut terminal = Terminal::run(&user, WIDE, "setsid".as_ref(), &args, &path);
    terminal.wait_for("Ctrl-C stops");
    assert!(!terminal.echoes());
    let end = final_url(&terminal.page(user.kit.base_url()));
    terminal.send(&format!("{end}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(!terminal.written().contains(&end));
}

#[test]
fn ctrl_backslash_restores_the_terminal_as_ctrl_c_does() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[]);
    terminal.wait_for("Ctrl-C stops");
    assert!(!terminal.echoes());
    terminal.send("\u{1c}");
    assert_eq!(terminal.end(), 131);
    assert!(terminal.echoes());
}
