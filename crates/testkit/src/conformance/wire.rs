//! The table of responses: each is read as the table demands.

mod browser;
mod device;
mod scripted;

use llm_auth_core::{ApiResponse, AuthProvider as _, ProviderSpec};

use self::scripted::{of_error, scripted};
use super::subject::{Subject, check as ensure};
use crate::cases::{WireCase, label_of};
use crate::scripted::ScriptedResponse;

pub(super) async fn check<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    case: &WireCase,
) -> Result<(), String> {
    let label = label(subject, case).await;
    let label = label.map_err(|why| format!("{}: {why}", shown(case)))?;
    ensure(label == case.label(), || {
        format!("{}: read as {label}, not as {}", shown(case), case.label())
    })
}

fn shown(case: &WireCase) -> String {
    format!("{}, status {}, {}", case.step, case.status, case.body)
}

/// How the provider reads a response.
async fn label<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    case: &WireCase,
) -> Result<String, String> {
    if matches!(case.step.as_str(), "api" | "tokeninfo") {
        let response = ApiResponse::new(case.status, case.body.as_bytes());
        let status = subject.builder().build().classify_api_response(&response);
        return Ok(label_of(&format!("{status:?}")).to_owned());
    }
    match case.step.as_str() {
        "authorize" => return browser::authorize(subject).await,
        "callback" => return browser::callback(subject, &case.body).await,
        _ => {}
    }
    let server = scripted([ScriptedResponse::from(case)]).await?;
    let provider = subject.trusting(server.base_url())?.build();
    let read = match case.step.as_str() {
        "exchange" => browser::exchange(subject, &server).await?,
        "userinfo" => browser::userinfo(subject, &server).await?,
        "device_code" | "poll" if subject.config().device_flow().is_none() => {
            device::standard(&server, &case.step).await?
        }
        "device_code" => provider.request_device_code().await.map(|_| "device_code"),
        "poll" => device::poll(subject, &provider).await?,
        "refresh" => provider.refresh(&subject.made_up()).await.map(|_| "token"),
        "revoke" => provider.revoke(&subject.made_up()).await.map(|_| "ok"),
        other => return Err(format!("no such step: {other}")),
    };
    let requests = server.requests().len();
    // After an exchange the provider may ask for the identity.
    let most = if case.step == "exchange" { 2 } else { 1 };
    ensure((1..=most).contains(&requests), || {
        format!("{requests} requests came")
    })?;
    Ok(read.map_or_else(|error| of_error(&error), str::to_owned))
}
