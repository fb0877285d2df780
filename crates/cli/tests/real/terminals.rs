//! What a person sees in a terminal, of any kind.

use llm_auth_testkit::Approval;

use crate::common::{User, browse};
use crate::pty::Terminal;

const WIDE: (u16, u16) = (80, 40);
const NARROW: (u16, u16) = (40, 46);
const SMALL: (u16, u16) = (80, 24);

/// The page of a sign-in, found whole and on one line among the bytes that were written.
pub(crate) fn page(terminal: &Terminal, start: &str) -> String {
    let written = plain(&terminal.written());
    let line = written
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("no {start} in {written}"))
        .to_owned()
}

/// The redirect URI that an authorization URL names.
fn redirect_uri(url: &str) -> String {
    let encoded = url
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("redirect_uri="));
    encoded.unwrap().replace("%3A", ":").replace("%2F", "/")
}

/// Without colours and other things that a terminal does not show.
fn plain(written: &str) -> String {
    let mut parts = written.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        plain.push_str(&part[end.map_or(0, |at| at + 1)..]);
    }
    plain
}

#[test]
fn a_device_sign_in_has_the_page_the_code_a_qr_code_and_a_clock() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    let base = user.kit.base_url().to_owned();
    let whole = format!("{base}/authorize?user_code={code}&client=qwen-code");
    assert_eq!(page(&terminal, &base), whole);
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
fn in_a_small_window_the_page_and_the_code_stay_in_sight() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, SMALL, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let code = user.kit.qwen().pending_user_codes().remove(0);
    let screen = terminal.screen();
    assert!(screen.contains(&format!("user_code={code}")), "{screen}");
    assert!(screen.contains("█▀") || screen.contains("▄█"), "{screen}");
}

#[test]
fn in_a_narrow_window_the_words_stand_below_the_qr_code_and_nothing_wraps_but_the_page() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, NARROW, &["login", "qwen"], &[]);
    terminal.wait_for("Ctrl-C stops");
    let whole = page(&terminal, user.kit.base_url());
    let written = plain(&terminal.written());
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
fn where_a_qr_code_would_push_the_page_out_of_sight_there_is_none() {
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
fn over_ssh_the_final_address_is_pasted_unseen() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[("USER", "mia")]);
    terminal.wait_for("Ctrl-C stops");
    terminal.picture("login-gemini-80", "llm-auth login gemini");
    assert!(!terminal.echoes());
    let url = page(&terminal, user.kit.base_url());
    let end = crate::common::final_url(&url);
    let code = end
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("code="));
    terminal.send(&format!("{end}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("Signed in to Gemini"));
    assert!(!terminal.written().contains(code.unwrap()));
    assert!(terminal.echoes());
}

#[test]
fn over_ssh_in_a_narrow_window() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, NARROW, &["login", "gemini"], &[("USER", "mia")]);
    terminal.wait_for("Ctrl-C stops");
    terminal.picture("login-gemini-40", "llm-auth login gemini");
    browse(&page(&terminal, user.kit.base_url()));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
}

#[test]
fn ctrl_c_leaves_nothing_behind_and_says_so() {
    for vendor in ["qwen", "gemini"] {
        let user = User::with(Approval::Manual);
        let mut terminal = Terminal::start(&user, SMALL, &["login", vendor], &[]);
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
        assert!(!user.file(vendor, "default").exists());
    }
}

#[test]
fn whoever_is_in_the_foreground_has_the_terminal() {
    let user = User::new();
    let mut shell = Terminal::shell(&user, (100, 60));
    shell.wait_for("READY");
    shell.send("$LLM_AUTH login gemini\n");
    shell.wait_for("Ctrl-C stops");
    assert!(!shell.echoes());
    let url = page(&shell, user.kit.base_url());

    // Ctrl-Z: the shell gets a terminal that shows what is typed, and nothing of the clock.
    shell.send("\u{1a}");
    shell.wait_for("Stopped");
    shell.wait_until_gone("Ctrl-C stops");
    assert!(shell.echoes());

    // In the background it tells what happens, but draws no line over what is typed and takes
    // nothing of it.
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
    let end = crate::common::final_url(&url);
    shell.send(&format!("{end}\n"));
    shell.wait_for("Signed in to Gemini");
    assert!(!shell.written().contains(&end));
    shell.send("echo $?-is-the-code; exit\n");
    shell.wait_for("0-is-the-code");
    assert!(shell.echoes());
}

#[test]
fn where_nobody_could_let_it_go_on_ctrl_z_does_not_freeze_it() {
    let user = User::new();
    // The first process of its session, as `ssh -t host llm-auth login` has it.
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[]);
    terminal.wait_for("Ctrl-C stops");
    terminal.send("\u{1a}");
    browse(&page(&terminal, user.kit.base_url()));
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
    let end = crate::common::final_url(&page(&terminal, user.kit.base_url()));
    terminal.send(&format!("{end}\n"));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(!terminal.written().contains(&end));
}

#[test]
fn a_code_that_was_none_is_said_to_be_and_the_next_one_counts() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini", "--no-browser"], &[]);
    terminal.wait_for("Ctrl-C stops");
    terminal.send("something-typed-by-mistake\n");
    terminal.wait_for("invalid_grant");
    terminal.wait_for("Ctrl-C stops");
    let end = crate::common::final_url(&page(&terminal, user.kit.base_url()));
    let code = end
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("code="));
    terminal.send(&format!("{}\n", code.unwrap()));
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
}

#[test]
fn ctrl_backslash_ends_it_as_orderly_as_ctrl_c() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login", "gemini"], &[]);
    terminal.wait_for("Ctrl-C stops");
    assert!(!terminal.echoes());
    terminal.send("\u{1c}");
    assert_eq!(terminal.end(), 131);
    assert!(terminal.echoes());
}

#[test]
fn what_is_told_beside_the_clock_stands_on_lines_of_its_own() {
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
fn a_vendor_that_is_left_out_is_asked_for() {
    let user = User::with(Approval::Manual);
    let mut terminal = Terminal::start(&user, WIDE, &["login"], &[]);
    terminal.wait_for("Its number or name");
    terminal.send("1\n");
    terminal.wait_for("Sign in to Qwen");
    terminal.wait_for("Ctrl-C stops");
}

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
fn the_other_commands_are_worth_a_look_too() {
    let user = User::new();
    for vendor in ["qwen", "minimax", "gemini"] {
        user.sign_in(&[vendor]);
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
