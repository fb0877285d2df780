//! A company's network: a proxy on the way out, and a certificate authority of its own.

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
const VENDOR: &str = "https://vendor.example";

/// A proxy that ends the TLS of `vendor.example` with a certificate of the company's authority,
/// and hands the requests to the testkit.
struct Company {
    user: User,
    proxy: SocketAddr,
    ca: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    tunnels: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Company {
    fn new() -> Self {
        let user = User::new();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca = user.directory.path().join("company-ca.pem");
        fs::write(&ca, authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["vendor.example".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
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
        let vendor = user.kit.base_url().replace("http://", "");
        let (asked, tunnels) = (Arc::default(), Arc::default());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let proxy = listener.local_addr().unwrap();
        let (heard, count) = (Arc::clone(&asked), Arc::clone(&tunnels));
        drop(runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, vendor) = (acceptor.clone(), vendor.clone());
                let (heard, count) = (Arc::clone(&heard), Arc::clone(&count));
                drop(tokio::spawn(async move {
                    tunnel(stream, &acceptor, &vendor, &heard, &count).await;
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

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.user.command(args);
        command
            .env("LLM_AUTH_QWEN_BASE_URL", VENDOR)
            .env("LLM_AUTH_CA_FILE", &self.ca)
            .env(
                "HTTPS_PROXY",
                format!("http://mia:made-up-password@{}", self.proxy),
            );
        command
    }

    /// Without a word about certificates, and Gemini at its own servers.
    fn doubtful(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command
            .current_dir(self.user.directory.path())
            .env_remove("LLM_AUTH_CA_FILE")
            .env_remove("LLM_AUTH_GEMINI_BASE_URL");
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().unwrap().into()
    }

    /// The vendor's next sign-in leads there.
    fn names_page(&self, page: &str) {
        let patch = json!({"verification_uri": page, "verification_uri_complete": page});
        let qwen = self.user.kit.qwen();
        qwen.fault(Operation::DeviceAuthorization, Fault::patch(patch));
    }

    fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

async fn tunnel(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    vendor: &str,
    heard: &Mutex<Vec<String>>,
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
    heard.lock().unwrap().push(request.clone());
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
    let mut outside = TcpStream::connect(vendor).await.unwrap();
    let _either_ends = copy_bidirectional(&mut inside, &mut outside).await;
}

#[test]
fn the_sign_in_and_the_renewal_take_the_same_proxy_and_believe_the_same_authority() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    let done = company.run(&["login", "qwen"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("could read this sign-in"), "{done:?}");
    let at_login = company.tunnels();
    assert!(at_login > 0);
    company.user.expire("qwen");
    let proxy = company.proxy.to_string();
    let done = company.run(&["token", "qwen", "--trust-endpoint", &proxy]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(company.tunnels(), at_login + 1);
    assert_eq!(company.user.kit.qwen().counters().refreshes, 1);
    let asked = company.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .all(|request| request.starts_with("CONNECT vendor.example:443 ")),
        "{asked:?}"
    );
}

/// Commands that would send what is stored.
const SENDING: [&[&str]; 4] = [
    &["token", "qwen"],
    &["token", "qwen", "--force-refresh"],
    &["exec", "qwen", "--", "env"],
    &["login", "gemini"],
];

#[test]
fn a_stored_session_is_not_sent_past_a_proxy_that_could_read_it() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let (stored, before) = (company.user.stored("qwen"), company.tunnels());
    // The TLS library takes a blank for the name of a file.
    let blank = company.user.directory.path().join(" ");
    fs::copy(&company.ca, &blank).unwrap();
    let ca = company.ca.as_os_str();
    for variables in [
        &[("LLM_AUTH_CA_FILE", ca)][..],
        &[("SSL_CERT_FILE", ca)],
        &[("SSL_CERT_FILE", ca), ("LLM_AUTH_CA_FILE", ca)],
        &[("SSL_CERT_FILE", " ".as_ref())],
        &[("SSL_CERT_DIR", ".".as_ref())],
    ] {
        for args in SENDING {
            let mut command = company.doubtful(args);
            command.envs(variables.iter().copied());
            let done = Done::from(command.output().unwrap());
            done.assert_failed(1, "could read");
            for named in ["HTTPS_PROXY", variables[0].0, &company.proxy.to_string()] {
                assert!(done.err.contains(named), "{named}: {done:?}");
            }
            assert!(!done.err.contains("made-up-password"), "{done:?}");
        }
    }
    assert_eq!(company.tunnels(), before, "nothing went through");
    assert_eq!(company.user.stored("qwen"), stored);
    // Without a word about certificates it is a tunnel and no more.
    let done = Done::from(company.doubtful(&["token", "qwen"]).output().unwrap());
    done.assert_failed(4, "");
    // Qwen is told nothing when its session is forgotten.
    assert_eq!(company.run(&["logout", "qwen"]).code, Some(0));
    assert_eq!(company.tunnels(), before);
}

#[test]
fn the_way_is_judged_by_the_server_that_the_session_is_sent_to() {
    let company = Company::new();
    let session = json!({
        "access": "made-up-access", "refresh": "made-up-refresh", "expires": 1,
        "llm_auth": {
            "provider": "minimax", "account": "default",
            "server": "https://account.minimaxi.com", "context": {"region": "cn"},
        },
    });
    let file = company.user.file("minimax", "default");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, session.to_string()).unwrap();
    let mut command = company.doubtful(&["token", "minimax"]);
    command
        .env_remove("LLM_AUTH_MINIMAX_BASE_URL")
        .env("LLM_AUTH_CA_FILE", &company.ca)
        .env("NO_PROXY", "account.minimax.io");
    let done = Done::from(command.output().unwrap());
    done.assert_failed(1, "could read the session minimax");
    assert_eq!(company.tunnels(), 0);
}

#[test]
fn no_host_stands_for_another_that_a_proxy_is_at() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let before = company.tunnels();
    let port = company.proxy.port();
    let proxy = format!("mia:made-up-password@{}", company.proxy);
    let (no_url, readable) = ("HTTPS_PROXY cannot be used", "could read");
    for (url, trusted, why) in [
        (
            format!("http://{proxy}/@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}\\@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}?@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}#@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("socks5h://{proxy}/@relay.example"),
            "relay.example",
            no_url,
        ),
        (format!("http:/{proxy}"), "http", no_url),
        (format!("http://{proxy}"), "127.0.0.1", readable),
        (format!("http://{proxy}"), "relay.example", readable),
        (
            format!("http://{proxy}"),
            &format!("localhost:{port}"),
            readable,
        ),
        (
            format!("http://{proxy}"),
            &format!("https://127.0.0.1:{port}"),
            readable,
        ),
    ] {
        let mut command = company.command(&["token", "qwen", "--trust-endpoint", trusted]);
        command.env("HTTPS_PROXY", &url);
        let done = Done::from(command.output().unwrap());
        done.assert_failed(1, why);
        assert!(!done.err.contains("made-up-password"), "{done:?}");
        assert_eq!(company.tunnels(), before, "{url}: {done:?}");
    }
}

#[test]
fn a_searched_domain_and_certificates_of_the_environment_are_a_way_round_too() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let mut command = company.command(&["token", "qwen"]);
    command
        .env_remove("HTTPS_PROXY")
        .env("LOCALDOMAIN", "evil.example")
        .env("RES_OPTIONS", "ndots:9");
    let done = Done::from(command.output().unwrap());
    done.assert_failed(1, "LOCALDOMAIN");
    assert!(
        done.err.contains("unset LOCALDOMAIN and LLM_AUTH_CA_FILE"),
        "{done:?}"
    );
}

#[test]
fn a_proxy_that_wants_to_know_who_asks_is_named_without_the_password() {
    let company = Company::new();
    let proxy = format!("http://mia:wrong-password@{}", company.proxy);
    for (variable, args) in [
        ("HTTPS_PROXY", &["login", "qwen"][..]),
        ("https_proxy", &["login", "qwen"]),
        ("ALL_PROXY", &["login", "qwen"]),
        ("all_proxy", &["doctor", "qwen"]),
    ] {
        let mut command = company.command(args);
        command.env_remove("HTTPS_PROXY").env(variable, &proxy);
        let done = Done::from(command.output().unwrap());
        assert_eq!(done.code, Some(1), "{done:?}");
        let said = format!("{}{}", done.out, done.err);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            &company.proxy.to_string(),
            "407",
            &format!("correct user and password in {variable} "),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("wrong-password"), "{said}");
        assert!(!said.contains("the client, the scope"), "{said}");
    }
}

#[test]
fn without_the_authority_the_certificate_is_refused_and_nothing_is_sent() {
    let company = Company::new();
    let output = company
        .command(&["login", "qwen"])
        .env_remove("LLM_AUTH_CA_FILE")
        .output();
    let done = Done::from(output.unwrap());
    done.assert_failed(4, "certificate");
    assert_eq!(company.tunnels(), 0);
    assert_eq!(company.user.kit.qwen().counters().device_requests, 0);
}

#[test]
fn what_the_proxy_is_not_for_goes_without_it() {
    let company = Company::new();
    for except in [
        "vendor.example",
        "vendor.example:443",
        " x.example:1, .example:443\r\n",
    ] {
        let output = company
            .command(&["login", "qwen"])
            .env("NO_PROXY", except)
            .output();
        let done = Done::from(output.unwrap());
        done.assert_failed(4, "vendor.example");
        assert!(!done.err.contains("through the proxy"), "{done:?}");
        assert!(company.asked.lock().unwrap().is_empty(), "{except}");
    }
}

#[test]
fn a_vendor_on_the_network_names_no_page_inside() {
    let company = Company::new();
    for page in [
        "http://127.0.0.1:631/admin",
        "https://localhost/device",
        "https://[::1]/device",
        "https://192.168.1.1/reboot",
        "https://169.254.169.254/latest",
    ] {
        company.names_page(page);
        let done = company.run(&["login", "qwen", "--json"]);
        done.assert_failed(1, "names a page on this computer or its network");
        assert!(!done.out.contains("device_code"), "{done:?}");
    }
    assert_eq!(company.user.kit.qwen().counters().polls, 0);
}

#[test]
fn a_bundle_that_stands_in_for_the_systems_is_used_and_named_where_it_breaks_tls() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    let other = company.user.directory.path().join("other-ca.pem");
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(&other, params.self_signed(&key).unwrap().pem()).unwrap();
    for (bundle, good) in [(&company.ca, true), (&other, false)] {
        let output = company
            .command(&["login", "qwen"])
            .env_remove("LLM_AUTH_CA_FILE")
            .env("SSL_CERT_FILE", bundle)
            // Beside one that names something it counts as not set.
            .env("SSL_CERT_DIR", "")
            .output();
        let done = Done::from(output.unwrap());
        if good {
            assert_eq!(done.code, Some(0), "{done:?}");
        } else {
            done.assert_failed(1, &format!("SSL_CERT_FILE={}", other.display()));
        }
    }
}
