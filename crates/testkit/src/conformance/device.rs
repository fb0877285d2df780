//! What is special to a device flow.

use std::time::Duration;

use llm_auth_core::{AuthProvider as _, FlowKind, ProviderSpec, Silent};

use super::subject::{Subject, check as ensure, expect};
use crate::client::provider_at;
use crate::faults::Fault;
use crate::kit::Testkit;
use crate::provider::Operation;
use crate::scripted::{ScriptedRequest, ScriptedServer};
use crate::settings::Approval;

/// The request for a code has what the configuration says, and nothing that it does not.
pub(super) async fn request<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let Some(flow) = subject.config().device_flow() else {
        return Ok(());
    };
    let server = expect(
        "the scripted server",
        ScriptedServer::json([(400, r#"{"error":"invalid_request"}"#)]).await,
    )?;
    let provider = expect("the base URL", provider_at(&server, subject.builder()))?;
    let _rejected = provider.request_device_code().await;
    let requests = server.requests();
    let request = requests.first().ok_or("no request for a code came")?;
    let mut expected = vec![
        (
            "code_challenge",
            request.parameter("code_challenge"),
            flow.pkce,
        ),
        ("state", request.parameter("state"), flow.echoes_state),
    ];
    let id = request.headers.get("x-request-id").cloned();
    expected.push(("x-request-id", id, flow.request_id));
    for (name, value, is_wanted) in expected {
        ensure(value.is_some() == is_wanted, || match is_wanted {
            true => format!("the request for a code has no {name}"),
            false => format!("the request for a code has a {name} that it should not have"),
        })?;
    }
    headers(request)
}

fn headers(request: &ScriptedRequest) -> Result<(), String> {
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    for (name, expected) in [("accept", "application/json"), ("user-agent", "llm-auth/")] {
        ensure(header(name).starts_with(expected), || {
            format!("the header {name} is {:?}, not {expected}", header(name))
        })?;
    }
    Ok(())
}

/// A sign-in outlasts what lies between it and the server: a web page, an error, no response.
pub(super) async fn trouble<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    if subject.config().device_flow().is_none() {
        return Ok(());
    }
    let builder = Testkit::builder()
        .approval(Approval::AutoAfterPolls(1))
        .interval(Duration::ZERO);
    let server = subject.server_for(FlowKind::Device, builder).await?;
    for fault in [
        Fault::html(),
        Fault::response(500, ""),
        Fault::response(429, "Rate limited"),
        Fault::drop_connection(),
    ] {
        server.provider().fault(Operation::Poll, fault);
    }
    let provider = subject.at(server.base_url())?.flow(FlowKind::Device);
    let session = provider.build().authenticate(&Silent).await;
    expect("a sign-in whose polls fail four times", session)?;
    ensure(server.provider().faults_left() == 0, || {
        "the sign-in ended before the server had failed four times".into()
    })?;
    server.check_violations()
}
