//! The TLS side of the client: the cryptography provider and the trusted certificates.
//!
//! See decision 0013.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};

/// How many configurations are kept. A program has one or two.
const KEPT: usize = 8;

/// Every configuration of this process. Reading the system's certificates takes milliseconds and a
/// hundred kilobytes, so clients that trust the same certificates share one.
static MADE: Mutex<Vec<(Trust, ClientConfig)>> = Mutex::new(Vec::new());

/// The key of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Trust {
    /// The program's own cryptography provider, which is set once.
    chosen: Option<usize>,
    extra: Vec<CertificateDer<'static>>,
}

/// TLS 1.2 or later. The operating system's verifier checks certificates, plus `extra` ones.
///
/// It is made once for each `extra`. A failure is not kept, so that certificates that are installed
/// later are found.
// See decision 0036.
pub(super) fn config(extra: &[CertificateDer<'static>]) -> Result<ClientConfig> {
    let chosen = CryptoProvider::get_default().map(|chosen| Arc::as_ptr(chosen).addr());
    let wanted = Trust {
        chosen,
        extra: extra.to_vec(),
    };
    // Held while a configuration is made, since other callers would only make the same.
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, config)) = made.iter().find(|(trust, _)| *trust == wanted) {
        return Ok(config.clone());
    }
    let config = make(&wanted.extra)?;
    if made.len() == KEPT {
        made.remove(0);
    }
    made.push((wanted, config.clone()));
    Ok(config)
}

fn make(extra: &[CertificateDer<'static>]) -> Result<ClientConfig> {
    let provider = provider()?;
    let no_certificates = |source: rustls::Error| {
        match source {
        // An extra certificate cannot be read.
        rustls::Error::InvalidCertificate(_) => Error::new(
            ErrorKind::Config,
            "an additional CA certificate cannot be used",
        )
        .with_source(source),
        _ => Error::new(
            ErrorKind::System,
            "no CA certificate of this system can be read: install the package ca-certificates, or \
             correct the file or directory that replaces it",
        )
        .with_source(source)
        .with_untrusted_system(),
    }
    };
    let failed = |source: rustls::Error| {
        Error::new(ErrorKind::System, "cannot prepare TLS certificate checks").with_source(source)
    };
    let verifier = if extra.is_empty() {
        Verifier::new(Arc::clone(&provider))
    } else {
        Verifier::new_with_extra_roots(extra.iter().cloned(), Arc::clone(&provider))
    }
    .map_err(no_certificates)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Whether a request failed because no trusted authority has signed the server's certificate.
pub(super) fn is_untrusted_issuer(error: &(dyn StdError + 'static)) -> bool {
    matches!(
        tls_error(error),
        Some(rustls::Error::InvalidCertificate(
            // The second: an issuer with that name is trusted, but has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ))
    )
}

/// Whether a request failed because what listens there does not use TLS.
pub(super) fn is_no_tls(error: &(dyn StdError + 'static)) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidMessage(_)))
}

/// The TLS library's error among the causes. I/O errors hold theirs inside, and return the cause of
/// that error as their own.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let inner: Option<&'a (dyn StdError + 'static)> = match error.downcast_ref::<io::Error>() {
        Some(outer) => outer.get_ref().map(|inner| inner as _),
        None => error.source(),
    };
    inner.and_then(tls_error)
}

/// The certificates of a PEM file.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = || {
        Error::new(
            ErrorKind::Config,
            "the CA file contains no readable PEM certificate",
        )
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|source| unreadable().with_source(io::Error::other(source.to_string())))?;
    if found.is_empty() {
        return Err(unreadable());
    }
    Ok(found)
}

/// The program's own provider first, then the compiled-in one.
pub(crate) fn provider() -> Result<Arc<CryptoProvider>> {
    if let Some(chosen) = CryptoProvider::get_default() {
        return Ok(Arc::clone(chosen));
    }
    // `ring` may be on only by default, while `aws-lc-rs` was requested.
    #[cfg(feature = "aws-lc-rs")]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return Err(Error::new(
        ErrorKind::Config,
        "no TLS backend: enable the feature `ring` or `aws-lc-rs`, or install a rustls default \
         provider",
    ));
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> CertificateDer<'static> {
        let params = CertificateParams::new([]).unwrap();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    /// Whether two configurations were made for one key.
    fn is_same(one: &ClientConfig, other: &ClientConfig) -> bool {
        Arc::ptr_eq(one.crypto_provider(), other.crypto_provider())
    }

    #[test]
    fn the_same_trust_is_made_once_and_other_trust_stays_apart() {
        let (a, b) = (certificate(), certificate());
        let key = |extra: &[CertificateDer<'static>]| {
            config(extra).unwrap();
            let made = MADE.lock().unwrap();
            made.iter()
                .filter(|(trust, _)| trust.extra == extra)
                .count()
        };
        for extra in [vec![a.clone()], vec![b.clone()], vec![a.clone(), b]] {
            assert_eq!((key(&extra), key(&extra)), (1, 1));
        }
        assert!(is_same(&config(&[]).unwrap(), &config(&[]).unwrap()));
        assert!(!is_same(&config(&[]).unwrap(), &config(&[a]).unwrap()));
        for _ in 0..2 * KEPT {
            config(&[certificate()]).unwrap();
        }
        assert!(MADE.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn a_failure_is_not_kept() {
        let broken = CertificateDer::from(b"made-up".to_vec());
        for _ in 0..2 {
            assert!(config(std::slice::from_ref(&broken)).is_err());
        }
        let made = MADE.lock().unwrap();
        assert!(made.iter().all(|(trust, _)| !trust.extra.contains(&broken)));
    }
}
