//! What a person, or a program with `--json`, sees of a sign-in.

mod block;
mod paste;
mod qr;
mod screen;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use llm_auth_core::{DeviceAuthorization, LoginEvent, Secret, UserPrompt, async_trait};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, interval};

use self::block::{Room, WaysBack, wrapped};
use self::paste::Pastes;
use self::screen::Screen;
use crate::browser;
use crate::exit::{Failure, kind_name};
use crate::output::{self, VERSION};
use crate::place::{Opening, Place};
use crate::time::length;

/// How often the time that is left is told where no line changes by itself.
const REMINDER: Duration = Duration::from_secs(60);
/// The same when the end is near.
const LAST_REMINDERS: Duration = Duration::from_secs(20);
/// After this time of waiting it is said what to check.
const LONG: Duration = Duration::from_secs(90);

/// Shows a sign-in: a block with a line that counts down for a person, JSON lines for a program.
#[derive(Debug)]
pub(crate) struct Terminal {
    json: bool,
    place: Place,
    opening: Opening,
    /// A person or a program may paste; not in a demonstration.
    takes_pastes: bool,
    screen: Arc<Screen>,
    pastes: OnceLock<Option<Pastes>>,
    wait: Mutex<Wait>,
    cut_off: Mutex<Option<Failure>>,
    cut_off_now: Notify,
}

/// What is known of the waiting.
#[derive(Debug, Default)]
struct Wait {
    ends: Option<Instant>,
    began: Option<Instant>,
    last_told: Option<Duration>,
    /// What to check after a long time; taken when it is said.
    hint: Option<&'static str>,
    answered: bool,
}

impl Terminal {
    /// `json` writes events to standard output too; `wish` is what the flags say of a browser.
    pub(crate) fn new(json: bool, place: Place, wish: Option<bool>) -> Self {
        Self {
            json,
            opening: place.opening(wish),
            place,
            takes_pastes: true,
            ..Self::with_screen(Screen::stderr(output::say))
        }
    }

    /// Plain lines on standard output, for a demonstration.
    pub(crate) fn on_stdout() -> Self {
        Self::with_screen(Screen::lines(|line| {
            let _told_at_the_next_answer = output::answer(line);
        }))
    }

    fn with_screen(screen: Screen) -> Self {
        Self {
            json: false,
            // As at a desk: the demonstration speaks of no other place.
            place: Place {
                display: true,
                ..Place::default()
            },
            opening: Opening::Show(None),
            takes_pastes: false,
            screen: Arc::new(screen),
            pastes: OnceLock::new(),
            wait: Mutex::default(),
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

    /// Counts down as long as it is polled.
    pub(crate) async fn count_down(&self) -> std::convert::Infallible {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            self.hint_after_long();
            self.draw_status();
        }
    }

    /// Tells something about the sign-in.
    pub(crate) fn say(&self, text: &str) {
        for line in wrapped(text, Room::of(&self.screen).width) {
            self.screen.line(&line);
        }
    }

    /// Takes the changing line away, before somebody else writes.
    pub(crate) fn clear(&self) {
        self.screen.clear_status();
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
        self.say_why_not_opened();
        let room = Room::of(&self.screen);
        let strong = |text: &str| self.screen.strong(text);
        for line in block::device(device, room, strong) {
            self.screen.line(&line);
        }
        self.wait().hint = Some(
            "Nothing yet. Is the page open, does it show the code above, and was it approved \
             there, not only signed in to? A new code: stop this and begin again.",
        );
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
        let start = || self.takes_pastes.then(Pastes::start).flatten();
        let pastes = self.pastes.get_or_init(start);
        let back = WaysBack {
            place: &self.place,
            redirect_uri,
            paste: pastes.as_ref().is_some_and(Pastes::are_by_hand),
        };
        self.say_why_not_opened();
        for line in block::authorization(url, back, Room::of(&self.screen)) {
            self.screen.line(&line);
        }
        self.wait().hint = Some(
            "Nothing yet. Was everything approved in the browser? If it ended on a page that \
             cannot be reached, paste the address of that page here and press Enter.",
        );
        self.open(url);
        self.remind(expires_in);
    }

    fn say_why_not_opened(&self) {
        if let Opening::Show(Some(why)) = self.opening {
            self.say(why);
        }
    }

    /// The page stands in the terminal by now, whatever becomes of this.
    fn open(&self, url: &str) {
        if self.opening != Opening::Open {
            return;
        }
        self.say("Your browser is asked to open it.");
        let screen = Arc::clone(&self.screen);
        browser::open(url, move || {
            screen.line("No browser could be opened: please do it yourself.");
        });
    }

    /// Takes in how much time is left; tells it now and then where no line changes by itself.
    fn remind(&self, left: Duration) {
        let mut wait = self.wait();
        let now = Instant::now();
        wait.began.get_or_insert(now);
        wait.ends = now.checked_add(left);
        let pause = if left <= REMINDER {
            LAST_REMINDERS
        } else {
            REMINDER
        };
        let due = wait
            .last_told
            .is_none_or(|told| told.saturating_sub(left) >= pause);
        if due {
            wait.last_told = Some(left);
        }
        drop(wait);
        if self.screen.is_live() {
            self.draw_status();
        } else if due {
            let left = length(Duration::from_secs(rounded(left)));
            self.say(&format!("Waiting for you; {left} left."));
        }
    }

    fn draw_status(&self) {
        let wait = self.wait();
        let Some(ends) = wait.ends else { return };
        let left = ends.saturating_duration_since(Instant::now());
        let text = if wait.answered {
            "The answer is here; finishing the sign-in...".to_owned()
        } else {
            let clock = countdown(rounded(left));
            format!("Waiting: {clock} left. Ctrl-C stops.")
        };
        drop(wait);
        self.screen.show_status(&text);
    }

    fn hint_after_long(&self) {
        let mut wait = self.wait();
        let (Some(began), Some(ends)) = (wait.began, wait.ends) else {
            return;
        };
        let now = Instant::now();
        let waited = now.duration_since(began);
        let left = ends.saturating_duration_since(now);
        let is_long = waited >= LONG.min((waited + left) / 2);
        if is_long
            && !wait.answered
            && let Some(hint) = wait.hint.take()
        {
            drop(wait);
            self.say(hint);
        }
    }

    fn wait(&self) -> std::sync::MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole seconds, rounded up: the first reminder comes a moment after the code, and says
/// "30 minutes", not "29".
fn rounded(left: Duration) -> u64 {
    left.saturating_add(Duration::from_millis(999)).as_secs()
}

/// As a clock shows it: 14:05, 1:00:00.
fn countdown(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[async_trait]
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
            LoginEvent::Answered => {
                self.event("answered", json!({}));
                self.wait().answered = true;
                self.draw_status();
            }
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
                    "Something that is not the answer came ({why}); the sign-in goes on."
                ));
            }
            _ => {}
        }
    }

    async fn pasted(&self) -> Secret {
        match self.pastes.get() {
            Some(Some(pastes)) => pastes.next().await,
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_reads_like_a_clock() {
        for (seconds, text) in [(0, "0:00"), (65, "1:05"), (899, "14:59"), (3600, "1:00:00")] {
            assert_eq!(countdown(seconds), text);
        }
    }
}
