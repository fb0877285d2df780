//! The TLS side of the client: which cryptography, and whom to trust.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};

/// TLS 1.2 or later, certificates judged as the operating system does, plus `extra` ones.
pub(super) fn config(extra: &[CertificateDer<'static>]) -> Result<ClientConfig> {
    let provider = provider()?;
    let trouble = |source: rustls::Error| {
        Error::new(ErrorKind::System, "cannot prepare TLS certificate checks").with_source(source)
    };
    let verifier = if extra.is_empty() {
        Verifier::new(Arc::clone(&provider))
    } else {
        Verifier::new_with_extra_roots(extra.iter().cloned(), Arc::clone(&provider))
    }
    .map_err(trouble)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(trouble)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The certificates of a PEM file.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = || {
        Error::new(
            ErrorKind::Config,
            "the CA file holds no PEM certificate that can be read",
        )
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|source| unreadable().with_source(std::io::Error::other(source.to_string())))?;
    if found.is_empty() {
        return Err(unreadable());
    }
    Ok(found)
}

/// The program's own choice first, then the one that is compiled in.
fn provider() -> Result<Arc<CryptoProvider>> {
    if let Some(chosen) = CryptoProvider::get_default() {
        return Ok(Arc::clone(chosen));
    }
    // `ring` may be on by default only; `aws-lc-rs` was asked for.
    #[cfg(feature = "aws-lc-rs")]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return Err(Error::new(
        ErrorKind::Config,
        "no TLS back end: switch on the feature `ring` or `aws-lc-rs`, or install a rustls default provider",
    ));
}
