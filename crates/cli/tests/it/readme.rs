//! The commands of the README's first minutes, as a reader would paste them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use llm_auth_testkit::{Approval, Testkit};

use crate::support::browser::chat;
use crate::support::command::command;
use crate::support::done::Done;
use crate::support::skip::skip;

const README: &str = include_str!("../../../../README.md");

/// What begins the command that starts the simulated providers.
const START: &str = "cargo run -p llm-auth-testkit -- ";

/// The command that makes the program, which is here already.
const INSTALL: &str = "cargo install --locked --path crates/cli ";

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    if let Err(error) = Command::new("curl").arg("--version").output() {
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        skip("the commands of the README", "curl is not installed");
        return;
    }
    let mut blocks = shell_blocks(README).skip_while(|block| !block.starts_with(START));
    let start = blocks.next().unwrap().trim_end();
    let (install, commands) = blocks.next().unwrap().split_once('\n').unwrap();
    assert!(install.starts_with(INSTALL), "{install}");
    let (kit, address) = started(start.strip_prefix(START).unwrap());
    // The port of the README may be in use here.
    let here = kit.base_url().trim_start_matches("http://");
    let commands = commands.replace(&address, here);
    let others = blocks.next().unwrap().replace(&address, here);

    let home = tempfile::tempdir().unwrap();
    let programs = home.path().join("bin");
    fs::create_dir(&programs).unwrap();
    installed(home.path(), &programs.join("llm-auth"));
    let browser = programs.join("browser");
    program(&browser, "exec curl -sL -o /dev/null \"$1\"");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let run = |script: &str| {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-e", "-c", script])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", &path)
            .env("BROWSER", &browser)
            .stdin(Stdio::null());
        Done::of(&mut shell)
    };
    let done = run(&commands);
    assert_eq!(done.code, Some(0), "{done:?}");

    // The server has seen what the README says of each command.
    let counters = kit.qwen().counters();
    assert_eq!(counters.logins_ok, 1, "{done:?}");
    assert_eq!(counters.chats_ok, 1, "{done:?}");
    assert_eq!(counters.refresh_ok, 1, "{done:?}");
    assert_eq!(counters.violations, Vec::<String>::new());
    assert!(done.out.contains(r#""choices":"#), "{done:?}");
    let status = run("llm-auth status");
    assert!(status.err.contains("not signed in"), "{status:?}");

    let done = run(&others);
    assert_eq!(done.code, Some(0), "{done:?}");
    let tokens: Vec<&str> = done.out.lines().collect();
    let providers = [
        kit.openrouter(),
        kit.huggingface(),
        kit.poe(),
        kit.github(),
        kit.minimax(),
        kit.gemini(),
        kit.standard(),
    ];
    assert_eq!(tokens.len(), providers.len(), "{done:?}");
    for (provider, token) in providers.iter().zip(tokens) {
        assert!(provider.is_live_access(token), "{done:?}");
        let chat_url = provider.chat_url();
        if chat_url.ends_with("/chat/completions") {
            assert_eq!(chat(&chat_url, token), 200, "{chat_url}");
        }
        assert_eq!(provider.violations(), Vec::<String>::new());
    }
}

/// The shell's blocks of a page, without their fences.
fn shell_blocks(page: &str) -> impl Iterator<Item = &str> {
    let after = page.split("```sh\n").skip(1);
    after.filter_map(|rest| Some(rest.split_once("```")?.0))
}

/// The simulated providers as these flags start them, and the address that the flags name.
fn started(flags: &str) -> (Testkit, String) {
    let mut kit = Testkit::builder();
    let mut address = None;
    let words: Vec<&str> = flags.split_whitespace().collect();
    for pair in words.chunks(2) {
        match pair {
            ["--approve", "auto"] => kit = kit.approval(Approval::Auto),
            ["--port", port] => address = Some(format!("127.0.0.1:{port}")),
            other => panic!("teach this test {other:?}"),
        }
    }
    (kit.start_blocking().unwrap(), address.unwrap())
}

/// Puts the command there, which trusts nothing that this computer's user trusts.
fn installed(home: &Path, place: &Path) {
    let built = command(home, &[]);
    let words = std::iter::once(built.get_program()).chain(built.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
    program(place, &format!("exec {} \"$@\"", words.join(" ")));
}

fn program(place: &Path, script: &str) {
    fs::write(place, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
}
