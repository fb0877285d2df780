//! From a request to an answer: find the door, count, fault, judge, fault again.

use std::sync::PoisonError;

use crate::control;
use crate::faults::fault::{Fault, Kind, Stage};
use crate::faults::inject::{self as wire, Acted};
use crate::faults::patch::{self, Facts};
use crate::http::request::{Complaint, Form, Request};
use crate::http::response::{Answer, Judged, Refused};
use crate::http::route::{self as door, Action, Door};
use crate::http::stream::SharedStream;
use crate::kit::Kit;
use crate::pages::document::{self as page, Tongue};
use crate::provider::{Endpoint, Vendor};
use crate::providers::chat;
use crate::providers::gemini as google;
use crate::providers::minimax;
use crate::providers::qwen;
use crate::settings::Approval;
use crate::state::State;

pub(crate) enum Reply {
    Answer(Box<Answer>),
    Closed,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// A request with what is known about it, as the vendors' handlers see it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) kit: &'a Kit,
    pub(crate) request: &'a Request,
    pub(crate) form: &'a Form,
    pub(crate) endpoint: Endpoint,
    /// A poll that came sooner than the interval allows.
    pub(crate) too_fast: bool,
}

pub(crate) async fn reply(kit: &Kit, request: &Request, stream: &SharedStream) -> Reply {
    if control::owns(&request.path) {
        return control::answer(kit, request).into();
    }
    let Some(door) = door::find(&request.path) else {
        return unknown(kit, request).into();
    };
    let reply = visit(kit, door, request, stream).await;
    kit.vendor(door.vendor).wake_waiters();
    reply
}

fn unknown(kit: &Kit, request: &Request) -> Answer {
    // Browsers ask for it unasked.
    if request.path == "/favicon.ico" {
        return Answer::new(204, "image/x-icon", "");
    }
    let mut unknown = kit.unknown.lock().unwrap_or_else(PoisonError::into_inner);
    if unknown.len() < 1000 {
        unknown.push(format!("{} {}", request.method, request.path));
    }
    Answer::new(
        404,
        "text/plain; charset=utf-8",
        "No vendor has this path.\n",
    )
}

async fn visit(kit: &Kit, door: Door, request: &Request, stream: &SharedStream) -> Reply {
    let vendor = kit.vendor(door.vendor);
    let endpoint = door.endpoint(request);
    if !door.methods().contains(&request.method) {
        let words = format!("method {} is not allowed", request.method);
        vendor.lock().violation(endpoint, &words);
        return Answer::new(405, "text/plain; charset=utf-8", "Method not allowed.\n").into();
    }
    let form = door.form(request);
    let empty = Form::default();
    let known = form.as_ref().unwrap_or(&empty);

    let (too_fast, fault, facts, approval) = {
        let mut state = vendor.lock();
        let too_fast = state.arrives(endpoint, known);
        if let Err(complaint) = &form {
            state.violation(endpoint, complaint.words());
            state.counters.chats_refused += u64::from(endpoint == Endpoint::Chat);
        }
        let fault = state.script.take(endpoint);
        state.counters.faults += u64::from(fault.is_some());
        let facts = Facts {
            state: state.last_state.clone(),
            now_ms: kit.clock.now_ms(),
        };
        (too_fast, fault, facts, state.settings.approval)
    };
    vendor.wake_waiters();
    let (before, after) = match fault {
        Some(fault) if fault.stage() == Stage::Before => (Some(fault), None),
        other => (None, other),
    };
    if let Some(fault) = before {
        match wire::act(&fault, None, &facts, &kit.clock, stream).await {
            Acted::Answer(answer) => return Reply::Answer(answer),
            Acted::Closed => return Reply::Closed,
            Acted::Continue => {}
        }
    }
    if let (Vendor::Gemini, Action::Page, Approval::AutoAfter(time)) =
        (door.vendor, door.action, approval)
    {
        tokio::time::sleep(time).await;
    }
    let call = Call {
        kit,
        request,
        form: known,
        endpoint,
        too_fast,
    };
    let answer = match &form {
        Ok(_) => settle(&call, door, &mut vendor.lock()),
        Err(complaint) => malformed(door, complaint),
    };
    match after {
        Some(fault) => damage(&call, door, fault, answer, &facts, stream).await,
        None => answer.into(),
    }
}

/// The vendor's answer; a refusal is also written down.
fn settle(call: &Call<'_>, door: Door, state: &mut State) -> Answer {
    judge(call, door, state).unwrap_or_else(|refused| {
        state.violation(call.endpoint, &refused.violation);
        refused.answer
    })
}

fn judge(call: &Call<'_>, door: Door, state: &mut State) -> Judged {
    if door.action == Action::Page && !call.request.host_is_loopback() {
        let words = "This page answers only to a loopback host name.";
        return Ok(page::message(
            Tongue::of(call.request),
            421,
            "Misdirected request",
            words,
        ));
    }
    match (door.vendor, door.action) {
        (Vendor::Qwen, Action::Device) => qwen::device(call, state),
        (Vendor::Qwen, Action::Token) => qwen::token(call, state),
        (Vendor::MiniMax, Action::Device) => minimax::device(call, state),
        (Vendor::MiniMax, Action::Token) => minimax::token(call, state),
        (Vendor::MiniMax, Action::Revoke) => minimax::revoke(call, state),
        (_, Action::Moved(to)) => Ok(minimax::moved(call.kit, to)),
        (Vendor::Gemini, Action::Page) => google::authorize(call, state),
        (Vendor::Gemini, Action::Token) => google::token(call, state),
        (Vendor::Gemini, Action::Revoke) => google::revoke(call, state),
        (_, Action::TokenInfo) => Ok(google::token_info(call, state)),
        (_, Action::UserInfo) => Ok(google::user_info(call, state)),
        (vendor, Action::Page) => page::device_approval(vendor, call, state),
        (vendor, Action::Chat) => Ok(chat::answer(vendor, call, state)),
        (_, Action::Models) => Ok(chat::models(call, state)),
        (Vendor::Gemini, Action::Device) | (Vendor::Qwen, Action::Revoke) => {
            let answer = Answer::new(404, "text/plain; charset=utf-8", "Not here.\n");
            Err(Refused::new("no such endpoint", answer))
        }
    }
}

fn malformed(door: Door, complaint: &Complaint) -> Answer {
    match (door.vendor, door.action, complaint) {
        (_, Action::Page, _) => page::message(
            Tongue::English,
            400,
            "Error 400: invalid_request",
            complaint.words(),
        ),
        (Vendor::Qwen, _, Complaint::NoUserAgent) => wire::firewall_page(),
        (Vendor::Qwen | Vendor::MiniMax | Vendor::Gemini, _, _) => {
            Answer::oauth_error(400, "invalid_request", complaint.words())
        }
    }
}

async fn damage(
    call: &Call<'_>,
    door: Door,
    fault: Fault,
    mut answer: Answer,
    facts: &Facts,
    stream: &SharedStream,
) -> Reply {
    if let Kind::Patch { patch } = &fault.kind {
        if !patch::apply(patch, &mut answer, facts) {
            let mut state = call.kit.vendor(door.vendor).lock();
            state.counters.faults -= 1;
            state.script.put_back(call.endpoint, fault);
        }
        return answer.into();
    }
    match wire::act(&fault, Some(answer), facts, &call.kit.clock, stream).await {
        Acted::Answer(answer) => Reply::Answer(answer),
        Acted::Closed | Acted::Continue => Reply::Closed,
    }
}
