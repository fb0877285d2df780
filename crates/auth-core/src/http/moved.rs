//! Redirects of credential endpoints, and what they mean.
//!
//! See decision 0005.

use reqwest::header::HeaderValue;

use crate::echo::repeats;
use crate::error::{Error, ErrorKind};
use crate::sanitize::{clean, shown};
use crate::secret::Secret;
use crate::secure_url::{SecureUrl, host_of};

/// The longest `Location` that is read.
const LONGEST: usize = 2_048;

/// The client never follows a redirect with a credential. One that keeps the method (307, 308) and
/// leads to a URL fit for credentials means that the endpoint has moved (MiniMax did so,
/// openclaw/openclaw#89389). Any other comes from something in between, such as the sign-in page of
/// a wireless network.
pub(super) fn redirected(
    endpoint: &SecureUrl,
    status: u16,
    location: Option<&HeaderValue>,
    secrets: &[Secret],
) -> Error {
    let host = endpoint.host();
    let target = location
        .and_then(|value| value.to_str().ok())
        .and_then(|value| endpoint.url().join(value).ok())
        .filter(|url| url.as_str().len() <= LONGEST);
    let moved_to = target
        .as_ref()
        .filter(|_| matches!(status, 307 | 308))
        .and_then(|url| SecureUrl::new(url.as_str()).ok())
        .filter(|target| endpoint.may_name(target))
        .filter(|target| !repeats(target.as_str(), secrets));
    let there = target
        .as_ref()
        .and_then(|url| shown(&host_of(url), 200, secrets));
    let error = match moved_to {
        Some(moved) => {
            let mut place = moved.url().clone();
            place.set_query(None);
            let place = clean(place.as_str(), 200, &[]);
            Error::new(
                ErrorKind::Redirected,
                format!(
                    "the endpoint at {host} has moved to {place} (status {status}); set the new endpoint"
                ),
            )
            .with_moved_to(place)
        }
        None => Error::new(
            ErrorKind::Transient,
            format!(
                "{host} returned a redirect to {} (status {status}): a network sign-in page or a \
                 proxy may be in between",
                there.as_deref().unwrap_or("nowhere"),
            ),
        ),
    };
    let error = error.with_status(status);
    match there {
        Some(there) => error.with_redirected_to(there),
        None => error,
    }
}
