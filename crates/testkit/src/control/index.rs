//! The page that explains the control API.

use crate::http::Response;
use crate::pages::{document, escape};
use crate::shared::Shared;

/// What a shell evaluates to point `llm-auth` here.
pub(super) fn exports(shared: &Shared) -> String {
    let env = shared.env().into_iter();
    env.map(|(k, v)| format!("export {k}='{v}'\n")).collect()
}

pub(super) fn index(shared: &Shared) -> Response {
    let exports = exports(shared);
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
         <p>Codes are typed in at <a href=\"/authorize\">Qwen</a>, \
         <a href=\"/oauth-authorize\">MiniMax</a>, <a href=\"/device\">Hugging Face</a> or \
         <a href=\"/login/device\">GitHub</a>.</p>\
         <h2>Control</h2><pre>{}</pre>",
        escape(&exports),
        escape(CONTROL)
    );
    document(200, "llm-auth-testkit", &body, "'self'")
}

const CONTROL: &str = "GET  /testkit/env                 the variables for llm-auth, for a shell
GET  /testkit/state               counters, live families, pending codes
GET  /testkit/client_secret.json  a client file for Google
POST /testkit/approve             {} or {\"user_code\": \"...\", \"deny\": true}
POST /testkit/expire              {} or {\"vendor\": \"qwen\"}: access tokens die
POST /testkit/revoke              {} or {\"vendor\": \"qwen\"}: families die
POST /testkit/faults              {\"vendor\": \"qwen\", \"endpoint\": \"refresh\",
                                   \"fault\": {\"kind\": \"drop\", \"stage\": \"after\"}, \"times\": 1}
     kinds: answer (status, headers, body), drop, reset, delay (milliseconds), hang, truncated,
     garbage_chunks, slow_body (milliseconds), endless, html, huge, gzip, patch (patch);
     of a streamed reply: hold_stream, cut_stream, stream_error (pieces)
     stage: before (the server does not process the request) or after (it does); skip: 0
     endpoints: device_authorization, token, poll, exchange, refresh, authorization, revocation,
     user_info, token_info, chat
POST /testkit/release             {} or {\"vendor\": \"qwen\"}: held streams go on
POST /testkit/settings            {\"vendor\": \"qwen\", \"access_lifetime_seconds\": 5}
POST /testkit/reset               counters to zero
";
