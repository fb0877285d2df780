//! What users paste into a terminal, and what they type there.

use crate::pty::{Terminal, WIDE};
use crate::support::browser::{browse, final_url};
use crate::support::user::User;

/// A sign-in that waits, and the address that the browser ends on.
fn waiting(user: &User) -> (Terminal, String) {
    let args = ["login", "gemini", "--no-browser", "--timeout", "60"];
    let mut terminal = Terminal::start(user, WIDE, &args, &[]);
    terminal.wait_for("Ctrl-C stops");
    let end = final_url(&terminal.page(user.kit.base_url()));
    (terminal, end)
}

fn assert_signed_in(terminal: &mut Terminal) {
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("Signed in to Gemini"));
    assert!(terminal.echoes() && terminal.gives_lines());
}

/// A middle of the code in the address.
fn middle_of_code(address: &str) -> usize {
    address.find("code=").unwrap() + "code=".len() + 6
}

#[test]
fn an_address_longer_than_a_terminal_line_is_read_whole() {
    for length in [4_100, 30_000] {
        let user = User::new();
        let (mut terminal, end) = waiting(&user);
        let at = end.find('?').unwrap() + 1;
        let long = format!("{}x={}&{}\n", &end[..at], "y".repeat(length), &end[at..]);
        terminal.send(&long);
        assert_signed_in(&mut terminal);
    }
}

#[test]
fn an_address_that_is_broken_over_lines_is_joined() {
    let user = User::new();
    for (begin, with, finish) in [
        ("", "\n", "\n"),
        ("", "\r\n  ", "\r"),
        ("\u{1b}[200~", "\r", "\u{1b}[201~\r"),
        ("\u{1b}[200~", "\n", "\n\u{1b}[201~"),
    ] {
        let (mut terminal, end) = waiting(&user);
        let at = middle_of_code(&end);
        terminal.send(&format!(
            "{begin}{}{with}{}{finish}",
            &end[..at],
            &end[at..]
        ));
        assert_signed_in(&mut terminal);
    }
}

#[test]
fn after_an_incomplete_address_the_whole_one_is_used() {
    let user = User::new();
    let (mut terminal, end) = waiting(&user);
    terminal.send(&format!("{}\n", &end[..middle_of_code(&end)]));
    terminal.wait_for("invalid_grant");
    terminal.wait_for("Ctrl-C stops");
    // The rest of it, as a terminal sends it that broke the line.
    terminal.send(&format!("{end}\n"));
    assert_signed_in(&mut terminal);
}

#[test]
fn editing_keys_work_as_on_any_line() {
    let user = User::new();
    for (before, after) in [
        // Ctrl-D on an empty line ends nothing, and nothing does Enter.
        ("\u{4}\u{4}\n\n", "\n"),
        ("typed by mistake\u{15}", "\n"),
        ("", "xy\u{7f}\u{7f}\r"),
        ("mistake\u{17}", "\u{4}"),
        ("\u{1b}[A\u{1b}[200~", "\u{1b}[201~\n"),
        ("Paste: ", " (so it says)\n"),
    ] {
        let (mut terminal, end) = waiting(&user);
        assert!(!terminal.gives_lines() && !terminal.echoes());
        terminal.send(&format!("{before}{end}{after}"));
        assert_signed_in(&mut terminal);
        assert!(!terminal.screen().contains("That is not a valid response"));
    }
}

#[test]
fn after_ctrl_d_the_browser_can_still_complete_the_sign_in() {
    let user = User::new();
    let (mut terminal, _) = waiting(&user);
    terminal.send("\u{4}");
    browse(&terminal.page(user.kit.base_url()));
    assert_signed_in(&mut terminal);
}

#[test]
fn every_exit_restores_the_terminal() {
    let user = User::new();
    for (key, code) in [("\u{3}", 130), ("\u{1c}", 131)] {
        let (mut terminal, end) = waiting(&user);
        terminal.send(&end[..20]);
        terminal.send(key);
        assert_eq!(terminal.end(), code);
        assert!(terminal.echoes() && terminal.gives_lines());
        let written = terminal.written();
        assert!(
            written.rfind("\u{1b}[?2004l") > written.rfind("\u{1b}[?2004h"),
            "{written:?}"
        );
    }
    let args = ["login", "gemini", "--no-browser", "--timeout", "1"];
    let mut terminal = Terminal::start(&user, WIDE, &args, &[]);
    assert_eq!(terminal.end(), 5);
    assert!(terminal.echoes() && terminal.gives_lines());
}

#[test]
fn a_login_resets_a_terminal_that_a_killed_one_left_behind() {
    let user = User::new();
    for modes in ["-icanon -echo", "raw -echo", "-echo"] {
        let mut shell = Terminal::shell(&user, (100, 40));
        shell.wait_for("READY");
        shell.send(&format!(
            "stty {modes}; $LLM_AUTH login qwen; stty -a; exit\n"
        ));
        shell.wait_for("Signed in to Qwen");
        shell.end();
        let written = shell.written();
        let words: Vec<&str> = written.split_whitespace().collect();
        for mode in ["icanon", "echo", "isig", "icrnl", "opost"] {
            assert!(words.contains(&mode), "{modes}: {mode}: {written}");
        }
    }
}
