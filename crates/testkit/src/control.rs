//! The control API for other processes.

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::faults::fault::Fault;
use crate::http::request::Request;
use crate::http::response::Answer;
use crate::kit::Kit;
use crate::oauth::device_code::Decision;
use crate::pages::document::{self as page, Tongue, escape};
use crate::provider::{Endpoint, Vendor};
use crate::provider_kit::VendorKit;
use crate::providers::gemini as google;
use crate::settings::Change;

pub(crate) fn owns(path: &str) -> bool {
    path == "/" || path == "/testkit" || path.starts_with("/testkit/")
}

pub(crate) fn answer(kit: &Kit, request: &Request) -> Answer {
    if !request.host_is_loopback() {
        return Answer::oauth_error(421, "misdirected", "only for a loopback host name");
    }
    let get = request.method == Method::GET;
    match (get, request.path.as_str()) {
        (true, "/" | "/testkit" | "/testkit/") => index(kit),
        (true, "/testkit/state") => Answer::json(200, &state(kit)),
        (true, "/testkit/client_secret.json") => {
            Answer::new(200, "application/json", google::client_file(kit))
        }
        (true, _) => Answer::oauth_error(404, "not_found", "no such control path"),
        (false, path) => match order(kit, request, path) {
            Ok(done) => Answer::json(200, &done),
            Err(why) => Answer::oauth_error(400, "invalid_request", &why),
        },
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    user_code: Option<String>,
    #[serde(default)]
    deny: bool,
    vendor: Option<Vendor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    vendor: Option<Vendor>,
}

#[derive(Deserialize)]
struct Scripted {
    vendor: Vendor,
    endpoint: Option<Endpoint>,
    fault: Option<Fault>,
    times: Option<u32>,
    #[serde(default)]
    clear: bool,
}

fn order(kit: &Kit, request: &Request, path: &str) -> Result<Value, String> {
    if request.method != Method::POST {
        return Err("use GET or POST".to_owned());
    }
    // Browsers name the origin of every page that posts; programs name none.
    let own = |origin: &str| origin == kit.base_url;
    if request.headers.contains_key("origin") && !request.header("origin").is_some_and(own) {
        return Err("a page of another origin must not give orders".to_owned());
    }
    match path {
        "/testkit/approve" => {
            let order: Approve = read(request)?;
            let decision = if order.deny {
                Decision::Denied
            } else {
                Decision::Approved
            };
            let code = order.user_code.as_deref();
            let vendors = chosen(kit, order.vendor).into_iter();
            let decided: usize = vendors.map(|v| v.lock().decide(code, decision)).sum();
            if code.is_some() && decided == 0 {
                return Err("no such user code is pending".to_owned());
            }
            Ok(json!({"decided": decided}))
        }
        "/testkit/expire" => {
            let order: Which = read(request)?;
            for vendor in chosen(kit, order.vendor) {
                vendor.expire_access_tokens();
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/revoke" => {
            let order: Which = read(request)?;
            let vendors = chosen(kit, order.vendor).into_iter();
            let revoked: u64 = vendors.map(|vendor| vendor.lock().revoke_all()).sum();
            Ok(json!({"revoked": revoked}))
        }
        "/testkit/reset" => {
            let order: Which = read(request)?;
            for vendor in chosen(kit, order.vendor) {
                vendor.reset_counters();
            }
            if let (None, Ok(mut unknown)) = (order.vendor, kit.unknown.lock()) {
                unknown.clear();
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/settings" => {
            let change: Change = read(request)?;
            for vendor in chosen(kit, change.vendor) {
                vendor.lock().settings.apply(&change);
            }
            if let Some(seconds) = change.date_offset_seconds {
                kit.clock.set_offset_seconds(seconds);
            }
            Ok(json!({"ok": true}))
        }
        "/testkit/faults" => script(kit, read(request)?),
        _ => Err("no such control path".to_owned()),
    }
}

fn script(kit: &Kit, order: Scripted) -> Result<Value, String> {
    let vendor = kit.vendor(order.vendor);
    if order.clear {
        vendor.clear_faults();
    }
    match (order.endpoint, order.fault) {
        (Some(endpoint), Some(mut fault)) => {
            fault.times = order.times.unwrap_or(fault.times);
            vendor.fault(endpoint, fault);
        }
        (None, None) if order.clear => {}
        _ => return Err("endpoint and fault are required".to_owned()),
    }
    Ok(json!({"faults_left": vendor.faults_left()}))
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

fn chosen(kit: &Kit, vendor: Option<Vendor>) -> Vec<&VendorKit> {
    match vendor {
        Some(vendor) => vec![kit.vendor(vendor)],
        None => kit.vendors().to_vec(),
    }
}

fn state(kit: &Kit) -> Value {
    let mut all = json!({
        "base_url": kit.base_url,
        "unknown_paths": kit.unknown_paths(),
    });
    for vendor in kit.vendors() {
        let counters = vendor.counters();
        let state = vendor.lock();
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
        all[vendor.vendor().name()] = json!({
            "counters": counters,
            "families": families,
            "pending": state.pending(),
            "faults_left": state.script.len(),
        });
    }
    all
}

/// Enough to tell tokens apart, too little to use one.
fn fingerprints(tokens: &[String]) -> Vec<String> {
    let fingerprint = |token: &String| {
        let digest = Sha256::digest(token);
        let short = digest.iter().take(6);
        short.map(|byte| format!("{byte:02x}")).collect()
    };
    tokens.iter().map(fingerprint).collect()
}

fn index(kit: &Kit) -> Answer {
    let env = kit.env().into_iter();
    let exports: String = env.map(|(k, v)| format!("export {k}='{v}'\n")).collect();
    let pending: String = kit
        .vendors()
        .iter()
        .flat_map(|vendor| {
            let codes = vendor.pending_user_codes().into_iter();
            codes.map(|code| format!("<li>{}: <code>{code}</code></li>", vendor.vendor()))
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
    page::document(Tongue::English, 200, "llm-auth-testkit", &body, "'self'")
}

const CONTROL: &str = "GET  /testkit/state               counters, live families, pending codes
GET  /testkit/client_secret.json  a client file for Google
POST /testkit/approve             {} or {\"user_code\": \"...\", \"deny\": true}
POST /testkit/expire              {} or {\"vendor\": \"qwen\"}: access tokens die
POST /testkit/revoke              {} or {\"vendor\": \"qwen\"}: families die
POST /testkit/faults              {\"vendor\": \"qwen\", \"endpoint\": \"refresh\",
                                   \"fault\": {\"kind\": \"drop\", \"stage\": \"after\"}, \"times\": 1}
POST /testkit/settings            {\"vendor\": \"qwen\", \"access_lifetime_seconds\": 5}
POST /testkit/reset               counters to zero
";
