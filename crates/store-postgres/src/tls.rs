//! TLS to the server, with its certificate checked.

use std::sync::Arc;

use llm_auth_core::{Error, ErrorKind, Result};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use tokio_postgres_rustls::MakeRustlsConnect;

/// TLS 1.2 or later; the verifier of the operating system checks certificates, plus `extra` ones.
pub(crate) fn connector(extra: &[CertificateDer<'static>]) -> Result<MakeRustlsConnect> {
    let provider = provider()?;
    let failed = |source: rustls::Error| {
        Error::new(ErrorKind::System, "cannot prepare TLS certificate checks").with_source(source)
    };
    let verifier = if extra.is_empty() {
        Verifier::new(Arc::clone(&provider))
    } else {
        Verifier::new_with_extra_roots(extra.iter().cloned(), Arc::clone(&provider))
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.map_err(failed)?))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Error::new(
            ErrorKind::Config,
            "the CA file contains no readable PEM certificate",
        )),
    }
}

/// The program's own provider first, then the compiled-in one.
fn provider() -> Result<Arc<CryptoProvider>> {
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
