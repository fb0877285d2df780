//! A company's proxy and its certificate authority.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use llm_auth_testkit::{Fault, Operation};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::support::done::Done;
use crate::support::user::User;

/// A name that only the proxy knows the way to.
const PROVIDER: &str = "https://vendor.example";

/// A proxy that ends the TLS of `vendor.example` with a certificate of the company's authority,
/// and hands the requests to the testkit.
pub(super) struct Company {
    pub(super) user: User,
    pub(super) proxy: SocketAddr,
    pub(super) ca: PathBuf,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    tunnels: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Company {
    pub(super) fn new() -> Self {
        let user = User::new();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca = user.directory.path().join("company-ca.pem");
        fs::write(&ca, authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["vendor.example".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let provider = user.kit.base_url().replace("http://", "");
        let (asked, tunnels) = (Arc::default(), Arc::default());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let proxy = listener.local_addr().unwrap();
        let (received, count) = (Arc::clone(&asked), Arc::clone(&tunnels));
        drop(runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, provider) = (acceptor.clone(), provider.clone());
                let (received, count) = (Arc::clone(&received), Arc::clone(&count));
                drop(tokio::spawn(async move {
                    tunnel(stream, &acceptor, &provider, &received, &count).await;
                }));
            }
        }));
        Self {
            user,
            proxy,
            ca,
            asked,
            tunnels,
            _runtime: runtime,
        }
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.user.command(args);
        command
            .env("LLM_AUTH_QWEN_BASE_URL", PROVIDER)
            .env("LLM_AUTH_CA_FILE", &self.ca)
            .env(
                "HTTPS_PROXY",
                format!("http://mia:made-up-password@{}", self.proxy),
            );
        command
    }

    /// Without a word about certificates, and Gemini at its own servers.
    pub(super) fn doubtful(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command
            .current_dir(self.user.directory.path())
            .env_remove("LLM_AUTH_CA_FILE")
            .env_remove("LLM_AUTH_GEMINI_BASE_URL");
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().unwrap().into()
    }

    /// The provider's next sign-in leads there.
    pub(super) fn names_page(&self, page: &str) {
        let patch = json!({"verification_uri": page, "verification_uri_complete": page});
        let qwen = self.user.kit.qwen();
        qwen.fault(Operation::DeviceAuthorization, Fault::patch(patch));
    }

    pub(super) fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

async fn tunnel(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    provider: &str,
    received: &Mutex<Vec<String>>,
    tunnels: &AtomicUsize,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        request.push(byte);
    }
    let request = String::from_utf8(request).unwrap();
    received.lock().unwrap().push(request.clone());
    // "mia:made-up-password"
    if !request.contains("bWlhOm1hZGUtdXAtcGFzc3dvcmQ=") {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                       Proxy-Authenticate: Basic realm=\"company\"\r\nContent-Length: 0\r\n\r\n";
        let _gone = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let Ok(mut inside) = acceptor.accept(stream).await else {
        return;
    };
    tunnels.fetch_add(1, Ordering::SeqCst);
    let mut outside = TcpStream::connect(provider).await.unwrap();
    let _either_ends = copy_bidirectional(&mut inside, &mut outside).await;
}
