//! The region, dialect and client that a session records.

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

/// A session that records its region and client.
pub(crate) fn noted(mut token: OAuthToken, endpoints: &MiniMaxEndpoints) -> OAuthToken {
    let context = &mut token.metadata.provider_data;
    context.insert(REGION.into(), endpoints.region.name().into());
    context.insert(DIALECT.into(), endpoints.dialect.name().into());
    context.insert(CLIENT_ID.into(), endpoints.client_id.clone());
    token
}

/// The endpoints that a session belongs to; those of `default` if it records nothing.
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

/// Endpoints that were set on purpose apply to every region and dialect, each by itself, so that a
/// token endpoint alone does not send the access token to another API.
fn moved_as(default: &MiniMaxEndpoints, other: MiniMaxEndpoints) -> Result<MiniMaxEndpoints> {
    let known = MiniMaxEndpoints::new(default.region, default.dialect);
    let is_whole =
        default.device_authorization.base() == default.token.base() && default.token != known.token;
    let revocation = match (&default.revocation, &known.revocation, &other.revocation) {
        (Some(configured), Some(known), Some(other)) => Some(moved(configured, known, other)?),
        // A server that moved as a whole has its own.
        (None, None, Some(other)) if is_whole => Some(moved(&default.token, &known.token, other)?),
        (Some(configured), None, _) => Some(configured.clone()),
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

/// Another region's or dialect's endpoint, if this one is configured in place of the known one.
fn moved(configured: &SecureUrl, known: &SecureUrl, other: &SecureUrl) -> Result<SecureUrl> {
    if configured == known {
        return Ok(other.clone());
    }
    let base = configured.base();
    if known.with_base(&base)? == *configured {
        return other.with_base(&base);
    }
    Ok(configured.clone())
}

/// The region of the API in the session: token files of gochat record nothing else.
fn region_of(token: &OAuthToken) -> Option<Region> {
    let named = SecureUrl::new(token.resource_url.as_deref()?).ok()?;
    Region::of_host(&named.host())
}

/// The limit for a base URL.
const LONGEST_URL: usize = 2048;

/// The API in the session, if it is a URL that may receive a bearer token.
pub(crate) fn named_api(token: &OAuthToken) -> Option<SecureUrl> {
    let named = SecureUrl::new(token.resource_url.as_deref()?).ok()?;
    let is_plain = !named.as_str().contains('?') && named.as_str().len() <= LONGEST_URL;
    is_plain.then_some(named)
}
