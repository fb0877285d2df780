//! The three dialects: how each client's requests are recognised and responded to.

use serde_json::{Value, json};

use crate::http::{Call, Rejected, Response};
use crate::oauth::{Issued, token_response};
use crate::settings::ExpiryUnit;
use crate::state::State;

const PORTAL: &str = "78257093-7e40-4613-99e0-527b14b39113";
const MMX: &str = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
const CODE: &str = "mcode-public";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    /// `status` and `expired_in`; polls with the grant type `user_code`.
    Portal,
    /// The same shapes; polls with the grant type `device_code` and the user code.
    Mmx,
    /// RFC 8628.
    Code,
}

pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    pub(super) dialect: Dialect,
}

impl Client<'_> {
    pub(super) fn reject<T>(&self, status: u16, code: &str, why: &str) -> Result<T, Box<Rejected>> {
        Err(Rejected::new(why, self.error(status, code, why)))
    }

    fn error(&self, status: u16, code: &str, text: &str) -> Response {
        let mut body = json!({"error": code, "error_description": text});
        if self.dialect != Dialect::Code {
            body["base_resp"] = base_resp(1000, text);
        }
        Response::json(status, &body)
    }

    /// How a device flow stands: a `status` with 200, or an error body of RFC 8628.
    pub(super) fn progress(&self, status: &str, number: i64, error: &str, text: &str) -> Response {
        if self.dialect == Dialect::Code {
            return Response::oauth_error(400, error, text);
        }
        let message = if number == 0 { "success" } else { error };
        let body = json!({"status": status, "base_resp": base_resp(number, message)});
        Response::json(200, &body)
    }

    pub(super) fn tokens(&self, issued: &Issued, call: &Call<'_>, state: &State) -> Response {
        if self.dialect == Dialect::Code {
            return Response::json(200, &token_response(issued));
        }
        let seconds = i64::try_from(issued.expires_in()).unwrap_or(i64::MAX);
        let lifetime_ms = i64::try_from(issued.lifetime.as_millis()).unwrap_or(i64::MAX);
        let now_ms = call.clock.now_ms();
        let mut body = json!({
            "access_token": issued.access,
            "status": "success",
            "expired_in": match state.settings.expiry_unit {
                ExpiryUnit::EpochMillis => now_ms.saturating_add(lifetime_ms),
                ExpiryUnit::EpochSeconds => (now_ms / 1000).saturating_add(seconds),
                ExpiryUnit::RelativeSeconds => seconds,
            },
            "notification_message": "Signed in at the simulated MiniMax.",
            "base_resp": base_resp(0, "success"),
        });
        if let Some(url) = &state.settings.resource_url {
            body["resource_url"] = json!(url);
        }
        if let Some(refresh) = &issued.refresh {
            body["refresh_token"] = json!(refresh);
        }
        Response::json(200, &body)
    }
}

/// Whether it is the client of one of the dialects.
pub(super) fn is_client(id: &str) -> bool {
    [PORTAL, MMX, CODE].contains(&id)
}

/// The client of a request.
pub(super) fn client<'a>(call: &Call<'a>, state: &State) -> Result<Client<'a>, Box<Rejected>> {
    let id = call.form.get("client_id").unwrap_or_default();
    let dialect = match id {
        PORTAL => Dialect::Portal,
        MMX => Dialect::Mmx,
        CODE => Dialect::Code,
        other if state.more_clients.contains(other) => Dialect::Portal,
        _ => {
            let why = "client_id is missing or unknown";
            let response = Response::oauth_error(401, "invalid_client", why);
            return Err(Rejected::new(why, response));
        }
    };
    Ok(Client { id, dialect })
}

/// The status that MiniMax adds to its bodies.
pub(super) fn base_resp(code: i64, message: &str) -> Value {
    json!({"status_code": code, "status_msg": message})
}
