//! Variables of a stranger (a project's `.env`) take no credential of the user elsewhere.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::command::trusted_settings;

use crate::support::done::Done;

use crate::support::session_file::read;

use crate::support::user::User;

const VENDORS: [&str; 3] = ["qwen", "minimax", "gemini"];

/// Those that say where a stored session is sent.
const FOR_SESSIONS: [&str; 4] = [
    "BASE_URL",
    "TOKEN_ENDPOINT",
    "REVOCATION_ENDPOINT",
    "USERINFO_ENDPOINT",
];

/// Those that only a sign-in asks.
const FOR_SIGN_INS: [&str; 2] = ["AUTHORIZATION_ENDPOINT", "DEVICE_AUTHORIZATION_ENDPOINT"];

/// The server of a stranger: it refuses everything, and keeps every byte that it is sent.
struct Stranger {
    host: String,
    listening: JoinHandle<String>,
}

const END: &str = "the end of the test";

impl Stranger {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let listening = std::thread::spawn(move || {
            let mut seen = String::new();
            for stream in listener.incoming() {
                let said = heard(&mut stream.unwrap());
                if said == END {
                    break;
                }
                seen.push_str(&said);
            }
            seen
        });
        Self { host, listening }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// Everything that it was sent.
    fn seen(self) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.write_all(END.as_bytes()).unwrap();
        drop(stream);
        self.listening.join().unwrap()
    }
}

/// One request, or what there is of it.
fn heard(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        said.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&said).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
                               Content-Length: 27\r\nConnection: close\r\n\r\n\
                               {\"error\":\"invalid_request\"}\n";
                let _gone = stream.write_all(refusal.as_bytes());
                break;
            }
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn finish(command: &mut Command) -> Done {
    command.output().unwrap().into()
}

fn variable(vendor: &str, last: &str) -> String {
    format!("LLM_AUTH_{}_{last}", vendor.to_ascii_uppercase())
}

/// What a session and its user have that is private.
fn secrets(user: &User, file: &Path) -> Vec<String> {
    let stored = read(file);
    let mut secrets = vec![user.kit.client_secret().to_owned()];
    for member in ["access", "refresh"] {
        secrets.push(stored[member].as_str().unwrap().to_owned());
    }
    secrets
}

fn says_no_secret(said: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!said.contains(secret.as_str()), "{secret} is in {said}");
    }
}

/// Whether a vendor has this endpoint, so that its variable means anything.
fn has(vendor: &str, last: &str) -> bool {
    match last {
        "USERINFO_ENDPOINT" => vendor == "gemini",
        "REVOCATION_ENDPOINT" => vendor != "qwen",
        _ => true,
    }
}

fn set(command: &mut Command, vendor: &str, names: &[&str], stranger: &Stranger) {
    for last in names {
        let path = if *last == "BASE_URL" { "" } else { "/x" };
        command.env(variable(vendor, last), stranger.url(path));
    }
}

const COMMANDS: [&[&str]; 5] = [
    &["token"],
    &["token", "--json"],
    &["token", "--force-refresh"],
    &["exec", "--api-base-env", "BASE"],
    &["logout"],
];

/// The words of a command about a vendor.
fn words<'a>(command: &[&'a str], vendor: &'a str) -> Vec<&'a str> {
    let mut words = vec![command[0], vendor];
    words.extend(&command[1..]);
    if command[0] == "exec" {
        words.extend(["--", "/bin/true"]);
    }
    words
}

#[test]
fn a_stored_session_goes_to_no_server_that_the_environment_names() {
    for vendor in VENDORS {
        for expired in [true, false] {
            let (user, stranger) = (User::new(), Stranger::new());
            user.sign_in(&[vendor]);
            if expired {
                user.expire(vendor);
            }
            let file = user.file(vendor, "default");
            let before = fs::read(&file).unwrap();
            let every = [&FOR_SESSIONS[..], &FOR_SIGN_INS].concat();
            let alone = FOR_SESSIONS.iter().filter(|last| has(vendor, last));
            let mut sets: Vec<Vec<&str>> = alone.map(|last| vec![*last]).collect();
            sets.push(every);
            for names in &sets {
                for command in COMMANDS {
                    let mut command = user.command(&words(command, vendor));
                    set(&mut command, vendor, names, &stranger);
                    let done = finish(&mut command);
                    done.assert_failed(1, &stranger.host);
                    let kit = user.kit.base_url().trim_start_matches("http://");
                    let flag = format!("add --trust-endpoint {}, or", stranger.host);
                    for said in [kit, &variable(vendor, names[0]), &flag] {
                        assert!(done.err.contains(said), "{said}: {done:?}");
                    }
                }
                let mut command = user.command(&["status", vendor]);
                set(&mut command, vendor, names, &stranger);
                let done = finish(&mut command);
                assert_eq!(done.code, Some(0), "{done:?}");
                assert!(done.out.contains("nothing of it was sent"), "{done:?}");
                assert!(done.out.contains(&stranger.host), "{done:?}");
            }
            assert_eq!(fs::read(&file).unwrap(), before, "{vendor}");
            assert_eq!(stranger.seen(), "", "{vendor}");
        }
    }
}

#[test]
fn what_only_a_sign_in_asks_does_not_stop_a_session() {
    for vendor in VENDORS {
        let (user, stranger) = (User::new(), Stranger::new());
        user.sign_in(&[vendor]);
        user.expire(vendor);
        let mut command = user.command(&["token", vendor]);
        set(&mut command, vendor, &FOR_SIGN_INS, &stranger);
        assert_eq!(finish(&mut command).code, Some(0), "{vendor}");
        assert_eq!(stranger.seen(), "");
    }
}

#[test]
fn a_session_that_records_no_server_is_the_vendor_s_until_a_flag_of_the_call_says_otherwise() {
    for (vendor, own) in [
        ("qwen", "chat.qwen.ai"),
        ("minimax", "account.minimax.io"),
        ("gemini", "oauth2.googleapis.com"),
    ] {
        let user = User::new();
        user.sign_in(&[vendor]);
        user.expire(vendor);
        let file = user.file(vendor, "default");
        let mut session = read(&file);
        let kit = user.kit.base_url();
        assert_eq!(session["llm_auth"]["server"], kit);
        session["llm_auth"]
            .as_object_mut()
            .unwrap()
            .remove("server");
        fs::write(&file, session.to_string()).unwrap();
        // From here on nothing is trusted but by flags.
        user.trust(&[]);
        let done = user.run(&["token", vendor]);
        done.assert_failed(1, own);
        assert!(
            done.err.contains(kit.trim_start_matches("http://")),
            "{done:?}"
        );
        let elsewhere = ["token", vendor, "--trust-endpoint", "relay.example"];
        user.run(&elsewhere).assert_failed(1, own);
        assert_eq!(fs::read(&file).unwrap(), session.to_string().as_bytes());
        let done = user.run(&["token", vendor, "--trust-endpoint", kit]);
        assert_eq!(done.code, Some(0), "{done:?}");
        // It has answered, so it is recorded, and the next call needs no flag.
        assert_eq!(read(&file)["llm_auth"]["server"], kit);
        let done = user.run(&["token", vendor, "--force-refresh"]);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

#[test]
fn a_session_of_an_older_version_with_host_and_port_alone_goes_on() {
    for vendor in VENDORS {
        let user = User::with_expired_session(vendor);
        user.trust(&[]);
        let file = user.file(vendor, "default");
        let mut session = read(&file);
        let kit = user.kit.base_url();
        session["llm_auth"]["server"] = kit.trim_start_matches("http://").into();
        fs::write(&file, session.to_string()).unwrap();
        let done = user.run(&["token", vendor]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(read(&file)["llm_auth"]["server"], kit);
    }
}

#[test]
fn the_user_s_own_settings_may_trust_a_server_and_those_of_a_moved_home_may_not() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let mut session = read(&file);
    session["expires"] = 1000.into();
    session["llm_auth"]
        .as_object_mut()
        .unwrap()
        .remove("server");
    fs::write(&file, session.to_string()).unwrap();
    user.trust(&[]);
    let moved = user.directory.path().join("home/settings.json");
    let kit = user.kit.base_url();
    let trusting = json!({ "trusted_endpoints": [kit] }).to_string();
    fs::write(&moved, &trusting).unwrap();
    user.run(&["token", "qwen"])
        .assert_failed(1, "chat.qwen.ai");
    for bad in [json!({"a": 1}), json!([1]), json!(["a b"]), json!("x")] {
        let own = trusted_settings(user.directory.path()).join("settings.json");
        fs::write(own, json!({ "trusted_endpoints": bad }).to_string()).unwrap();
        let done = user.run(&["token", "qwen"]);
        done.assert_failed(1, "trusted_endpoints");
        assert!(done.err.contains("127.0.0.1:4000"), "{done:?}");
        assert!(!done.err.contains("--account"), "{done:?}");
    }
    user.trust(&[kit]);
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
}

#[test]
fn no_directory_that_the_environment_names_can_trust_a_server() {
    let (user, stranger) = (User::new(), Stranger::new());
    user.sign_in(&["qwen"]);
    user.expire("qwen");
    let planted = user.directory.path().join("planted");
    let trusting = json!({ "trusted_endpoints": [stranger.host, user.kit.base_url()] }).to_string();
    for place in [
        "llm-auth",
        ".local/share/llm-auth",
        "Library/Application Support/llm-auth",
        "",
    ] {
        let home = planted.join(place);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("settings.json"), &trusting).unwrap();
    }
    for variables in [
        &["HOME"][..],
        &["XDG_DATA_HOME"],
        &["LLM_AUTH_HOME"],
        &["HOME", "XDG_DATA_HOME"],
        &["USER", "LOGNAME", "HOME", "XDG_CONFIG_HOME"],
    ] {
        // Without the word of the call that the other tests begin with.
        let usual = user.command(&["token", "qwen"]);
        let mut command = Command::new(usual.get_program());
        command
            .args(usual.get_args().skip(2))
            .env_clear()
            .envs(
                usual
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .arg("--store")
            .arg(user.file("qwen", "default"));
        for variable in variables {
            command.env(variable, &planted);
        }
        set(&mut command, "qwen", &["BASE_URL"], &stranger);
        let done = finish(&mut command);
        assert_eq!(done.code, Some(1), "{variables:?}: {done:?}");
        assert!(!done.err.contains("planted"), "{done:?}");
    }
    assert_eq!(stranger.seen(), "");
}

#[test]
fn what_is_no_host_cannot_be_trusted() {
    let user = User::new();
    for bad in ["", "*", "a b", "https://a/b", "u@a", "http://a.example"] {
        let done = user.run(&["token", "qwen", "--trust-endpoint", bad]);
        assert_eq!(done.code, Some(2), "{bad}: {done:?}");
    }
}

#[test]
fn a_sign_in_that_goes_elsewhere_says_so_and_takes_nothing_along() {
    for vendor in ["qwen", "minimax"] {
        let (user, stranger) = (User::new(), Stranger::new());
        user.sign_in(&[vendor]);
        let file = user.file(vendor, "default");
        let (before, secrets) = (fs::read(&file).unwrap(), secrets(&user, &file));
        let mut command = user.command(&["login", vendor, "--json"]);
        let every = [&FOR_SESSIONS[..], &FOR_SIGN_INS].concat();
        set(&mut command, vendor, &every, &stranger);
        let done = finish(&mut command);
        assert_eq!(done.code, Some(1), "{done:?}");
        let lines = done.err.lines();
        let said = lines
            .filter(|line| line.contains("own servers but to"))
            .count();
        assert_eq!(said, 1, "{done:?}");
        let event = &done.events()[0];
        assert_eq!(event["event"], "foreign_endpoints");
        let shown = event["endpoints"][0]["endpoint"].as_str().unwrap();
        assert_eq!(shown, stranger.url("/x"));
        assert_eq!(fs::read(&file).unwrap(), before);
        let seen = stranger.seen();
        assert!(seen.starts_with("POST /x"), "it is a new sign-in: {seen}");
        says_no_secret(&seen, &secrets);
    }
}

#[test]
fn what_one_server_issues_in_a_sign_in_is_not_handed_to_another() {
    for (vendor, last) in [
        ("qwen", "TOKEN_ENDPOINT"),
        ("minimax", "TOKEN_ENDPOINT"),
        ("gemini", "TOKEN_ENDPOINT"),
        ("gemini", "USERINFO_ENDPOINT"),
    ] {
        let (user, stranger) = (User::new(), Stranger::new());
        let mut command = user.command(&["login", vendor]);
        set(&mut command, vendor, &[last], &stranger);
        let done = finish(&mut command);
        done.assert_failed(1, &stranger.host);
        let flag = format!("add --trust-endpoint {}, or", stranger.host);
        assert!(done.err.contains(&flag), "{done:?}");
        let kit = user.kit.base_url().trim_start_matches("http://");
        let home = [kit, "oauth2.googleapis.com"];
        assert!(home.iter().any(|home| done.err.contains(home)), "{done:?}");
        assert_eq!(user.kit.qwen().counters().device_requests, 0);
        assert_eq!(user.kit.minimax().counters().device_requests, 0);
        assert_eq!(stranger.seen(), "");
    }
}

#[test]
fn the_secret_of_the_user_s_client_goes_to_the_vendor_alone() {
    let (user, stranger) = (User::new(), Stranger::new());
    let client = user.directory.path().join("client_secret.json");
    fs::write(&client, user.kit.client_secret_json()).unwrap();
    let with_file = ["login", "gemini", "--client-file", client.to_str().unwrap()];
    for args in [&["login", "gemini"][..], &with_file] {
        for names in [
            &["BASE_URL"][..],
            &["TOKEN_ENDPOINT", "AUTHORIZATION_ENDPOINT"],
        ] {
            let mut command = user.command(args);
            set(&mut command, "gemini", names, &stranger);
            let done = finish(&mut command);
            done.assert_failed(1, &stranger.host);
            let flag = format!("add --trust-endpoint {}, or", stranger.host);
            assert!(done.err.contains(&flag), "{done:?}");
            assert!(done.err.contains("oauth2.googleapis.com"), "{done:?}");
        }
    }
    // A home of the stranger, with a session that claims to be of the stranger's server and that
    // names no client.
    let home = user.directory.path().join("stranger");
    fs::create_dir_all(home.join("sessions/gemini")).unwrap();
    let session = json!({
        "access": "made-up", "refresh": "made-up", "expires": 1,
        "llm_auth": {"provider": "gemini", "server": stranger.url("")},
    });
    fs::write(
        home.join("sessions/gemini/default.json"),
        session.to_string(),
    )
    .unwrap();
    let trusting = json!({ "trusted_endpoints": [stranger.host] }).to_string();
    fs::write(home.join("settings.json"), trusting).unwrap();
    let file = ["--client-file", client.to_str().unwrap()];
    for args in [
        &["token", "gemini"][..],
        &[&["token", "gemini"], &file[..]].concat(),
    ] {
        let mut command = user.command(args);
        set(&mut command, "gemini", &["BASE_URL"], &stranger);
        let done = finish(command.env("LLM_AUTH_HOME", &home));
        assert_eq!(done.code, Some(1), "{done:?}");
    }
    let seen = stranger.seen();
    assert_eq!(seen, "");
}

#[test]
fn a_session_that_is_taken_over_is_the_vendor_s_whatever_the_environment_says() {
    let (user, stranger) = (User::new(), Stranger::new());
    let file = user.directory.path().join("session.json");
    let tokens = json!({"access": "made-up", "refresh": "made-up-refresh", "expires": 1});
    fs::write(&file, tokens.to_string()).unwrap();
    let file = file.to_str().unwrap();
    for (vendor, own) in [
        ("qwen", "https://chat.qwen.ai"),
        ("minimax", "https://account.minimax.io"),
    ] {
        let import_session = ["import", "gochat", "--take-over", "--vendor", vendor];
        let mut command = user.command(&[&import_session[..], &["--file", file]].concat());
        set(&mut command, vendor, &FOR_SESSIONS, &stranger);
        let done = finish(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        let stored = read(&user.file(vendor, "default"));
        assert_eq!(stored["llm_auth"]["server"], own);
        let mut command = user.command(&["token", vendor]);
        set(&mut command, vendor, &FOR_SESSIONS, &stranger);
        finish(&mut command).assert_failed(1, &stranger.host);
    }
    assert_eq!(stranger.seen(), "");
}

#[test]
fn a_proxy_sees_the_name_of_the_vendor_s_host_and_no_more() {
    for (vendor, own) in [
        ("qwen", "chat.qwen.ai"),
        ("minimax", "account.minimax.io"),
        ("gemini", "oauth2.googleapis.com"),
    ] {
        for name in ["HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            let (user, stranger) = (User::with_expired_session(vendor), Stranger::new());
            let file = user.file(vendor, "default");
            // At the simulated vendor on this computer no proxy is asked.
            let mut command = user.command(&["token", vendor]);
            let done = finish(command.env(name, stranger.url("")));
            assert_eq!(done.code, Some(0), "{done:?}");
            user.expire(vendor);
            let secrets = secrets(&user, &file);
            let mut session = read(&file);
            session["llm_auth"]
                .as_object_mut()
                .unwrap()
                .remove("server");
            fs::write(&file, session.to_string()).unwrap();
            let mut command = user.command(&["logout", vendor, "--timeout", "5"]);
            if vendor != "gemini" {
                command = user.command(&["token", vendor, "--timeout", "5"]);
            }
            command.env_remove(variable(vendor, "BASE_URL"));
            let done = finish(command.env(name, stranger.url("")));
            assert!(done.err.contains(own) || vendor == "gemini", "{done:?}");
            let seen = stranger.seen();
            assert!(seen.starts_with(&format!("CONNECT {own}:443")), "{seen}");
            says_no_secret(&seen, &secrets);
        }
    }
}

#[test]
fn status_shows_the_api_of_each_session() {
    for vendor in VENDORS {
        let user = User::new();
        user.sign_in(&[vendor]);
        let done = user.run(&["status", vendor]);
        let api = done
            .out
            .lines()
            .find(|line| line.trim_start().starts_with("API"));
        assert!(
            api.is_some_and(|line| line.contains(user.kit.base_url())),
            "{done:?}"
        );
        let status = user.run(&["status", vendor, "--json"]).json();
        assert_eq!(status["sessions"][0]["endpoints_refused"], Value::Null);
    }
}
