//! The response to the request for a user code.

use std::time::Duration;

use llm_auth_core::provider::{DeviceAuthorization, JsonObject};
use llm_auth_core::{Error, ErrorKind, Result, Secret, SecureUrl, Timestamp};

use crate::responses::{odd, positive};

/// The possible instants in Unix milliseconds: from September 2001, since a smaller number must be
/// in another unit, to the last one that JavaScript knows, as in OpenClaw.
const INSTANTS: std::ops::RangeInclusive<u64> = 1_000_000_000_000..=8_640_000_000_000_000;

/// Reads the response. With `expired_in` it is MiniMax's own shape, an instant and an interval in
/// milliseconds; with `expires_in` it is that of RFC 8628, in seconds.
pub(crate) fn read(
    fields: &JsonObject,
    poll_with_user_code: bool,
    now: Timestamp,
) -> Result<DeviceAuthorization> {
    let device_code = fields
        .text("device_code")
        .filter(|_| !poll_with_user_code)
        .or_else(|| fields.text("user_code"))
        .map(Secret::from)
        .ok_or_else(|| odd("MiniMax's response contains no user code"))?;
    if fields.has("expired_in") {
        let lifetime = until_deadline(fields, now)?;
        let interval = milliseconds(fields, "interval");
        return DeviceAuthorization::read_with(fields, device_code, lifetime, interval);
    }
    let lifetime = fields
        .seconds("expires_in")?
        .ok_or_else(|| odd("MiniMax's response does not contain the lifetime of the user code"))?;
    let interval = fields.seconds("interval").ok().flatten();
    let mut device = DeviceAuthorization::read_with(fields, device_code, lifetime, interval)?;
    if device.verification_uri_complete.is_none() {
        // MiniMax Code builds the complete page by itself.
        let page = SecureUrl::new(&device.verification_uri)?;
        device.verification_uri_complete =
            Some(page.with_query(&[("user_code", &device.user_code)]));
    }
    Ok(device)
}

fn until_deadline(fields: &JsonObject, now: Timestamp) -> Result<Duration> {
    let deadline = positive(fields, "expired_in")?
        .filter(|millis| INSTANTS.contains(millis))
        .ok_or_else(|| {
            odd("MiniMax's response contains an expired_in that is not a Unix time in milliseconds")
        })?;
    let left = Timestamp::default()
        .after(Duration::from_millis(deadline))
        .since(fields.now(now));
    if left.is_zero() {
        return Err(Error::new(
            ErrorKind::Expired,
            "the user code had expired on arrival: check the clock of this computer",
        ));
    }
    Ok(left)
}

fn milliseconds(fields: &JsonObject, name: &str) -> Option<Duration> {
    let millis = fields.number(name).ok().flatten()?;
    (millis > 0.0).then(|| Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX))
}
