//! Successful responses as the RFCs write them; a provider adds what is its own.

use std::time::Duration;

use serde_json::{Value, json};

use super::device_code::DeviceGrant;
use super::tokens::Issued;

/// The body of RFC 8628 section 3.2.
pub(crate) fn device_authorization(grant: &DeviceGrant, verification_uri: &str) -> Value {
    json!({
        "device_code": grant.device_code,
        "user_code": grant.user_code,
        "verification_uri": verification_uri,
        "expires_in": grant.lifetime.as_secs(),
        "interval": seconds(grant.interval),
    })
}

/// The body of RFC 6749 section 5.1.
pub(crate) fn token_response(issued: &Issued) -> Value {
    let mut body = json!({
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.expires_in(),
        "scope": issued.scope,
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh);
    }
    body
}

/// An integer if it is one.
fn seconds(duration: Duration) -> Value {
    if duration.subsec_nanos() == 0 {
        json!(duration.as_secs())
    } else {
        json!(duration.as_secs_f64())
    }
}
