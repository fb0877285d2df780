//! Trusted certificates: real TLS on a real socket.

use std::error::Error as _;
use std::sync::Arc;

use hyper::Request;
use llm_auth_core::provider::Form;
use llm_auth_core::{Error, ErrorKind, HttpClient, Result, Secret, SecureUrl};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Serves TLS with a certificate for `name`; the endpoint names `localhost`.
    async fn serve(&self, name: &str, expired: bool) -> SecureUrl {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate disconnects here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut buffer = [0; 4096];
            let _request = stream.read(&mut buffer).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }));
        SecureUrl::new(&format!("https://localhost:{port}/token")).unwrap()
    }
}

/// The ways that a request takes: two HTTP libraries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Form,
    Forwarded,
}

const WAYS: [Way; 2] = [Way::Form, Way::Forwarded];

async fn ask(way: Way, endpoint: &SecureUrl, ca: Option<String>) -> Result<u16> {
    let mut http = HttpClient::builder();
    if let Some(pem) = ca {
        http = http.ca_certificates(pem);
    }
    let http = http.build()?;
    if way == Way::Form {
        let answer = http.post_form(endpoint, &Form::new(), &[]).await?;
        return Ok(answer.status());
    }
    let request = Request::post("/").body(String::new()).unwrap();
    let access = Secret::from("made-up");
    let forwarder = http.forwarder();
    let answer = forwarder.forward(endpoint, request, &access).await?;
    Ok(answer.status().as_u16())
}

fn reason(error: &Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn a_certificate_of_an_extra_ca_is_believed() {
    let authority = Authority::new();
    for way in WAYS {
        let endpoint = authority.serve("localhost", false).await;
        let status = ask(way, &endpoint, Some(authority.pem())).await;
        assert_eq!(status.unwrap(), 200, "{way:?}");
    }
}

#[tokio::test]
async fn an_unknown_issuer_an_expired_certificate_and_a_wrong_name_are_refused() {
    let authority = Authority::new();
    let cases = [
        ("localhost", false, false, "UnknownIssuer"),
        ("localhost", true, true, "expired"),
        ("other.example", false, true, "not valid for"),
    ];
    let cases = cases.iter().flat_map(|case| WAYS.map(|way| (way, *case)));
    for (way, (name, expired, trusted, hint)) in cases {
        let endpoint = authority.serve(name, expired).await;
        let error = ask(way, &endpoint, trusted.then(|| authority.pem()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(!error.response_lost(), "nothing was sent");
        assert_eq!(error.is_about_trust(), hint == "UnknownIssuer", "{error:?}");
        assert!(reason(&error).contains(hint), "{name}: {}", reason(&error));
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_one() {
    for way in WAYS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
        });
        let endpoint = SecureUrl::new(&format!("https://localhost:{port}/token")).unwrap();
        let error = ask(way, &endpoint, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(!error.response_lost(), "nothing was sent");
        assert!(error.to_string().contains("does not use TLS"), "{error}");
    }
}

#[tokio::test]
async fn what_one_client_trusts_no_other_does() {
    let (one, other) = (Authority::new(), Authority::new());
    for _ in 0..2 {
        for (authority, trusted, good) in [
            (&one, Some(one.pem()), true),
            (&one, Some(other.pem()), false),
            (&one, None, false),
            (&other, Some(other.pem()), true),
            (&other, Some(one.pem()), false),
            (&other, Some(format!("{}{}", one.pem(), other.pem())), true),
        ] {
            let endpoint = authority.serve("localhost", false).await;
            assert_eq!(ask(Way::Form, &endpoint, trusted).await.is_ok(), good);
        }
    }
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_told_at_once() {
    let error = HttpClient::builder()
        .ca_certificates("nonsense")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
