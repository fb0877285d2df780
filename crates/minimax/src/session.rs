//! What a session remembers of where it was made.

use llm_auth_core::{OAuthToken, Result, SecureUrl};

use crate::dialect::Region;
use crate::endpoints::MiniMaxEndpoints;

const REGION: &str = "region";
const DIALECT: &str = "dialect";
const CLIENT_ID: &str = "client_id";

/// A session that was issued at these endpoints.
pub(crate) fn begin(token: OAuthToken, endpoints: &MiniMaxEndpoints) -> OAuthToken {
    noted(token, endpoints).issued_by(&endpoints.token)
}

/// A session that remembers its region and client.
pub(crate) fn noted(mut token: OAuthToken, endpoints: &MiniMaxEndpoints) -> OAuthToken {
    let context = &mut token.metadata.provider_data;
    context.insert(REGION.into(), endpoints.region.name().into());
    context.insert(DIALECT.into(), endpoints.dialect.name().into());
    context.insert(CLIENT_ID.into(), endpoints.client_id.clone());
    token
}

/// The endpoints that a session belongs to; those of `default` where it remembers nothing.
///
/// A region or dialect that this version does not know is an error: the refresh token of one
/// server must not be sent to another (RFC 6749 section 10.4).
pub(crate) fn endpoints_of(
    token: &OAuthToken,
    default: &MiniMaxEndpoints,
) -> Result<MiniMaxEndpoints> {
    let remembered = |name| token.metadata.provider_data.get(name);
    let region = match remembered(REGION) {
        Some(name) => name.parse()?,
        None => region_of(token).unwrap_or(default.region),
    };
    let dialect = match remembered(DIALECT) {
        Some(name) => name.parse()?,
        None => default.dialect,
    };
    let mut endpoints = if (region, dialect) == (default.region, default.dialect) {
        default.clone()
    } else {
        moved_as(default, MiniMaxEndpoints::new(region, dialect))?
    };
    if let Some(client_id) = remembered(CLIENT_ID) {
        endpoints.client_id.clone_from(client_id);
    }
    Ok(endpoints)
}

/// Endpoints that were set on purpose count for every region and dialect; each for itself, so
/// that a token endpoint set alone takes the access token to no other API.
fn moved_as(default: &MiniMaxEndpoints, other: MiniMaxEndpoints) -> Result<MiniMaxEndpoints> {
    let known = MiniMaxEndpoints::new(default.region, default.dialect);
    let is_whole =
        default.device_authorization.base() == default.token.base() && default.token != known.token;
    let revocation = match (&default.revocation, &known.revocation, &other.revocation) {
        (Some(given), Some(known), Some(other)) => Some(moved(given, known, other)?),
        // A server that was moved as a whole has its own.
        (None, None, Some(other)) if is_whole => Some(moved(&default.token, &known.token, other)?),
        (Some(given), None, _) => Some(given.clone()),
        _ => other.revocation.clone(),
    };
    Ok(MiniMaxEndpoints {
        device_authorization: moved(
            &default.device_authorization,
            &known.device_authorization,
            &other.device_authorization,
        )?,
        token: moved(&default.token, &known.token, &other.token)?,
        api_base: moved(&default.api_base, &known.api_base, &other.api_base)?,
        revocation,
        ..other
    })
}

/// Another region's or dialect's endpoint, where this one's was given instead of the known one.
fn moved(given: &SecureUrl, known: &SecureUrl, other: &SecureUrl) -> Result<SecureUrl> {
    if given == known {
        return Ok(other.clone());
    }
    let base = given.base();
    if known.with_base(&base)? == *given {
        return other.with_base(&base);
    }
    Ok(given.clone())
}

/// The region of the API that the session names: token files of gochat say nothing else.
fn region_of(token: &OAuthToken) -> Option<Region> {
    let named = SecureUrl::new(token.resource_url.as_deref()?).ok()?;
    Region::of_host(&named.host())
}

/// A longer base URL is none.
const LONGEST_URL: usize = 2048;

/// The API that the session names, if it is a URL that may have a bearer token.
pub(crate) fn named_api(token: &OAuthToken) -> Option<SecureUrl> {
    let named = SecureUrl::new(token.resource_url.as_deref()?).ok()?;
    let is_plain = !named.as_str().contains('?') && named.as_str().len() <= LONGEST_URL;
    is_plain.then_some(named)
}
