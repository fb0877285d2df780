//! The wait for the one response, from the browser or pasted.
//!
//! See decision 0021.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::callback_response::{Browser, CallbackResponse, Source};
use super::page::Page;
use super::pasted;
use super::server::{Received, Server};
use super::validator::{CallbackValidator, Grant, PastedCode, PastedVerdict};
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::{LoginEvent, UserPrompt};
use crate::secret::Secret;

/// How often the prompt receives the time that is left.
const REMINDER: Duration = Duration::from_secs(15);

/// How many bare codes and how many pasted addresses are tried: not every typed text is sent to the
/// server.
// See decision 0044.
const MOST_OF_A_KIND: usize = 3;

/// After an empty text, which the end of an input returns, the prompt is not asked for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest address that is assembled from texts.
const LONGEST: usize = 64 * 1024;

/// The wait for a response.
#[derive(Debug)]
pub(super) struct PendingCallback {
    validator: CallbackValidator,
    server: Server,
    /// Responses from the browser.
    response: oneshot::Receiver<Received>,
    /// Why a request to the redirect URI was ignored.
    ignored: mpsc::Receiver<&'static str>,
    deadline: Instant,
    /// Pasted codes: none is redeemed twice (RFC 6749 section 4.1.2).
    spent: Vec<PastedCode>,
    /// Other possible codes in the last text.
    untried: VecDeque<PastedCode>,
    /// The last pasted address, which the next text may continue.
    unfinished: Option<Secret>,
}

impl PendingCallback {
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        validator: CallbackValidator,
        deadline: Instant,
    ) -> Self {
        let (sender, response) = oneshot::channel();
        let (ignored_sender, ignored) = mpsc::channel(16);
        Self {
            server: Server::start(listeners, validator.clone(), sender, ignored_sender),
            validator,
            response,
            ignored,
            deadline,
            spent: Vec::new(),
            untried: VecDeque::new(),
            unfinished: None,
        }
    }

    pub(super) async fn next(mut self, prompt: &dyn UserPrompt) -> Result<CallbackResponse> {
        let mut reminder = Instant::now();
        // The prompt may be slow: it is asked for the next text only after this one.
        let mut pasted = None;
        let mut ask_at = Instant::now();
        loop {
            // A response that is already here goes before the deadline, and the deadline before a
            // flood of texts.
            if let Ok(response) = self.response.try_recv() {
                return self.take(response, prompt).await;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(
                    ErrorKind::Expired,
                    "the sign-in in the browser was not completed in time",
                ));
            }
            if let Some(next) = self.next_untried() {
                prompt.notify(&LoginEvent::CallbackReceived);
                return Ok(self.pasted(next));
            }
            let text = async {
                sleep_until(ask_at).await;
                pasted.get_or_insert_with(|| prompt.pasted()).await
            };
            tokio::select! {
                biased;
                response = &mut self.response => match response {
                    Ok(response) => return self.take(response, prompt).await,
                    Err(_server_is_gone) => return Err(Error::new(
                        ErrorKind::Callback,
                        "the redirect listener stopped unexpectedly",
                    )),
                },
                () = sleep_until(reminder) => {
                    prompt.notify(&LoginEvent::Waiting { left });
                    reminder = Instant::now() + REMINDER.min(left);
                }
                text = text => {
                    pasted = None;
                    // A prompt that always has a text would starve other tasks.
                    yield_now().await;
                    if text.expose().trim().is_empty() {
                        ask_at = Instant::now() + PAUSE;
                        continue;
                    }
                    match self.take_in(&text) {
                        PastedVerdict::Codes(codes) => self.untried = codes,
                        PastedVerdict::Ignored(why) => {
                            prompt.notify(&LoginEvent::Ignored { why, pasted: true });
                        }
                        PastedVerdict::Refused(error) => return Err(error),
                    }
                }
                Some(why) = self.ignored.recv() => report_ignored(why, prompt),
            }
        }
    }

    /// Continues after a pasted code could not be redeemed: with the response of the browser, if
    /// one came meanwhile. Otherwise it waits on if the server does not know that code, because it
    /// was none, or a part of one.
    pub(super) async fn after(
        mut self,
        error: Error,
        prompt: &dyn UserPrompt,
    ) -> Result<CallbackResponse> {
        match self.response.try_recv() {
            Ok(response) if self.is_spent(&response) => {
                let browser = Browser::new(response.reply, self.server);
                browser.send_page(Page::Failed).await;
                Err(error)
            }
            Ok(response) => {
                prompt.notify(&LoginEvent::Retrying { error: &error });
                self.take(response, prompt).await
            }
            Err(_none_yet) if error.kind() == ErrorKind::Expired => {
                let untried = std::mem::take(&mut self.untried);
                let can_be_tried = |pasted: &PastedCode| self.why_not(pasted).is_none();
                self.untried = untried.into_iter().filter(can_be_tried).collect();
                if self.has_tried_the_last_address() {
                    prompt.notify(&LoginEvent::PastesExhausted);
                }
                if self.untried.is_empty() {
                    prompt.notify(&LoginEvent::Retrying { error: &error });
                }
                self.next(prompt).await
            }
            Err(_none_yet) => Err(error),
        }
    }

    /// Continues after a pasted code that was not sent to the server.
    pub(super) async fn after_unused(
        mut self,
        error: &Error,
        prompt: &dyn UserPrompt,
    ) -> Result<CallbackResponse> {
        self.spent.pop();
        prompt.notify(&LoginEvent::Retrying { error });
        self.next(prompt).await
    }

    /// Ends the wait; a browser that came too late still gets its page.
    pub(super) async fn end(mut self, page: Page) {
        if let Ok(response) = self.response.try_recv() {
            Browser::new(response.reply, self.server)
                .send_page(page)
                .await;
        }
    }

    async fn take(
        mut self,
        response: Received,
        prompt: &dyn UserPrompt,
    ) -> Result<CallbackResponse> {
        // The server runs on another thread: what it ignored before may not be reported yet.
        while let Ok(why) = self.ignored.try_recv() {
            report_ignored(why, prompt);
        }
        let is_spent = self.is_spent(&response);
        let browser = Browser::new(response.reply, self.server);
        match response.outcome {
            Ok(_spent) if is_spent => {
                browser.send_page(Page::Failed).await;
                Err(Error::new(
                    ErrorKind::Expired,
                    "the browser returned the code that was pasted before, and the server rejected \
                     that code",
                ))
            }
            Ok(Grant { code, parameters }) => {
                prompt.notify(&LoginEvent::CallbackReceived);
                Ok(CallbackResponse {
                    code,
                    parameters,
                    source: Source::Browser(browser),
                })
            }
            Err(error) => {
                browser.send_page(Page::for_error(&error)).await;
                Err(error)
            }
        }
    }

    fn is_spent(&self, response: &Received) -> bool {
        let code = response.outcome.as_ref().ok();
        code.is_some_and(|grant| self.has_spent(&grant.code))
    }

    fn has_spent(&self, code: &Secret) -> bool {
        self.spent.iter().any(|spent| spent.code == *code)
    }

    /// Reads a text in the light of the previous one: a terminal may break an address over lines,
    /// and each of them is then a text of its own.
    fn take_in(&mut self, text: &Secret) -> PastedVerdict {
        let before = self.unfinished.take();
        let before = before.filter(|_| !pasted::begins_with_an_address(text.expose()));
        let joined = before.map(|before| [before.expose(), text.expose().trim()].concat());
        let joined = joined
            .filter(|joined| joined.len() <= LONGEST)
            .map(Secret::from);
        let candidates = match &joined {
            Some(joined) if self.begins_like_a_code(text.expose()) => vec![text, joined],
            Some(joined) => vec![joined, text],
            None => vec![text],
        };
        let mut ignored = None;
        let mut heard = None;
        for candidate in candidates {
            match self.fresh(self.validator.validate_pasted(candidate.expose())) {
                PastedVerdict::Ignored(why) => ignored = Some(why),
                counts => {
                    heard = Some(counts);
                    break;
                }
            }
        }
        let is_part = pasted::is_of_an_answer(text.expose()).then(|| text.clone());
        self.unfinished = joined.or(is_part);
        heard.unwrap_or(PastedVerdict::Ignored(ignored.unwrap_or_default()))
    }

    /// The codes of one vendor begin in the same way, and the rest of one does not.
    fn begins_like_a_code(&self, text: &str) -> bool {
        let text = text.trim().trim_start_matches("code=");
        let begin = |code: &str| code.chars().take(4).collect::<String>();
        let begins_so = |spent: &PastedCode| begin(spent.code.expose()) == begin(text);
        self.spent.iter().any(begins_so)
    }

    /// Without the codes that are not to be redeemed.
    fn fresh(&self, heard: PastedVerdict) -> PastedVerdict {
        let PastedVerdict::Codes(mut codes) = heard else {
            return heard;
        };
        let why = codes.front().and_then(|code| self.why_not(code));
        codes.retain(|code| self.why_not(code).is_none());
        match why {
            Some(why) if codes.is_empty() => PastedVerdict::Ignored(why),
            _ => PastedVerdict::Codes(codes),
        }
    }

    fn why_not(&self, pasted: &PastedCode) -> Option<&'static str> {
        let of_its_kind = |spent: &&PastedCode| spent.is_alone == pasted.is_alone;
        if self.has_spent(&pasted.code) {
            Some("a code that was pasted before")
        } else if self.spent.iter().filter(of_its_kind).count() < MOST_OF_A_KIND {
            None
        } else if pasted.is_alone {
            Some("another code without its address; only whole addresses are accepted now")
        } else {
            Some("another address with a different code; too many were wrong")
        }
    }

    /// Whether the last code came from the last address that is tried.
    fn has_tried_the_last_address(&self) -> bool {
        let in_addresses = self.spent.iter().filter(|spent| !spent.is_alone).count();
        in_addresses >= MOST_OF_A_KIND && self.spent.last().is_some_and(|spent| !spent.is_alone)
    }

    fn next_untried(&mut self) -> Option<PastedCode> {
        while let Some(next) = self.untried.pop_front() {
            if self.why_not(&next).is_none() {
                return Some(next);
            }
        }
        None
    }

    fn pasted(mut self, pasted: PastedCode) -> CallbackResponse {
        let (code, parameters) = (pasted.code.clone(), pasted.parameters.clone());
        self.spent.push(pasted);
        CallbackResponse {
            code,
            parameters,
            source: Source::Pasted(Box::new(self)),
        }
    }
}

fn report_ignored(why: &'static str, prompt: &dyn UserPrompt) {
    tracing::debug!(why, "ignored an unexpected request");
    prompt.notify(&LoginEvent::Ignored { why, pasted: false });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::super::validator::{IssuerRule, StateRule};
    use super::*;

    #[tokio::test]
    async fn what_was_ignored_before_the_response_is_reported_before_it() {
        let state = Secret::from("made-up-state");
        let rule = StateRule::Required;
        let validator = CallbackValidator::new(
            "127.0.0.1:7777",
            "/callback",
            &state,
            rule,
            IssuerRule::Unchecked,
        );
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut pending = PendingCallback::start(Vec::new(), validator, deadline);
        let (sender, response) = oneshot::channel();
        let (ignored_sender, ignored) = mpsc::channel(16);
        (pending.response, pending.ignored) = (response, ignored);
        ignored_sender
            .try_send("a request for a different path")
            .unwrap();
        let (reply, _page) = oneshot::channel();
        let outcome = Ok(Grant {
            code: "made-up-code".into(),
            parameters: BTreeMap::new(),
        });
        sender.send(Received { outcome, reply }).unwrap();

        let heard = Mutex::new(Vec::new());
        let prompt = |event: &LoginEvent<'_>| heard.lock().unwrap().push(format!("{event:?}"));
        pending.next(&prompt).await.unwrap();
        let heard = heard.into_inner().unwrap();
        let names: Vec<_> = heard.iter().map(|event| &event[..7]).collect();
        assert_eq!(names, ["Ignored", "Callbac"]);
    }
}
