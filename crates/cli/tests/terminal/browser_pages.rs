//! From the authorization URL through the approval page to our last page, in a real browser.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout};

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::Value;

use crate::browser::tab::Tab;
use crate::support::done::Done;
use crate::support::user::User;

const APPROVE: &str = "button[value=approve]";
const DENY: &str = "button[value=deny]";

/// A sign-in that waits for the browser.
struct SignIn {
    child: Child,
    out: BufReader<ChildStdout>,
    first: Value,
}

impl SignIn {
    fn begin(user: &User, provider: &str) -> Self {
        let mut child = user.start(&["login", provider, "--no-browser", "--json"]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        Self {
            child,
            out,
            first: serde_json::from_str(&line).unwrap(),
        }
    }

    fn text(&self, name: &str) -> String {
        self.first[name].as_str().unwrap().to_owned()
    }

    fn end(mut self) -> Done {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let done = Done::from(self.child.wait_with_output().unwrap());
        Done {
            out: format!("{}\n{rest}", self.first),
            ..done
        }
    }
}

/// A user at the approval page, and the sign-in that waits for it.
fn at_the_approval_page(test: &str) -> Option<(User, SignIn, Tab)> {
    let tab = Tab::open(test)?;
    let user = User::with(Approval::Manual);
    let login = SignIn::begin(&user, "gemini");
    Some((user, login, tab))
}

/// What holds of every last page: it shows no secret, and the browser requested no other host.
fn nothing_is_left_behind(tab: &mut Tab, login: &SignIn) {
    let address = tab.address();
    assert_eq!(address, login.text("redirect_uri"));
    for entry in tab.history() {
        assert!(!entry.contains("code="), "{entry}");
    }
    for request in tab.requests() {
        let near = request.starts_with("http://127.0.0.1:") || request.starts_with("data:");
        assert!(near, "{request}");
    }
    assert_eq!(tab.complaints(), &[] as &[String]);
}

#[test]
fn approved() {
    let Some((user, login, mut tab)) = at_the_approval_page("approved") else {
        return;
    };
    assert!(tab.go(&login.text("url")));
    assert_eq!(tab.heading(), "Sign in to the simulated Google");
    tab.picture("approval");
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "Approved");
    nothing_is_left_behind(&mut tab, &login);
    assert_eq!(tab.value("document.documentElement.lang"), "en");
    assert_eq!(
        tab.value("document.querySelectorAll('main [role=status] h1').length"),
        1
    );
    tab.picture("done");
    tab.resize(360, 640);
    tab.picture("done-narrow");
    assert_eq!(
        tab.value("document.documentElement.scrollWidth <= innerWidth"),
        true
    );
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(user.stored("gemini")["refresh"].is_string());
}

#[test]
fn approved_in_the_dark_and_in_chinese() {
    let Some((_user, login, mut tab)) = at_the_approval_page("approved in the dark") else {
        return;
    };
    tab.dark();
    tab.speak("zh-CN,zh;q=0.9,en;q=0.8");
    assert!(tab.go(&login.text("url")));
    assert_eq!(tab.heading(), "Sign in to the simulated Google");
    tab.picture("approval-dark");
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "已授权");
    assert_eq!(tab.value("document.documentElement.lang"), "zh-Hans");
    let ground = tab.value("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(13, 17, 23)");
    nothing_is_left_behind(&mut tab, &login);
    tab.picture("done-dark-chinese");
    assert_eq!(login.end().code, Some(0));
}

#[test]
fn approved_without_scripts() {
    let Some((_user, login, mut tab)) = at_the_approval_page("without scripts") else {
        return;
    };
    tab.without_scripts();
    assert!(tab.go(&login.text("url")));
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "Approved");
    assert_eq!(login.end().code, Some(0));
}

#[test]
fn refused() {
    let Some((_user, login, mut tab)) = at_the_approval_page("refused") else {
        return;
    };
    assert!(tab.go(&login.text("url")));
    tab.press(DENY);
    assert_eq!(tab.heading(), "Not signed in");
    nothing_is_left_behind(&mut tab, &login);
    tab.picture("refused");
    let done = login.end();
    assert_eq!(done.code, Some(5), "{done:?}");
}

#[test]
fn another_state_ends_nothing_and_no_forged_code_is_redeemed() {
    let Some((user, login, mut tab)) = at_the_approval_page("another state") else {
        return;
    };
    let forged = format!(
        "{}?code=forged-code&state=forged-state",
        login.text("redirect_uri")
    );
    assert!(tab.go(&forged));
    assert_eq!(tab.heading(), "Nothing to do here");
    assert!(
        !tab.value("document.documentElement.innerHTML")
            .to_string()
            .contains("forged")
    );
    tab.picture("wrong-state");
    assert!(tab.go(&login.text("url")));
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "Approved");
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(user.kit.gemini().counters().exchanges, 1);
}

#[test]
fn an_exchange_that_fails_is_shown_in_the_browser_too() {
    let Some((user, login, mut tab)) = at_the_approval_page("something wrong") else {
        return;
    };
    user.kit
        .gemini()
        .fault(Operation::Exchange, Fault::response(503, "busy").times(9));
    tab.dark();
    assert!(tab.go(&login.text("url")));
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "Something went wrong");
    nothing_is_left_behind_but_a_refusal(&mut tab, &login);
    tab.picture("failed-dark");
    let done = login.end();
    assert_eq!(done.code, Some(4), "{done:?}");
}

fn nothing_is_left_behind_but_a_refusal(tab: &mut Tab, login: &SignIn) {
    assert_eq!(tab.address(), login.text("redirect_uri"));
    assert_eq!(
        tab.value("document.querySelectorAll('[role=alert]').length"),
        1
    );
}

#[test]
fn a_reload_redeems_nothing_again() {
    let Some((user, login, mut tab)) = at_the_approval_page("reload") else {
        return;
    };
    assert!(tab.go(&login.text("url")));
    tab.press(APPROVE);
    assert_eq!(login.end().code, Some(0));
    tab.reload();
    assert_eq!(user.kit.gemini().counters().exchanges, 1);
    for entry in tab.history() {
        assert!(!entry.contains("code="), "{entry}");
    }
}

#[test]
fn a_device_code_is_entered_compared_and_approved() {
    let Some(mut tab) = Tab::open("device code") else {
        return;
    };
    let user = User::with(Approval::Manual);
    let login = SignIn::begin(&user, "qwen");
    assert!(tab.go(&login.text("verification_uri")));
    tab.picture("device-code");
    tab.type_into("input[name=user_code]", &login.text("user_code"));
    tab.press("button");
    let shown = tab.value("document.querySelector('dd.code').textContent");
    assert_eq!(shown, login.text("user_code"));
    tab.picture("device-approval");
    tab.press(APPROVE);
    assert_eq!(tab.heading(), "Approved");
    assert_eq!(tab.complaints(), &[] as &[String]);
    let done = login.end();
    assert_eq!(done.code, Some(0), "{done:?}");
}
