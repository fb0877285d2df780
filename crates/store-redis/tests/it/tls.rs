//! TLS, with a certificate authority of the caller.

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, TokenStore as _};
use llm_auth_store_redis::RedisStore;
use rcgen::{CertificateParams, KeyPair};

use crate::support::server::{RedisServer, free_port};
use crate::support::{key, session, stored};

fn fault(error: &Error) -> Option<ServerFault> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<ServerError>()?.fault())
}

#[tokio::test]
async fn sessions_are_stored_over_tls_with_the_callers_authority_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let pair = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&pair)
        .unwrap();
    std::fs::write(path("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(path("key.pem"), pair.serialize_pem()).unwrap();
    let port = free_port().to_string();
    let (cert, pair) = (path("cert.pem"), path("key.pem"));
    let arguments = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &pair,
        "--tls-auth-clients",
        "no",
    ];
    let Some(_server) = RedisServer::start("TLS", &arguments) else {
        return;
    };
    let url = format!("rediss://localhost:{port}");
    let builder = RedisStore::builder(&*url).root_certificate(certificate.pem());
    let store = builder.connect().await.unwrap();
    store
        .lock(&key())
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    assert_eq!(stored(&store).await, Some(session(1)));
    let error = RedisStore::builder(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(format!("{error:#}").contains("certificate"), "{error:#}");
    assert_eq!(fault(&error), Some(ServerFault::Certificate), "{error:#}");
    // A certificate of another name.
    let url = format!("rediss://127.0.0.1:{port}");
    let builder = RedisStore::builder(url).root_certificate(certificate.pem());
    let error = builder.connect().await.unwrap_err();
    assert_eq!(
        fault(&error),
        Some(ServerFault::CertificateName),
        "{error:#}"
    );
}
