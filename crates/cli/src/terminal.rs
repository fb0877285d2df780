//! What a person, or a program with `--json`, sees of a sign-in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use llm_auth_core::{DeviceAuthorization, LoginEvent, UserPrompt};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::browser;
use crate::exit::{Failure, kind_name};
use crate::output::{self, VERSION};
use crate::time::length;

/// How often the time that is left is told.
const REMINDER: Duration = Duration::from_secs(60);
/// The same when the end is near.
const LAST_REMINDERS: Duration = Duration::from_secs(20);

/// Prints a sign-in: plain lines for a person, JSON lines for a program.
#[derive(Debug)]
pub(crate) struct Terminal {
    json: bool,
    browser: bool,
    line: fn(&str),
    last_told: Mutex<Option<Duration>>,
    cut_off: Mutex<Option<Failure>>,
    cut_off_now: Notify,
}

impl Terminal {
    /// `json` writes events to standard output too; `browser` opens the page where it can.
    pub(crate) fn new(json: bool, browser: bool) -> Self {
        Self {
            json,
            browser: browser && browser::is_likely(),
            ..Self::with_lines(output::say)
        }
    }

    /// The same lines on standard output, for a demonstration.
    pub(crate) fn on_stdout() -> Self {
        Self::with_lines(|line| {
            let _told_at_the_next_answer = output::answer(line);
        })
    }

    fn with_lines(line: fn(&str)) -> Self {
        Self {
            json: false,
            browser: false,
            line,
            last_told: Mutex::new(None),
            cut_off: Mutex::new(None),
            cut_off_now: Notify::new(),
        }
    }

    /// Waits until standard output cannot be written any more: nobody is left to sign in for.
    pub(crate) async fn cut_off(&self) -> Failure {
        loop {
            let failure = self
                .cut_off
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(failure) = failure {
                return failure;
            }
            self.cut_off_now.notified().await;
        }
    }

    fn say(&self, line: &str) {
        (self.line)(line);
    }

    fn event(&self, name: &str, mut fields: Value) {
        if !self.json {
            return;
        }
        fields["v"] = VERSION.into();
        fields["event"] = name.into();
        if let Err(failure) = output::json(&fields) {
            *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            self.cut_off_now.notify_one();
        }
    }

    fn show_device(&self, device: &DeviceAuthorization) {
        self.event(
            "device_code",
            json!({
                "user_code": device.user_code,
                "verification_uri": device.verification_uri,
                "verification_uri_complete": device.verification_uri_complete,
                "url": device.best_uri(),
                "expires_in_seconds": device.expires_in.as_secs(),
                "interval_seconds": device.interval.map(|interval| interval.as_secs_f64()),
            }),
        );
        self.say("Open this page in a browser:");
        self.say("");
        self.say(device.best_uri());
        self.say("");
        let code = &device.user_code;
        if device.verification_uri_complete.is_some() {
            self.say(&format!(
                "It must show the code {code}; approve it only then."
            ));
            let page = &device.verification_uri;
            self.say(&format!("Or go to {page} and enter the code {code} there."));
        } else {
            self.say(&format!("Enter or compare the code {code} there."));
        }
        self.open(device.best_uri());
    }

    fn show_authorization(&self, url: &str, redirect_uri: &str, expires_in: Duration) {
        self.event(
            "authorization_url",
            json!({
                "url": url,
                "redirect_uri": redirect_uri,
                "expires_in_seconds": expires_in.as_secs(),
            }),
        );
        self.say("Open this page in a browser on this computer:");
        self.say("");
        self.say(url);
        self.say("");
        self.say(&format!("The answer comes back to {redirect_uri}."));
        if let Some(port) = port_of(redirect_uri).filter(|_| browser::is_remote()) {
            self.say(&format!(
                "Your browser is elsewhere? Let it through first: ssh -L {port}:127.0.0.1:{port} ..."
            ));
        }
        self.open(url);
        self.remind(expires_in);
    }

    fn open(&self, url: &str) {
        if !self.browser {
            return;
        }
        self.say(if browser::open(url) {
            "Your browser is asked to open it."
        } else {
            "No browser could be opened: please do it yourself."
        });
    }

    /// Tells the time that is left, now and then.
    fn remind(&self, left: Duration) {
        let mut last = self
            .last_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let pause = if left <= REMINDER {
            LAST_REMINDERS
        } else {
            REMINDER
        };
        if last.is_none_or(|told| told.saturating_sub(left) >= pause) {
            *last = Some(left);
            let left = length(Duration::from_secs(rounded(left)));
            self.say(&format!("Waiting for you; {left} left."));
        }
    }
}

/// Whole seconds, rounded up: the first reminder comes a moment after the code, and says
/// "30 minutes", not "29".
fn rounded(left: Duration) -> u64 {
    left.saturating_add(Duration::from_millis(999)).as_secs()
}

/// The port of an IPv4 loopback address.
fn port_of(redirect_uri: &str) -> Option<u16> {
    let rest = redirect_uri.strip_prefix("http://127.0.0.1:")?;
    rest.split('/').next()?.parse().ok()
}

impl UserPrompt for Terminal {
    fn notify(&self, event: &LoginEvent<'_>) {
        match event {
            LoginEvent::DeviceCode { device, .. } => self.show_device(device),
            LoginEvent::AuthorizationUrl {
                url,
                redirect_uri,
                expires_in,
                ..
            } => self.show_authorization(url, redirect_uri, *expires_in),
            LoginEvent::Waiting { left, .. } => {
                self.event("waiting", json!({"left_seconds": rounded(*left)}));
                self.remind(*left);
            }
            LoginEvent::SlowedDown { interval, .. } => {
                let seconds = interval.as_secs_f64();
                self.event("slowed_down", json!({"interval_seconds": seconds}));
                self.say(&format!(
                    "The vendor wants fewer questions: one every {} from now on.",
                    length(*interval)
                ));
            }
            LoginEvent::Trouble { error, .. } => {
                let message = crate::exit::chain(error);
                let kind = kind_name(error.kind());
                self.event("trouble", json!({"kind": kind, "message": message}));
                self.say(&format!("{message}; the sign-in goes on."));
            }
            LoginEvent::Ignored { why, .. } => {
                self.event("ignored", json!({"why": why}));
                self.say(&format!(
                    "Something that is not the answer came to this computer ({why}); the sign-in \
                     goes on."
                ));
            }
            _ => {}
        }
    }
}
