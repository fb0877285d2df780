//! Unguessable values: code verifier, `state`, request id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// A `state` parameter with 256 bits of entropy (RFC 6749 sections 10.10 and 10.12).
///
/// # Errors
///
/// [`ErrorKind::System`] if the operating system provides no randomness.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::random_state;
///
/// assert_ne!(random_state()?, random_state()?);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
pub fn random_state() -> Result<Secret> {
    token_32().map(Secret::from)
}

/// A version 4 UUID for an `x-request-id` header.
///
/// # Errors
///
/// [`ErrorKind::System`] if the operating system provides no randomness.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::request_id;
///
/// assert_eq!(request_id()?.len(), 36);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
pub fn request_id() -> Result<String> {
    let mut octets = bytes::<16>()?;
    octets[6] = (octets[6] & 0x0f) | 0x40;
    octets[8] = (octets[8] & 0x3f) | 0x80;
    let value = u128::from_be_bytes(octets);
    Ok(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        value >> 96,
        (value >> 80) & 0xffff,
        (value >> 64) & 0xffff,
        (value >> 48) & 0xffff,
        value & 0xffff_ffff_ffff
    ))
}

/// 32 random octets in base64url without padding: 43 characters.
pub(crate) fn token_32() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// A number in `0.0..1.0`, for jitter; 0.5 without randomness.
pub(crate) fn fraction() -> f64 {
    bytes::<4>().map_or(0.5, |octets| {
        f64::from(u32::from_be_bytes(octets)) / (f64::from(u32::MAX) + 1.0)
    })
}

fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|source| {
        Error::new(
            ErrorKind::System,
            "cannot read random bytes from the operating system",
        )
        .with_source(std::io::Error::other(source.to_string()))
    })?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_has_the_form_of_uuid_v4() {
        let id = request_id().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_ne!(id, request_id().unwrap());
    }

    #[test]
    fn two_states_differ() {
        assert_ne!(random_state().unwrap(), random_state().unwrap());
    }
}
