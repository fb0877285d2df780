//! Signing in over SSH, without a display, and with a browser of one's own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use llm_auth_testkit::Approval;

use crate::support::browser::{browse, final_url, parameter, with_browser};
use crate::support::from_afar::FromAfar;
use crate::support::user::User;

#[test]
fn over_ssh_the_final_url_is_pasted_without_a_flag() {
    let user = User::new();
    let mut login = FromAfar::begin(&user, "gemini");
    assert!(
        login.printed.contains("connected over SSH"),
        "{}",
        login.printed
    );
    let tunnel = login
        .printed
        .lines()
        .find(|line| line.starts_with("ssh -N -L "));
    assert!(tunnel.unwrap().ends_with(" mia@192.0.2.4"), "{tunnel:?}");
    let end = final_url(&login.url);
    login.paste(&end);
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains(&parameter(&end, "code")), "{done:?}");
    assert!(user.stored("gemini")["refresh"].is_string());
    assert_eq!(user.kit.gemini().violations(), Vec::<String>::new());
}

#[test]
fn over_ssh_the_callback_through_a_forwarded_port_is_as_good() {
    let user = User::new();
    let login = FromAfar::begin(&user, "gemini");
    let end = final_url(&login.url);
    let rest = end.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
    // A tunnel to `localhost` may end at the other family than the redirect URI names.
    let tunnel = TcpStream::connect(("::1", port)).or_else(|_| TcpStream::connect(host));
    let mut tunnel = tunnel.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    tunnel.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    tunnel.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn the_code_alone_is_enough_if_it_has_its_name() {
    let user = User::new();
    let mut login = FromAfar::begin(&user, "gemini");
    let code = parameter(&final_url(&login.url), "code");
    login.paste(&format!("code={code}"));
    assert_eq!(login.end().code, Some(0));
}

#[test]
fn a_line_of_a_pipe_without_a_parameter_name_is_not_sent_to_the_provider() {
    let user = User::new();
    let mut login = FromAfar::begin(&user, "gemini");
    let end = final_url(&login.url);
    for line in [
        &parameter(&end, "code"),
        "made-up-password-of-another-program",
        "sk-made-up-0123456789abcdef",
        "export code=made-up-0123456789abcdef",
        "{\"code\":\"made-up-0123456789abcdef\"}",
    ] {
        login.paste(line);
    }
    login.paste(&end);
    assert_eq!(login.end().code, Some(0));
    assert_eq!(user.kit.gemini().counters().exchanges, 1);
}

#[test]
fn a_final_url_with_an_unknown_code_does_not_end_the_sign_in() {
    let user = User::new();
    let mut login = FromAfar::begin(&user, "gemini");
    let end = final_url(&login.url);
    let state = parameter(&end, "state");
    login.paste(&format!("code=forged-code&state={state}"));
    login.paste(&end);
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("invalid_grant"), "{done:?}");
    assert!(!done.err.contains("forged-code"), "{done:?}");
}

#[test]
fn a_mistaken_or_forged_paste_does_no_harm() {
    let user = User::new();
    let mut login = FromAfar::begin(&user, "gemini");
    let end = final_url(&login.url);
    let state = parameter(&end, "state");
    let code = parameter(&end, "code");
    login.paste("");
    login.paste("what?");
    login.paste(&login.url.clone());
    login.paste(&end.replace(&state, "forged-state"));
    login.paste(&end.replace("/oauth2callback", "/elsewhere"));
    login.paste(&end.replace("state=", "no="));
    login.paste(&end);
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        done.err.matches("the sign-in continues").count(),
        4,
        "{done:?}"
    );
    assert!(
        !done.err.contains(&code) && !done.err.contains("forged"),
        "{done:?}"
    );
    assert_eq!(user.kit.gemini().counters().exchanges, 1);
}

#[test]
fn a_flood_of_unrelated_requests_is_counted_and_not_printed_one_by_one() {
    let user = User::new();
    let args = ["login", "gemini", "--json"];
    let done = with_browser(user.start(&args), |event| {
        let redirect = event["redirect_uri"].as_str().unwrap();
        for _ in 0..100 {
            browse(&format!("{redirect}?state=forged"));
        }
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    let events = done.events();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(named("ignored"), 8, "{done:?}");
    let dropped: u64 = events
        .iter()
        .filter(|event| event["event"] == "ignored_more")
        .map(|event| event["dropped"].as_u64().unwrap())
        .sum();
    assert!((1..=92).contains(&dropped), "{dropped}");
}

#[test]
fn the_default_times_are_in_the_help_and_the_end_of_a_wait_names_the_flag() {
    let user = User::with(Approval::Manual);
    let help = user.run(&["login", "--help"]).out;
    assert!(help.contains("default: 300 in the browser"), "{help}");
    let done = user.run(&["login", "gemini", "--timeout", "0.2"]);
    done.assert_failed(5, "in time");
    assert!(
        done.err.contains("--timeout SECONDS allows more time"),
        "{done:?}"
    );
    let done = user.run(&["login", "qwen", "--timeout", "0.2"]);
    done.assert_failed(5, "was not approved");
    assert!(done.err.contains("--timeout"), "{done:?}");
}

#[test]
fn json_reports_that_the_response_was_received() {
    let user = User::new();
    let done = user.sign_in_with_browser(&["login", "gemini", "--json"]);
    let names: Vec<_> = done
        .events()
        .iter()
        .map(|event| event["event"].clone())
        .collect();
    assert!(names.contains(&"answered".into()), "{names:?}");
}

#[test]
fn after_a_long_wait_a_hint_is_printed_once() {
    let user = User::with(Approval::Manual);
    let done = user.run(&["login", "qwen", "--timeout", "3"]);
    assert_eq!(done.code, Some(5), "{done:?}");
    assert_eq!(done.err.matches("No response yet.").count(), 1, "{done:?}");
}
