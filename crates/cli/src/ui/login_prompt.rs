//! The prompt of a sign-in: text for a user, and events for a program with `--json`.

mod countdown;
mod instructions;
mod notify;
mod paste_input;
mod qr;
mod size;

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use llm_auth_core::printable;
use tokio::sync::Notify;
use tokio::time::{Instant, interval};

use self::countdown::{Countdown, rounded};
use self::paste_input::PasteInput;
use self::size::Size;
use crate::error::Failure;
use crate::system::location::Location;
use crate::system::signals;
use crate::system::signals::Stops;
use crate::time::length;
use crate::ui::browser;
use crate::ui::browser::RedirectFile;
use crate::ui::browser::opening::Opening;
use crate::ui::events::Event;
use crate::ui::streams;
use crate::ui::streams::Screen;
use crate::ui::tty;
use crate::ui::width::wrapped;

/// Clears up what an earlier sign-in left behind when it was killed: a terminal that does not show
/// what is typed, and the file that leads a browser to its page.
pub(crate) fn restore() {
    RedirectFile::remove_left_behind();
    if tty::restore() {
        streams::on_stderr().steer(paste_input::PLAIN_PASTES);
        tracing::debug!("the terminal did not echo input; it was reset");
    }
}

/// Shows a sign-in: a block with a line that counts down for a user, JSON lines for a program.
#[derive(Debug)]
pub(crate) struct LoginPrompt {
    json: bool,
    location: Location,
    opening: Opening,
    /// A user or a program may paste; not in a demonstration.
    takes_pastes: bool,
    screen: &'static Screen,
    input: OnceLock<Option<PasteInput>>,
    countdown: Mutex<Countdown>,
    /// What the browser was asked to open, if that is a file of ours.
    redirect: Mutex<Option<RedirectFile>>,
    cut_off: Mutex<Option<Failure>>,
    cut_off_now: Notify,
}

impl LoginPrompt {
    /// `json` writes events to standard output too; `wish` is what the flags say of a browser.
    pub(crate) fn new(json: bool, location: Location, wish: Option<bool>) -> Self {
        Self {
            json,
            opening: Opening::at(&location, wish),
            location,
            takes_pastes: true,
            ..Self::with_screen(streams::on_stderr())
        }
    }

    /// Plain lines on standard output, or on standard error, for a demonstration.
    #[cfg(feature = "demo")]
    pub(crate) fn of_demo(on_stderr: bool) -> Self {
        Self::with_screen(if on_stderr {
            streams::on_stderr()
        } else {
            streams::on_stdout()
        })
    }

    fn with_screen(screen: &'static Screen) -> Self {
        Self {
            json: false,
            // As at a desk: the demonstration speaks of no other place.
            location: Location {
                display: true,
                ..Location::default()
            },
            opening: Opening::Show(None),
            takes_pastes: false,
            screen,
            input: OnceLock::new(),
            countdown: Mutex::default(),
            redirect: Mutex::new(None),
            cut_off: Mutex::new(None),
            cut_off_now: Notify::new(),
        }
    }

    /// Waits until standard output cannot be written any more: no program reads the sign-in then.
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

    /// Counts down as long as it is polled, and gives the terminal back when Ctrl-Z is pressed.
    ///
    /// The call itself takes over Ctrl-Z, before the first poll: a sign-in that is polled first
    /// changes the terminal.
    pub(crate) fn attend(&self) -> impl Future<Output = Infallible> {
        let mut stops = Stops::listen();
        async move {
            let mut seconds = interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    _ = seconds.tick() => {}
                    stops = stops.next() => if stops {
                        self.give_back();
                        signals::stop_this_process();
                    },
                }
                self.take_a_turn();
            }
        }
    }

    /// What is due each second: the terminal's modes, a hint, the line that counts down.
    fn take_a_turn(&self) {
        if let Some(Some(input)) = self.input.get() {
            input.attend();
        }
        let hint = self.countdown().take_hint(Instant::now());
        if let Some(hint) = hint {
            self.say(hint);
        }
        self.draw_status();
    }

    /// What it is about, in one line.
    pub(crate) fn title(&self, text: &str) {
        self.screen.line(&self.screen.strong(text));
    }

    /// Tells something about the sign-in.
    pub(crate) fn say(&self, text: &str) {
        for line in wrapped(text, Size::of(self.screen).width) {
            self.screen.line(&line);
        }
    }

    /// Leaves the terminal as it was, and no file behind.
    pub(crate) fn end(&self) {
        self.give_back();
        self.tell_dropped();
        let redirect = self.redirect.lock();
        drop(redirect.unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Leaves the terminal as it was; the sign-in may go on.
    fn give_back(&self) {
        self.screen.clear_status();
        if let Some(Some(input)) = self.input.get() {
            input.end();
        }
    }

    fn event(&self, event: &Event<'_>) {
        if !self.json {
            return;
        }
        if let Err(failure) = event.send() {
            *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            self.cut_off_now.notify_one();
        }
    }

    fn show(&self, lines: Vec<String>, page: &str) {
        for line in lines {
            if line == page {
                self.screen.line(&self.screen.address(&line));
            } else {
                self.screen.line(&line);
            }
        }
    }

    fn say_why_not_opened(&self) {
        if let Opening::Show(Some(why)) = self.opening {
            self.say(why);
        }
    }

    /// The terminal already shows the page, so this may fail.
    fn open(&self, url: &str) {
        if self.opening != Opening::Open {
            return;
        }
        let file = self.location.opens_files().then(|| RedirectFile::new(url));
        let file = match file.transpose() {
            Ok(file) => file,
            Err(error) => {
                self.say(&format!(
                    "No browser is opened, because the file that redirects it to the page cannot \
                     be written ({error}): open the page yourself."
                ));
                return;
            }
        };
        self.say("Opening it in your browser...");
        let (screen, width) = (self.screen, Size::of(self.screen).width);
        let wanted = self.location.browser.as_deref();
        let cause = wanted.map(|wanted| format!("BROWSER is {}: ", printable(wanted)));
        browser::open(url, wanted, file.as_ref(), move |why| {
            let text = format!(
                "No browser could be opened ({}{}): open the page yourself.",
                cause.unwrap_or_default(),
                printable(why)
            );
            for line in wrapped(&text, width) {
                screen.line(&line);
            }
        });
        *self.redirect.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    fn remind(&self, left: Duration) {
        let is_due = self.countdown().remind(left, Instant::now());
        if self.screen.is_live() {
            self.draw_status();
        } else if is_due {
            let left = length(Duration::from_secs(rounded(left)));
            self.say(&format!("Waiting for you; {left} left."));
        }
    }

    fn draw_status(&self) {
        let columns = self.screen.size().map_or(0, |(columns, _)| columns);
        let line = self.countdown().line(Instant::now(), columns);
        if let Some(line) = line {
            self.screen.show_status(&line);
        }
    }

    /// Says how many events of what is not the answer were left out, if any were since.
    fn tell_dropped(&self) {
        let dropped = std::mem::take(&mut self.countdown().dropped);
        if dropped > 0 {
            self.event(&Event::IgnoredMore { dropped });
        }
    }

    fn countdown(&self) -> MutexGuard<'_, Countdown> {
        self.countdown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
