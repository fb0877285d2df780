//! What a sign-in shows on a terminal of any size.

use llm_auth_testkit::Approval;

use crate::pty::{NARROW, SMALL, Terminal, WIDE};
use crate::support::browser::{browse, final_url, parameter};
use crate::support::user::User;

#[test]
fn a_device_sign_in_has_the_page_the_code_a_qr_code_and_a_clock() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    let base = user.kit.base_url().to_owned();
    let whole = format!("{base}/authorize?user_code={code}&client=qwen-code");
    assert_eq!(terminal.page(&base), whole);
    let screen = terminal.screen();
    assert!(
        screen.contains(&code) && screen.contains("▄▄▄▄▄"),
        "{screen}"
    );
    assert!(
        screen.contains(&format!("Or enter it at {base}/authorize")),
        "{screen}"
    );
    terminal.picture("login-qwen-80", "llm-auth login qwen");
    // It counts by itself.
    terminal.wait_for(" 29:5");
    assert!(user.kit.qwen().approve(&code));
    assert_eq!(terminal.end(), 0);
    let screen = terminal.screen();
    assert!(
        screen.contains("Signed in to Qwen") && !screen.contains("Ctrl-C"),
        "{screen}"
    );
}

#[test]
fn in_a_small_window_the_url_and_the_code_stay_on_the_screen() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, SMALL, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    let screen = terminal.screen();
    assert!(screen.contains(&format!("user_code={code}")), "{screen}");
    assert!(screen.contains("█▀") || screen.contains("▄█"), "{screen}");
}

#[test]
fn in_a_narrow_window_the_text_is_below_the_qr_code_and_only_the_url_wraps() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, NARROW, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let whole = terminal.page(user.kit.base_url());
    let written = terminal.plain_text();
    let too_long: Vec<&str> = written
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| line.chars().count() > 40 && *line != whole)
        .collect();
    assert!(too_long.is_empty(), "{too_long:?}");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    let screen = terminal.screen();
    let below = screen.rfind('█').unwrap();
    assert!(screen[below..].contains(&code), "{screen}");
    terminal.picture("login-qwen-40", "llm-auth login qwen");
}

#[test]
fn no_qr_code_is_drawn_if_it_would_push_the_url_off_the_screen() {
    for size in [(40, 24), (80, 16), (30, 60)] {
        let user = User::with(Approval::Manual);
        let mut terminal = Terminal::start(&user, size, &["login", "qwen"], &[]);
        terminal.wait_for("Ctrl-C");
        let code = user.kit.qwen().pending_user_codes().remove(0);
        let screen = terminal.screen();
        assert!(!screen.contains('█'), "{screen}");
        assert!(screen.contains(&format!("    {code}")), "{screen}");
    }
}

#[test]
fn over_ssh_the_final_address_is_pasted_hidden() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[("USER", "mia")]);
    terminal.wait_for("Ctrl-C stops");
    terminal.picture("login-gemini-80", "llm-auth login gemini");
    assert!(!terminal.echoes());
    let url = terminal.page(user.kit.base_url());
    let end = final_url(&url);
    let code = parameter(&end, "code");
    terminal.send(&format!("{end}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("Signed in to Gemini"));
    assert!(!terminal.written().contains(&code));
    assert!(terminal.echoes());
}

#[test]
fn over_ssh_in_a_narrow_window() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, NARROW, &["login", "gemini"], &[("USER", "mia")]);
    terminal.wait_for("Ctrl-C stops");
    terminal.picture("login-gemini-40", "llm-auth login gemini");
    browse(&terminal.page(user.kit.base_url()));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
}

#[test]
fn a_rejected_code_is_reported_and_the_next_one_is_used() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini", "--no-browser"], &[]);
    terminal.wait_for("Ctrl-C stops");
    terminal.send("something-typed-by-mistake\n");
    terminal.wait_for("invalid_grant");
    terminal.wait_for("Ctrl-C stops");
    let end = final_url(&terminal.page(user.kit.base_url()));
    let code = parameter(&end, "code");
    terminal.send(&format!("{code}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
}

#[test]
fn log_lines_during_the_countdown_are_lines_of_their_own() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "qwen", "-v"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    assert!(user.kit.qwen().approve(&code));
    assert_eq!(terminal.end(), 0);
    let screen = terminal.screen();
    assert!(screen.contains("DEBUG"), "{screen}");
    for line in screen.lines() {
        assert!(
            !(line.contains("left.") && line.contains("DEBUG")),
            "{screen}"
        );
    }
}

#[test]
fn login_without_a_provider_asks_for_one() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login"], &[]);
    terminal.wait_for("Its number or name");
    terminal.send("1\n");
    terminal.wait_for("Sign in to Qwen");
    terminal.wait_for("Ctrl-C stops");
}
