//! What each event of a sign-in shows.

use std::time::Duration;

use llm_auth_core::provider::DeviceAuthorization;
use llm_auth_core::{ErrorKind, LoginEvent, Secret, UserPrompt, async_trait};

use super::LoginPrompt;
use super::countdown::{Ignored, rounded};
use super::instructions::{self, CallbackHelp, Paste};
use super::paste_input::PasteInput;
use super::size::Size;
use crate::error::kind_name;
use crate::time::length;
use crate::ui::events::Event;

/// The message after the last paste that is tried.
const EXHAUSTED: &str = "No more addresses are accepted: press Ctrl-C and run `llm-auth login` \
                         again.";

#[async_trait]
impl UserPrompt for LoginPrompt {
    fn notify(&self, event: &LoginEvent<'_>) {
        match event {
            LoginEvent::DeviceCode { device, .. } => self.show_device(device),
            LoginEvent::AuthorizationUrl {
                url,
                redirect_uri,
                expires_in,
                ..
            } => self.show_authorization(url, redirect_uri, *expires_in),
            LoginEvent::CallbackReceived => {
                self.tell_dropped();
                self.event(&Event::Answered {});
                self.countdown().answered();
                self.draw_status();
            }
            LoginEvent::Waiting { left, .. } => {
                self.tell_dropped();
                self.event(&Event::Waiting {
                    left_seconds: rounded(*left),
                });
                self.remind(*left);
            }
            LoginEvent::SlowedDown { interval, .. } => {
                self.event(&Event::SlowedDown {
                    interval_seconds: interval.as_secs_f64(),
                });
                self.say(&format!(
                    "The server asked for fewer requests: sending one every {} from now on.",
                    length(*interval)
                ));
            }
            LoginEvent::Retrying { error, .. } => {
                let message = crate::error::chain(error);
                let kind = kind_name(error.kind());
                self.event(&Event::Trouble {
                    kind,
                    message: &message,
                });
                self.say(&format!("{message}; the sign-in continues."));
                if self.countdown().is_exhausted() {
                    self.say(EXHAUSTED);
                } else if error.kind() == ErrorKind::Expired {
                    // Of a sign-in that goes on only a pasted code can be over.
                    self.say(
                        "The pasted text may be incomplete: copy the whole address of the page \
                         that the browser ends on, to its end, and paste it.",
                    );
                }
            }
            LoginEvent::PastesExhausted => {
                self.event(&Event::PastesExhausted {});
                self.countdown().exhaust();
                self.draw_status();
            }
            LoginEvent::Ignored { why, pasted, .. } => self.ignored(why, *pasted),
            _ => {}
        }
    }

    async fn pasted(&self) -> Secret {
        match self.input.get() {
            Some(Some(input)) => input.next().await,
            _ => std::future::pending().await,
        }
    }
}

impl LoginPrompt {
    fn show_device(&self, device: &DeviceAuthorization) {
        self.event(&Event::DeviceCode {
            user_code: &device.user_code,
            verification_uri: &device.verification_uri,
            verification_uri_complete: device.verification_uri_complete.as_deref(),
            url: device.best_uri(),
            expires_in_seconds: device.expires_in.as_secs(),
            interval_seconds: device.interval.map(|interval| interval.as_secs_f64()),
        });
        self.say_why_not_opened();
        let size = Size::of(self.screen);
        let strong = |text: &str| self.screen.strong(text);
        self.show(
            instructions::device(device, size, strong),
            device.best_uri(),
        );
        self.countdown().prepare(
            "No response yet. Check that the page shows the code above, and that you approved it, \
             not only signed in. For a new code, stop and start again.",
            false,
        );
        self.open(device.best_uri());
    }

    fn show_authorization(&self, url: &str, redirect_uri: &str, expires_in: Duration) {
        self.event(&Event::AuthorizationUrl {
            url,
            redirect_uri,
            expires_in_seconds: expires_in.as_secs(),
        });
        let start = || {
            let input = self.takes_pastes.then(|| PasteInput::start(self.screen));
            input.flatten()
        };
        let input = self.input.get_or_init(start).as_ref();
        let by_hand = input.is_some_and(PasteInput::is_by_hand);
        let back = CallbackHelp {
            location: &self.location,
            redirect_uri,
            paste: match input {
                Some(input) if by_hand => Paste::ByHand {
                    hidden: input.is_hidden(),
                },
                Some(_) => Paste::FromPipe,
                None => Paste::Never,
            },
        };
        self.say_why_not_opened();
        self.show(
            instructions::authorization(url, back, Size::of(self.screen)),
            url,
        );
        let hint = if by_hand {
            "No response yet. Check that you approved everything in the browser. If it ended on a \
             page that cannot be reached, paste the address of that page here and press Enter."
        } else {
            "No response yet. Check that you approved everything in the browser, and that it can \
             reach this computer."
        };
        self.countdown().prepare(hint, by_hand);
        self.open(url);
        self.remind(expires_in);
    }

    fn ignored(&self, why: &str, pasted: bool) {
        let telling = self.countdown().ignored();
        if telling == Ignored::Tell {
            self.event(&Event::Ignored { why, pasted });
        } else {
            self.countdown().dropped += 1;
        }
        match telling {
            Ignored::Tell if pasted && self.countdown().is_exhausted() => {
                self.say(&format!("That is not accepted ({why}). {EXHAUSTED}"));
            }
            Ignored::Tell if pasted => self.say(&format!(
                "That is not a valid response ({why}). Copy the whole address of the page that the \
                browser ends on; the sign-in continues."
            )),
            Ignored::Tell => self.say(&format!(
                "Ignored an unexpected request ({why}); the sign-in continues."
            )),
            Ignored::TellTheLast => {
                self.say("Ignoring further unexpected requests silently.");
            }
            Ignored::Silent => {}
        }
    }
}
