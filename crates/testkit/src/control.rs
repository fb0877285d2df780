//! The control API for other processes.

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::faults::Fault;
use crate::http::{Request, Response};
use crate::oauth::Decision;
use crate::pages::{document, escape};
use crate::provider::{Operation, Provider};
use crate::provider_kit::ProviderKit;
use crate::settings::Change;
use crate::shared::Shared;

pub(crate) fn owns(path: &str) -> bool {
    path == "/" || path == "/testkit" || path.starts_with("/testkit/")
}

pub(crate) fn respond(shared: &Shared, request: &Request) -> Response {
    if !request.host_is_loopback() {
        return Response::oauth_error(421, "misdirected", "only for a loopback host name");
    }
    let get = request.method == Method::GET;
    match (get, request.path.as_str()) {
        (true, "/" | "/testkit" | "/testkit/") => index(shared),
        (true, "/testkit/state") => Response::json(200, &state(shared)),
        (true, "/testkit/client_secret.json") => {
            Response::new(200, "application/json", shared.client_file())
        }
        (true, _) => Response::oauth_error(404, "not_found", "no such control path"),
        (false, path) => match execute(shared, request, path) {
            Ok(done) => Response::json(200, &done),
            Err(why) => Response::oauth_error(400, "invalid_request", &why),
        },
    }
}

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

fn execute(shared: &Shared, request: &Request, path: &str) -> Result<Value, String> {
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

fn state(shared: &Shared) -> Value {
    let mut all = json!({
        "base_url": shared.base_url,
        "unknown_paths": shared.unknown_paths(),
    });
    for kit in shared.providers() {
        let counters = kit.counters();
        let state = kit.lock();
        let families: Vec<Value> = state
            .grants
            .live_families()
            .into_iter()
            .map(|(id, family)| {
                json!({
                    "family": id,
                    "client_id": family.client_id,
                    "scope": family.scope,
                    "access": fingerprints(&state.grants.live_access(Some(id))),
                    "refresh": fingerprints(&state.grants.live_refresh(Some(id))),
                })
            })
            .collect();
        all[kit.provider().name()] = json!({
            "counters": counters,
            "families": families,
            "pending": state.pending(),
            "faults_left": state.script.len(),
        });
    }
    all
}

/// Enough to distinguish tokens, too little to use one.
fn fingerprints(tokens: &[String]) -> Vec<String> {
    let fingerprint = |token: &String| {
        let digest = Sha256::digest(token);
        let short = digest.iter().take(6);
        short.map(|byte| format!("{byte:02x}")).collect()
    };
    tokens.iter().map(fingerprint).collect()
}

fn index(shared: &Shared) -> Response {
    let env = shared.env().into_iter();
    let exports: String = env.map(|(k, v)| format!("export {k}='{v}'\n")).collect();
    let pending: String = shared
        .providers()
        .iter()
        .flat_map(|kit| {
            let codes = kit.pending_user_codes().into_iter();
            codes.map(|code| format!("<li>{}: <code>{code}</code></li>", kit.provider()))
        })
        .collect();
    let body = format!(
        "<h2>Point llm-auth here</h2><pre>{}</pre>\
         <h2>Logins that wait for you</h2><ul>{pending}</ul>\
         <p>Codes are typed in at <a href=\"/authorize\">Qwen</a> or \
         <a href=\"/oauth-authorize\">MiniMax</a>.</p>\
         <h2>Control</h2><pre>{}</pre>",
        escape(&exports),
        escape(CONTROL)
    );
    document(200, "llm-auth-testkit", &body, "'self'")
}

const CONTROL: &str = "GET  /testkit/state               counters, live families, pending codes
GET  /testkit/client_secret.json  a client file for Google
POST /testkit/approve             {} or {\"user_code\": \"...\", \"deny\": true}
POST /testkit/expire              {} or {\"vendor\": \"qwen\"}: access tokens die
POST /testkit/revoke              {} or {\"vendor\": \"qwen\"}: families die
POST /testkit/faults              {\"vendor\": \"qwen\", \"endpoint\": \"refresh\",
                                   \"fault\": {\"kind\": \"drop\", \"stage\": \"after\"}, \"times\": 1}
POST /testkit/release             {} or {\"vendor\": \"qwen\"}: held streams go on
POST /testkit/settings            {\"vendor\": \"qwen\", \"access_lifetime_seconds\": 5}
POST /testkit/reset               counters to zero
";
