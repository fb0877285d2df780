//! Every help text and the messages of common situations, word by word, so that a change of words
//! is seen and wanted. `LLM_AUTH_GOLDEN=write` writes the files again.

use std::fmt::Write as _;
use std::path::Path;

use llm_auth_testkit::{Fault, Operation};
use serde_json::json;

use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn every_help_text_is_the_one_that_is_wanted() {
    let user = User::new();
    let mut text = help(&user, &[]);
    let names: Vec<String> = commands(&text).map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        text.push_str(&help(&user, &[name]));
    }
    compare("help.txt", &text);
}

#[test]
fn the_messages_of_common_situations_are_the_ones_that_are_wanted() {
    let user = User::new();
    let mut story = Story::of(&user);
    story.chapter("No account");
    for args in [
        &["status"][..],
        &["accounts"],
        &["token", "qwen"],
        &["token", "qwen", "--json"],
        &["exec", "qwen", "--", "true"],
        &["logout", "qwen"],
        &["switch", "qwen", "work"],
        &["token", "nosuch"],
        &["login", "gemini", "--region", "cn"],
    ] {
        story.run(args);
    }
    story.chapter("Signed in");
    user.sign_in(&["qwen"]);
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["accounts"],
        &["token", "qwen", "--json"],
        &["exec", "qwen", "--", "no-such-program"],
        &["exec", "qwen", "--env", "LD_PRELOAD", "--", "true"],
        &["token", "qwen", "--account", "work"],
        &["token", "qwen", "--min-validity", "864000"],
    ] {
        story.run(args);
    }
    story.chapter("The server does not do what is asked");
    for (name, fault) in [
        ("503", Fault::response(503, "{}")),
        (
            "429",
            Fault::response(429, "{}").header("Retry-After", "30"),
        ),
        (
            "a web page",
            Fault::response(200, "<html></html>").header("Content-Type", "text/html"),
        ),
        (
            "invalid_client",
            Fault::response(400, r#"{"error":"invalid_client"}"#),
        ),
        ("no JSON", Fault::response(200, "{")),
    ] {
        let user = User::with_expired_session("qwen");
        for _ in 0..5 {
            user.kit.qwen().fault(Operation::Token, fault.clone());
        }
        story.with(
            &user,
            &format!("The token endpoint returns {name}"),
            &["token", "qwen"],
        );
    }
    let user = User::with_expired_session("qwen");
    let refused = Fault::response(
        400,
        r#"{"error":"invalid_grant","error_description":"over"}"#,
    );
    user.kit.qwen().fault(Operation::Token, refused);
    story.with(&user, "The refresh token is rejected", &["token", "qwen"]);
    story.with(&user, "and once more", &["status"]);
    story.chapter("Files and variables that make no sense");
    let user = User::new();
    let file = user.file("qwen", "default");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "{").unwrap();
    story.with(&user, "A corrupt session", &["token", "qwen"]);
    story.with(&user, "A corrupt session", &["status"]);
    let session = json!({"access": "made-up", "refresh": "made-up", "expires": 1});
    std::fs::write(&file, session.to_string()).unwrap();
    for (name, value) in [
        ("LLM_AUTH_QWEN_BASE_URL", "https://evil.example"),
        ("LLM_AUTH_QWEN_TOKEN_ENDPOINT", "http://evil.example"),
        ("HTTPS_PROXY", "garbage://proxy.example"),
        ("LLM_AUTH_CA_FILE", "/nowhere/ca.pem"),
    ] {
        let output = user.command(&["token", "qwen"]).env(name, value).output();
        story.note(
            &user,
            &format!("{name}={value} llm-auth token qwen"),
            &output.unwrap().into(),
        );
    }
    compare("messages.txt", &story.text);
}

fn help(user: &User, command: &[&str]) -> String {
    let done = user.run(&[command, &["--help"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    format!("$ llm-auth {} --help\n{}\n", command.join(" "), done.out)
}

/// The names below "Commands:".
fn commands(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
}

/// What was run, and what it printed, without what differs from run to run.
struct Story<'a> {
    user: &'a User,
    text: String,
}

impl<'a> Story<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            user,
            text: String::new(),
        }
    }

    fn chapter(&mut self, title: &str) {
        writeln!(self.text, "# {title}\n").unwrap();
    }

    fn run(&mut self, args: &[&str]) {
        let (user, line) = (self.user, format!("llm-auth {}", args.join(" ")));
        self.note(user, &line, &user.run(args));
    }

    fn with(&mut self, user: &User, title: &str, args: &[&str]) {
        let line = format!("llm-auth {}    # {title}", args.join(" "));
        self.note(user, &line, &user.run(args));
    }

    fn note(&mut self, user: &User, line: &str, done: &Done) {
        let code = done.code.unwrap();
        let printed = plain(user, &format!("{}{}", done.out, done.err));
        writeln!(self.text, "$ {line}\n{printed}[exit {code}]\n").unwrap();
    }
}

/// Without paths, ports, times, long numbers and random values.
fn plain(user: &User, text: &str) -> String {
    const ENDS: [char; 6] = [' ', '\n', ',', ';', '"', '}'];
    let host = user.kit.base_url().replace("http://", "");
    let home = user.directory.path().display().to_string();
    let text = text.replace(&home, "/home/mia");
    let text = text.replace(&host, "127.0.0.1:PORT");
    text.split_inclusive(ENDS)
        .map(|word| {
            let bare = word.trim_end_matches(ENDS);
            let end = &word[bare.len()..];
            let has_digit = bare.chars().any(|letter| letter.is_ascii_digit());
            let is_of = |others: &str| {
                let fits = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
                has_digit && bare.chars().all(fits)
            };
            let is_time = bare.starts_with("20") && bare.contains('T') && is_of(":-.");
            if is_time {
                return format!("TIME{end}");
            }
            if bare.len() > 20 && is_of("-_.") {
                return format!("RANDOM{end}");
            }
            format!("{}{end}", without_numbers(bare))
        })
        .collect()
}

/// Without numbers of four digits and more.
fn without_numbers(word: &str) -> String {
    let mut plain = String::new();
    let mut digits = String::new();
    for letter in word.chars().map(Some).chain([None]) {
        match letter {
            Some(digit) if digit.is_ascii_digit() => digits.push(digit),
            other => {
                plain.push_str(if digits.len() > 3 { "N" } else { &digits });
                digits.clear();
                plain.extend(other);
            }
        }
    }
    plain
}

fn compare(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("LLM_AUTH_GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = wanted
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        wanted == text,
        "{} differs, first at {differs:?}; if the new words are wanted, run the test with \
         LLM_AUTH_GOLDEN=write",
        file.display()
    );
}
