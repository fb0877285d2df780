//! The passphrase of encrypted sessions.

use crate::pty::{Terminal, WIDE};
use crate::support::user::User;

const STORE: [&str; 2] = ["--store", "encrypted"];

#[test]
fn a_passphrase_is_asked_for_twice_then_once_and_is_never_shown() {
    let user = User::new();
    let login = [&["login", "qwen", "--no-browser"][..], &STORE].concat();
    let mut terminal = Terminal::start(&user, WIDE, &login, &[]);
    terminal.wait_for("Passphrase of the sessions");
    terminal.send("made-up horsf\x7fe\r");
    terminal.wait_for("The same again");
    terminal.send("made-up horse\r");
    assert_eq!(terminal.end(), 0);
    let shown = terminal.written();
    assert!(
        !shown.contains("horse") && !shown.contains("horsf"),
        "{shown}"
    );

    let token = [&["token", "qwen"][..], &STORE].concat();
    for (passphrase, code) in [("made-up house", 1), ("made-up horse", 0)] {
        let mut terminal = Terminal::start(&user, WIDE, &token, &[]);
        terminal.wait_for("Passphrase of the sessions");
        terminal.send(&format!("{passphrase}\r"));
        assert_eq!(terminal.end(), code, "{passphrase}");
        let shown = terminal.written();
        assert!(!shown.contains(passphrase), "{shown}");
        assert_eq!(shown.contains("the key is wrong"), code == 1, "{shown}");
    }
}

#[test]
fn another_passphrase_for_a_directory_without_a_session_is_asked_for_twice() {
    let user = User::new();
    let first = ["login", "qwen", "--no-browser", "--store", "encrypted"];
    for (verb, typed, code) in [
        (&first[..], ["made-up horse", "made-up horse"], 0),
        (
            &["logout", "qwen", "--store", "encrypted"],
            ["made-up horse", ""],
            0,
        ),
        (&first[..], ["made-up house", "made-up horse"], 2),
        (&first[..], ["made-up house", "made-up house"], 0),
    ] {
        let mut terminal = Terminal::start(&user, WIDE, verb, &[]);
        terminal.wait_for("Passphrase of the sessions");
        terminal.send(&format!("{}\r", typed[0]));
        if !typed[1].is_empty() {
            terminal.wait_for("The same again");
            terminal.send(&format!("{}\r", typed[1]));
        }
        assert_eq!(terminal.end(), code, "{typed:?}");
        let shown = terminal.written();
        assert!(!shown.contains("made-up ho"), "{shown}");
    }
}
