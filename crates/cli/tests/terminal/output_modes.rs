//! Terminals without colours, without UTF-8, and without cursor movement.

use llm_auth_testkit::Approval;

use crate::pty::{SMALL, Terminal, WIDE};
use crate::support::user::User;

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, SMALL, &["login", "qwen"], &[("TERM", "dumb")]);
    terminal.wait_for("Waiting for you; 30 minutes left.");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    assert!(user.kit.qwen().approve(&code));
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.raw.contains(&0x1b), "{}", terminal.written());
    assert!(!terminal.screen().contains('█'));
}

#[test]
fn without_colours_nothing_is_coloured() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "qwen"], &[("NO_COLOR", "1")]);
    terminal.wait_for("Ctrl-C stops");
    assert!(terminal.screen().contains('█'));
    let written = terminal.written();
    let coloured = written.split("\u{1b}[").skip(1).any(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
            .starts_with('m')
    });
    assert!(!coloured, "{written:?}");
}

#[test]
fn without_utf_8_there_is_no_qr_code() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "qwen"], &[("LANG", "C")]);
    terminal.wait_for("Ctrl-C stops");
    assert!(!terminal.screen().contains('█'));
    assert!(terminal.raw.is_ascii(), "{}", terminal.written());
}

#[test]
fn the_other_commands_have_pictures_too() {
    let user = User::new();
    for provider in ["qwen", "minimax", "gemini"] {
        user.sign_in(&[provider]);
    }
    // Seen from its own directory, so that no picture shows where this was.
    let home = [("LLM_AUTH_HOME", "home")];
    for (args, name) in [
        (&["status"][..], "status"),
        (&["doctor", "qwen"], "doctor"),
        #[cfg(feature = "demo")]
        (&["demo", "--yes"], "demo"),
    ] {
        let mut terminal = Terminal::start(&user, (100, 110), args, &home);
        assert_eq!(terminal.end(), 0, "{}", terminal.screen());
        terminal.picture(name, &format!("llm-auth {}", args.join(" ")));
    }
}
