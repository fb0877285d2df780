//! Proof Key for Code Exchange (RFC 7636), method S256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::secret::Secret;

/// A code verifier and its code challenge for one authorization request.
///
/// Not `Clone`: a verifier serves one request
/// ([RFC 7636 section 4.1](https://www.rfc-editor.org/rfc/rfc7636#section-4.1)).
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::provider::Pkce;
///
/// let pkce = Pkce::generate()?;
/// assert_eq!(pkce.verifier().expose().len(), 43);
/// assert_eq!(pkce.challenge().len(), 43);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pkce {
    verifier: Secret,
    challenge: String,
}

impl Pkce {
    /// The value of `code_challenge_method`. `plain` is never used (RFC 7636 section 7.2).
    pub const METHOD: &'static str = "S256";

    /// A new pair from 32 random octets: 256 bits, 43 characters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`] if the operating system provides no randomness.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Pkce;
    ///
    /// let (one, other) = (Pkce::generate()?, Pkce::generate()?);
    /// assert_ne!(one.challenge(), other.challenge());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn generate() -> Result<Self> {
        Self::from_verifier(random::token_32()?.into())
    }

    /// The pair that belongs to a verifier made elsewhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] unless it has 43 to 128 characters of `A-Z a-z 0-9 - . _ ~`
    /// (RFC 7636 section 4.1).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Pkce;
    ///
    /// // RFC 7636 appendix B.
    /// let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into())?;
    /// assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn from_verifier(verifier: Secret) -> Result<Self> {
        let text = verifier.expose();
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if !(43..=128).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(Error::new(
                ErrorKind::Config,
                "a code verifier must have 43 to 128 characters of A-Z a-z 0-9 - . _ ~",
            ));
        }
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()));
        Ok(Self {
            verifier,
            challenge,
        })
    }

    /// The code verifier, which stays here until the token request.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::{Form, Pkce};
    ///
    /// let pkce = Pkce::generate()?;
    /// let exchange = Form::new().secret("code_verifier", pkce.verifier());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// The code challenge, for the authorization request.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::{Form, Pkce};
    ///
    /// let pkce = Pkce::generate()?;
    /// let request = Form::new()
    ///     .text("code_challenge", pkce.challenge())
    ///     .text("code_challenge_method", Pkce::METHOD);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_7636_appendix_b_holds() {
        let pkce =
            Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()).unwrap();
        assert_eq!(
            pkce.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        let make = |text: String| Pkce::from_verifier(text.into());
        assert!(make("a".repeat(42)).is_err());
        assert!(make("a".repeat(43)).is_ok());
        assert!(make("~".repeat(128)).is_ok());
        assert!(make("a".repeat(129)).is_err());
        assert!(make(format!("{}+", "a".repeat(43))).is_err());
    }

    #[test]
    fn each_request_gets_its_own_pair_and_debug_hides_the_verifier() {
        let pkce = Pkce::generate().unwrap();
        assert_ne!(pkce.challenge(), Pkce::generate().unwrap().challenge());
        assert!(!format!("{pkce:?}").contains(pkce.verifier().expose()));
    }
}
