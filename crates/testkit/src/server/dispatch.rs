//! From a request to a response: find the route, count, inject faults, call the provider.

use std::sync::PoisonError;

use crate::control;
use crate::faults::{Fault, Injected, Stage, Template, alter, inject};
use crate::http::{Call, Form, HandlerResult, Malformed, Request, Response, Route, SharedStream};
use crate::pages;
use crate::provider::Operation;
use crate::provider_kit::ProviderKit;
use crate::providers::SimulatedProvider;
use crate::shared::Shared;
use crate::state::State;

pub(super) enum Outcome {
    Response(Box<Response>),
    Closed,
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::Response(Box::new(response))
    }
}

pub(super) async fn respond(shared: &Shared, request: &Request, stream: &SharedStream) -> Outcome {
    if control::owns(&request.path) {
        return control::respond(shared, request).into();
    }
    let Some((kit, route)) = shared.route(request) else {
        return unknown(shared, request).into();
    };
    let outcome = handle(shared, kit, route, request, stream).await;
    kit.wake_waiters();
    outcome
}

fn unknown(shared: &Shared, request: &Request) -> Response {
    // Browsers request it by themselves.
    if request.path == "/favicon.ico" {
        return Response::new(204, "image/x-icon", "");
    }
    let mut unknown = shared
        .unknown
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if unknown.len() < 1000 {
        unknown.push(format!("{} {}", request.method, request.path));
    }
    Response::new(
        404,
        "text/plain; charset=utf-8",
        "No provider has this path.\n",
    )
}

async fn handle(
    shared: &Shared,
    kit: &ProviderKit,
    route: Route,
    request: &Request,
    stream: &SharedStream,
) -> Outcome {
    let operation = route.operation(request);
    if !route.methods().contains(&request.method) {
        let words = format!("method {} is not allowed", request.method);
        kit.lock().violation(operation, &words);
        return Response::new(405, "text/plain; charset=utf-8", "Method not allowed.\n").into();
    }
    let form = route.form(request);
    let empty = Form::default();
    let known = form.as_ref().unwrap_or(&empty);

    let (too_fast, fault, template, approval) = {
        let mut state = kit.lock();
        let too_fast = state.arrives(operation, known);
        if let Err(malformed) = &form {
            state.violation(operation, malformed.description());
            state.counters.chats_refused += u64::from(operation == Operation::Chat);
        }
        let fault = state.script.take(operation);
        state.counters.faults += u64::from(fault.is_some());
        let template = Template {
            state: state.last_state.clone(),
            now_ms: shared.clock.now_ms(),
        };
        (too_fast, fault, template, state.settings.approval)
    };
    kit.wake_waiters();
    let (before, after) = match fault {
        Some(fault) if fault.stage() == Stage::Before => (Some(fault), None),
        other => (None, other),
    };
    if let Some(fault) = before {
        match inject(&fault, None, &template, &shared.clock, stream).await {
            Injected::Response(response) => return Outcome::Response(response),
            Injected::Closed => return Outcome::Closed,
            Injected::Continue => {}
        }
    }
    let simulated = kit.simulated();
    if route == Route::ApprovalPage
        && let Some(delay) = simulated.page_delay(&request.path, approval)
    {
        tokio::time::sleep(delay).await;
    }
    let call = Call {
        base_url: &shared.base_url,
        clock: &shared.clock,
        request,
        form: known,
        operation,
        too_fast,
    };
    let response = match &form {
        Ok(_) => call_provider(simulated, route, &call, &mut kit.lock()),
        Err(error) => malformed(simulated, route, error),
    };
    match after {
        Some(fault) => apply_fault(kit, &call, fault, response, &template, stream).await,
        None => response.into(),
    }
}

/// The provider's response; a rejection is also recorded.
fn call_provider(
    simulated: &dyn SimulatedProvider,
    route: Route,
    call: &Call<'_>,
    state: &mut State,
) -> Response {
    let result = call_handler(simulated, route, call, state);
    result.unwrap_or_else(|rejected| {
        state.violation(call.operation, &rejected.violation);
        rejected.response
    })
}

fn call_handler(
    simulated: &dyn SimulatedProvider,
    route: Route,
    call: &Call<'_>,
    state: &mut State,
) -> HandlerResult {
    match route {
        Route::ApprovalPage if !call.request.host_is_loopback() => {
            let words = "This page is served under a loopback host name only.";
            Ok(pages::message(421, "Misdirected request", words))
        }
        Route::ApprovalPage => simulated.approval_page(call, state),
        Route::DeviceAuthorization => simulated.device_authorization(call, state),
        Route::Token | Route::Keys => simulated.token(call, state),
        Route::Revocation | Route::RevocationByQuery => simulated.revocation(call, state),
        Route::TokenInfo => simulated.token_info(call, state),
        Route::UserInfo => simulated.user_info(call, state),
        Route::Document => simulated.document(call),
        Route::Mcp => simulated.mcp(call, state),
        Route::Registration => simulated.registration(call, state),
        Route::Api(api) => Ok(count(simulated.api(api, call, state), state)),
        Route::Moved(path) => {
            let location = format!("{}{path}", call.base_url);
            let response = Response::new(307, "text/plain; charset=utf-8", "");
            Ok(response.header("Location", &location))
        }
    }
}

/// Counts an API call as accepted or rejected.
fn count(result: Result<Response, Response>, state: &mut State) -> Response {
    match result {
        Ok(response) => {
            state.counters.chats_ok += 1;
            response
        }
        Err(response) => {
            state.counters.chats_refused += 1;
            response
        }
    }
}

fn malformed(simulated: &dyn SimulatedProvider, route: Route, error: &Malformed) -> Response {
    if route == Route::ApprovalPage {
        return pages::error(400, "invalid_request", error.description());
    }
    simulated.malformed(error)
}

/// Applies a fault to the provider's response.
async fn apply_fault(
    kit: &ProviderKit,
    call: &Call<'_>,
    fault: Fault,
    mut response: Response,
    template: &Template,
    stream: &SharedStream,
) -> Outcome {
    if fault.kind.alters_response() {
        if !alter(&fault.kind, &mut response, template) {
            let mut state = kit.lock();
            state.counters.faults -= 1;
            state.script.put_back(call.operation, fault);
        }
        return response.into();
    }
    match inject(&fault, Some(response), template, call.clock, stream).await {
        Injected::Response(response) => Outcome::Response(response),
        Injected::Closed | Injected::Continue => Outcome::Closed,
    }
}
