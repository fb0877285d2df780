//! The wait for the one answer, by whichever way it comes first.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::gate::{Gate, Verdict};
use super::page::Page;
use super::redirect::{Browser, Redirect, Way};
use super::server::{Arrival, Server};
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::{LoginEvent, UserPrompt};

/// How often the prompt hears how much time is left.
const REMINDER: Duration = Duration::from_secs(15);

/// The wait for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) gate: Gate,
    pub(super) server: Server,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) deadline: Instant,
}

impl Waiting {
    pub(super) async fn next(mut self, prompt: &dyn UserPrompt) -> Result<Redirect> {
        let mut reminder = Instant::now();
        loop {
            let arrival = tokio::select! {
                // The time goes first: no flood of texts or requests can keep it from coming.
                biased;
                () = sleep_until(reminder) => {
                    let left = self.deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Error::new(
                            ErrorKind::Expired,
                            "nobody finished the sign-in in the browser in time",
                        ));
                    }
                    prompt.notify(&LoginEvent::Waiting { left });
                    reminder = Instant::now() + REMINDER.min(left);
                    continue;
                }
                arrival = self.arrivals.recv() => arrival.ok_or_else(|| {
                    Error::new(ErrorKind::Callback, "the redirect listener stopped by itself")
                })?,
                pasted = prompt.pasted() => {
                    // Texts that are always there would keep everybody else from running.
                    yield_now().await;
                    let (verdict, is_alone) = self.gate.judge_pasted(pasted.expose());
                    match verdict {
                        Verdict::Ignored { why, .. } => {
                            prompt.notify(&LoginEvent::Ignored { why, pasted: true });
                            continue;
                        }
                        Verdict::Refused(error) => return Err(error),
                        Verdict::Code(code) => {
                            prompt.notify(&LoginEvent::Answered);
                            let way = if is_alone {
                                Way::PastedCode(Box::new(self))
                            } else {
                                // The port is closed right away: no second answer can come.
                                Way::PastedUrl
                            };
                            return Ok(Redirect { code, way });
                        }
                    }
                }
            };
            match arrival {
                Arrival::Ignored { why } => {
                    tracing::debug!(why, "something that is not the answer was ignored");
                    prompt.notify(&LoginEvent::Ignored { why, pasted: false });
                }
                Arrival::Code { code, reply } => {
                    prompt.notify(&LoginEvent::Answered);
                    let server = self.server;
                    let way = Way::Browser(Browser { reply, server });
                    return Ok(Redirect { code, way });
                }
                Arrival::Refused { error, reply } => {
                    let page = Page::for_error(&error);
                    let server = self.server;
                    Browser { reply, server }.farewell(page).await;
                    return Err(error);
                }
            }
        }
    }
}
