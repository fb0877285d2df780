//! What another process can order.

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::http::Request;
use crate::oauth::Decision;
use crate::provider::{Operation, Provider};
use crate::provider_kit::ProviderKit;
use crate::settings::Change;
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    user_code: Option<String>,
    #[serde(default)]
    deny: bool,
    #[serde(rename = "vendor")]
    provider: Option<Provider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    #[serde(rename = "vendor")]
    provider: Option<Provider>,
}

#[derive(Deserialize)]
struct Scripted {
    #[serde(rename = "vendor")]
    provider: Provider,
    #[serde(rename = "endpoint")]
    operation: Option<Operation>,
    fault: Option<Fault>,
    times: Option<u32>,
    #[serde(default)]
    clear: bool,
}

/// Carries out a command, or returns why not.
pub(super) fn execute(shared: &Shared, request: &Request, path: &str) -> Result<Value, String> {
    if request.method != Method::POST {
        return Err("use GET or POST".to_owned());
    }
    // Browsers send the origin of every page that posts; programs send none.
    let own = |origin: &str| origin == shared.base_url;
    if request.headers.contains_key("origin") && !request.header("origin").is_some_and(own) {
        return Err("a page of another origin must not give orders".to_owned());
    }
    match path {
        "/testkit/approve" => {
            let command: Approve = read(request)?;
            let decision = if command.deny {
                Decision::Denied
            } else {
                Decision::Approved
            };
            let code = command.user_code.as_deref();
            let kits = chosen(shared, command.provider).into_iter();
            let decided: usize = kits.map(|kit| kit.lock().decide(code, decision)).sum();
            if code.is_some() && decided == 0 {
                return Err("no such user code is pending".to_owned());
            }
            Ok(json!({"decided": decided}))
        }
        "/testkit/expire" => {
            let command: Selection = read(request)?;
            for kit in chosen(shared, command.provider) {
                kit.expire_access_tokens();
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/revoke" => {
            let command: Selection = read(request)?;
            let kits = chosen(shared, command.provider).into_iter();
            let revoked: u64 = kits.map(|kit| kit.lock().revoke_all()).sum();
            Ok(json!({"revoked": revoked}))
        }
        "/testkit/reset" => {
            let command: Selection = read(request)?;
            for kit in chosen(shared, command.provider) {
                kit.reset_counters();
            }
            if let (None, Ok(mut unknown)) = (command.provider, shared.unknown.lock()) {
                unknown.clear();
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/release" => {
            let command: Selection = read(request)?;
            for kit in chosen(shared, command.provider) {
                kit.release_streams();
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/settings" => {
            let change: Change = read(request)?;
            for kit in chosen(shared, change.provider) {
                kit.lock().settings.apply(&change);
            }
            if let Some(seconds) = change.date_offset_seconds {
                shared.clock.set_offset_seconds(seconds);
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/faults" => script(shared, read(request)?),
        _ => Err("no such control path".to_owned()),
    }
}

fn script(shared: &Shared, command: Scripted) -> Result<Value, String> {
    let kit = shared.provider(command.provider);
    if command.clear {
        kit.clear_faults();
    }
    match (command.operation, command.fault) {
        (Some(operation), Some(mut fault)) => {
            fault.times = command.times.unwrap_or(fault.times);
            kit.fault(operation, fault);
        }
        (None, None) if command.clear => {}
        _ => return Err("endpoint and fault are required".to_owned()),
    }
    Ok(json!({"faults_left": kit.faults_left()}))
}

/// An empty body is an empty object.
fn read<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    let body = if request.body.is_empty() {
        b"{}"
    } else {
        &request.body[..]
    };
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

fn chosen(shared: &Shared, provider: Option<Provider>) -> Vec<&ProviderKit> {
    match provider {
        Some(provider) => vec![shared.provider(provider)],
        None => shared.providers().iter().collect(),
    }
}
