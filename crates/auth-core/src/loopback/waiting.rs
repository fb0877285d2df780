//! The wait for the one answer, by whichever way it comes first.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::gate::{Gate, Verdict};
use super::page::Page;
use super::redirect::{Browser, Redirect, Way};
use super::server::{Answer, Server};
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::{LoginEvent, UserPrompt};
use crate::secret::Secret;

/// How often the prompt hears how much time is left.
const REMINDER: Duration = Duration::from_secs(15);

/// How many codes alone are tried: no server is asked about all that somebody types.
const MOST_LONE_CODES: usize = 3;

/// The wait for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    gate: Gate,
    server: Server,
    /// What the browser brings.
    answer: oneshot::Receiver<Answer>,
    /// Why something that reached the redirect URI was not the answer.
    strays: mpsc::Receiver<&'static str>,
    deadline: Instant,
    /// Codes that were pasted alone: none is redeemed twice (RFC 6749 section 4.1.2).
    spent: Vec<Secret>,
}

impl Waiting {
    pub(super) fn start(listeners: Vec<TcpListener>, gate: Gate, deadline: Instant) -> Self {
        let (bring, answer) = oneshot::channel();
        let (tell, strays) = mpsc::channel(16);
        Self {
            server: Server::start(listeners, gate.clone(), bring, tell),
            gate,
            answer,
            strays,
            deadline,
            spent: Vec::new(),
        }
    }

    pub(super) async fn next(mut self, prompt: &dyn UserPrompt) -> Result<Redirect> {
        let mut reminder = Instant::now();
        loop {
            // What is here by now goes before the time, and the time before a flood of texts.
            if let Ok(answer) = self.answer.try_recv() {
                return self.take(answer, prompt).await;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(
                    ErrorKind::Expired,
                    "nobody finished the sign-in in the browser in time",
                ));
            }
            tokio::select! {
                biased;
                answer = &mut self.answer => match answer {
                    Ok(answer) => return self.take(answer, prompt).await,
                    Err(_nobody_is_left) => return Err(Error::new(
                        ErrorKind::Callback,
                        "the redirect listener stopped by itself",
                    )),
                },
                () = sleep_until(reminder) => {
                    prompt.notify(&LoginEvent::Waiting { left });
                    reminder = Instant::now() + REMINDER.min(left);
                }
                pasted = prompt.pasted() => {
                    // Texts that are always there would keep everybody else from running.
                    yield_now().await;
                    let (verdict, is_alone) = self.gate.judge_pasted(pasted.expose());
                    match self.fresh(verdict, is_alone) {
                        Verdict::Ignored { why, .. } => {
                            prompt.notify(&LoginEvent::Ignored { why, pasted: true });
                        }
                        Verdict::Refused(error) => return Err(error),
                        Verdict::Code(code) => {
                            prompt.notify(&LoginEvent::Answered);
                            return Ok(self.pasted(code, is_alone));
                        }
                    }
                }
                Some(why) = self.strays.recv() => {
                    tracing::debug!(why, "something that is not the answer was ignored");
                    prompt.notify(&LoginEvent::Ignored { why, pasted: false });
                }
            }
        }
    }

    /// What to do after a code that was pasted alone could not be redeemed: go on with what the
    /// browser brought meanwhile, else wait on if the server does not know that code, for then
    /// it was none.
    pub(super) async fn after(mut self, error: Error, prompt: &dyn UserPrompt) -> Result<Redirect> {
        match self.answer.try_recv() {
            Ok(answer) if self.is_spent(&answer) => {
                let browser = Browser::new(answer.reply, self.server);
                browser.farewell(Page::Failed).await;
                Err(error)
            }
            Ok(answer) => {
                prompt.notify(&LoginEvent::Trouble { error: &error });
                self.take(answer, prompt).await
            }
            Err(_none_yet) if error.kind() == ErrorKind::Expired => {
                prompt.notify(&LoginEvent::Trouble { error: &error });
                self.next(prompt).await
            }
            Err(_none_yet) => Err(error),
        }
    }

    /// Ends the wait; a browser that came too late gets its page all the same.
    pub(super) async fn end(mut self, page: Page) {
        if let Ok(answer) = self.answer.try_recv() {
            Browser::new(answer.reply, self.server).farewell(page).await;
        }
    }

    async fn take(self, answer: Answer, prompt: &dyn UserPrompt) -> Result<Redirect> {
        let is_spent = self.is_spent(&answer);
        let browser = Browser::new(answer.reply, self.server);
        match answer.outcome {
            Ok(_spent) if is_spent => {
                browser.farewell(Page::Failed).await;
                Err(Error::new(
                    ErrorKind::Expired,
                    "the browser brought the code that was pasted before, and the server does not \
                     know it",
                ))
            }
            Ok(code) => {
                prompt.notify(&LoginEvent::Answered);
                let way = Way::Browser(browser);
                Ok(Redirect { code, way })
            }
            Err(error) => {
                browser.farewell(Page::for_error(&error)).await;
                Err(error)
            }
        }
    }

    fn is_spent(&self, answer: &Answer) -> bool {
        let code = answer.outcome.as_ref().ok();
        code.is_some_and(|code| self.spent.contains(code))
    }

    /// The verdict on a pasted text, knowing what was pasted before.
    fn fresh(&self, verdict: Verdict, is_alone: bool) -> Verdict {
        let why = match &verdict {
            Verdict::Code(code) if self.spent.contains(code) => "a code that was pasted before",
            Verdict::Code(_) if is_alone && self.spent.len() >= MOST_LONE_CODES => {
                "one more code alone; only the whole address counts now"
            }
            _ => return verdict,
        };
        Verdict::Ignored { status: 400, why }
    }

    fn pasted(mut self, code: Secret, is_alone: bool) -> Redirect {
        if !is_alone {
            // The port is closed right away: no second answer can come.
            let way = Way::PastedUrl;
            return Redirect { code, way };
        }
        self.spent.push(code.clone());
        let way = Way::PastedCode(Box::new(self));
        Redirect { code, way }
    }
}
