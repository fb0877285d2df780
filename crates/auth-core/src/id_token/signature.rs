//! Signatures, verified by the cryptography of the TLS side: a program has no second one, and one
//! that is built for FIPS stays so.

use rustls::SignatureScheme;
use rustls::pki_types::SignatureVerificationAlgorithm;

use crate::error::{Error, ErrorKind, Result};
use crate::http::crypto_provider;

/// Verifies signatures of one algorithm.
pub(super) struct Verifier(&'static dyn SignatureVerificationAlgorithm);

impl Verifier {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3), with keys of 2048 bits or more.
    pub(super) fn rs256() -> Result<Self> {
        let known = crypto_provider()?.signature_verification_algorithms.mapping;
        let found = known
            .iter()
            .find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256)
            .and_then(|(_, algorithms)| algorithms.first());
        found.map(|algorithm| Self(*algorithm)).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "the rustls default provider of this program verifies no RS256 signatures: \
                 install another one",
            )
        })
    }

    /// Whether the owner of the key signed the message.
    pub(super) fn accepts(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_signature(key, message, signature).is_ok()
    }
}
