//! Signing in by pasting, alongside the browser's response.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use llm_auth_core::provider::{CallbackResponse, LoopbackListener};
use llm_auth_core::{
    Error, ErrorKind, LoginEvent, Result, Secret, Silent, UserPrompt, async_trait,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const STATE: &str = "made-up-state";
const ISSUER: &str = "https://accounts.example.com";

/// A user who pastes what the test provides.
#[derive(Debug)]
struct Person {
    pasted: Mutex<mpsc::UnboundedReceiver<String>>,
    heard: mpsc::UnboundedSender<String>,
}

#[async_trait]
impl UserPrompt for Person {
    fn notify(&self, event: &LoginEvent<'_>) {
        let word = match event {
            LoginEvent::Ignored { why, .. } => (*why).to_owned(),
            LoginEvent::CallbackReceived => "answered".to_owned(),
            LoginEvent::Retrying { .. } => "trouble".to_owned(),
            _ => return,
        };
        let _deaf = self.heard.send(word);
    }

    async fn pasted(&self) -> Secret {
        match self.pasted.lock().await.recv().await {
            Some(text) => Secret::from(text),
            None => std::future::pending().await,
        }
    }
}

struct SignIn {
    uri: String,
    paste: mpsc::UnboundedSender<String>,
    heard: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<Result<CallbackResponse>>,
}

fn sign_in() -> SignIn {
    let listener = LoopbackListener::bind("/cb").unwrap();
    let uri = listener.redirect_uri().to_owned();
    let (paste, pasted) = mpsc::unbounded_channel();
    let (say, heard) = mpsc::unbounded_channel();
    let person = Person {
        pasted: Mutex::new(pasted),
        heard: say,
    };
    let task = tokio::spawn(async move {
        let patience = Duration::from_secs(60);
        let state = Secret::from(STATE);
        listener.wait(&state, Some(ISSUER), patience, &person).await
    });
    SignIn {
        uri,
        paste,
        heard,
        task,
    }
}

impl SignIn {
    fn paste(&self, text: impl Into<String>) {
        self.paste.send(text.into()).unwrap();
    }

    async fn code(self) -> String {
        let redirect = self.task.await.unwrap().unwrap();
        let code = redirect.code().expose().to_owned();
        redirect.succeeded().await;
        code
    }
}

#[tokio::test]
async fn the_pasted_final_url_ends_the_wait_and_closes_the_port() {
    let mut sign_in = sign_in();
    let address = sign_in.uri.replace("http://", "").replace("/cb", "");
    sign_in.paste(format!("{}?state={STATE}&code=made-up%2Fcode", sign_in.uri));
    assert_eq!(sign_in.heard.recv().await.unwrap(), "answered");
    assert_eq!(sign_in.code().await, "made-up/code");
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_pasted_code_alone_is_taken() {
    let sign_in = sign_in();
    sign_in.paste("4/made-up-code-alone\n");
    assert_eq!(sign_in.code().await, "4/made-up-code-alone");
}

#[tokio::test]
async fn after_a_lone_code_that_was_none_the_wait_goes_on() {
    let sign_in = sign_in();
    let (uri, paste) = (sign_in.uri.clone(), sign_in.paste.clone());
    paste.send("something-typed-by-mistake".into()).unwrap();
    let redirect = sign_in.task.await.unwrap().unwrap();
    assert_eq!(redirect.code().expose(), "something-typed-by-mistake");
    let trouble = Error::new(ErrorKind::Transient, "made up");
    let (texts, pasted) = mpsc::unbounded_channel();
    let (say, mut heard) = mpsc::unbounded_channel();
    let person = Person {
        pasted: Mutex::new(pasted),
        heard: say,
    };
    texts.send("another-mistake-of-them".into()).unwrap();
    let unknown = Error::new(ErrorKind::Expired, "made up");
    let redirect = redirect.failed(unknown, &person).await.unwrap();
    assert_eq!(redirect.code().expose(), "another-mistake-of-them");
    assert_eq!(heard.recv().await.unwrap(), "trouble");
    // The port is still open for the browser.
    let address = uri.replace("http://", "").replace("/cb", "");
    assert!(TcpStream::connect(&address).await.is_ok());
    // Any other error ends it: the code may be spent (RFC 6749 section 4.1.2).
    let ended = timeout(Duration::from_secs(10), redirect.failed(trouble, &person));
    assert_eq!(
        ended.await.unwrap().unwrap_err().kind(),
        ErrorKind::Transient
    );
}

#[tokio::test]
async fn pasted_urls_that_are_not_of_this_sign_in_change_nothing() {
    let mut sign_in = sign_in();
    let uri = sign_in.uri.clone();
    let elsewhere = uri.replace("/cb", "/other");
    for (text, why) in [
        (format!("{uri}?code=forged"), "a response without state"),
        (
            format!("{uri}?code=forged&state=wrong"),
            "a response with a different state",
        ),
        (
            format!("{uri}?code=forged&state={STATE}&iss=https%3A%2F%2Fevil.example"),
            "a response from a different issuer",
        ),
        (
            format!("{uri}?code=forged&code=other&state={STATE}"),
            "a response with a duplicate parameter",
        ),
        (
            format!("{elsewhere}?code=forged&state={STATE}"),
            "a pasted URL that does not belong to this sign-in",
        ),
        (
            format!("https://evil.example/cb?code=forged&state={STATE}"),
            "a pasted URL that does not belong to this sign-in",
        ),
        (
            "code=forged&state=wrong".into(),
            "a response with a different state",
        ),
        (
            format!("{uri}?state={STATE}"),
            "a pasted URL without a code",
        ),
        (
            format!("https://vendor.example/auth?redirect_uri=x&state={STATE}"),
            "the address of the page to open, not of the page that the browser ends on",
        ),
        (
            "yes".into(),
            "pasted text that is neither the final URL nor a code",
        ),
    ] {
        sign_in.paste(text.clone());
        assert_eq!(sign_in.heard.recv().await.unwrap(), why, "{text}");
    }
    sign_in.paste(format!("?code=real&state={STATE}"));
    assert_eq!(sign_in.code().await, "real");
}

#[tokio::test]
async fn a_pasted_refusal_is_one() {
    let sign_in = sign_in();
    sign_in.paste(format!("{}?error=access_denied&state={STATE}", sign_in.uri));
    let error = sign_in.task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

/// A user whose input never ends, with a different text each time if it is numbered.
#[derive(Debug, Default)]
struct Flood {
    numbered: bool,
    count: AtomicUsize,
}

#[async_trait]
impl UserPrompt for Flood {
    fn notify(&self, _event: &LoginEvent<'_>) {}

    async fn pasted(&self) -> Secret {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let number = if self.numbered { count } else { 0 };
        Secret::from(format!("made-up-code-number-{number}"))
    }
}

#[tokio::test]
async fn a_flood_of_codes_is_not_redeemed_and_does_not_keep_the_end_from_coming() {
    for (numbered, most) in [(false, 1), (true, 3)] {
        let flood = Flood {
            numbered,
            ..Flood::default()
        };
        let listener = LoopbackListener::bind("/cb").unwrap();
        let patience = Duration::from_millis(100);
        let state = Secret::from(STATE);
        let mut waited = listener.wait(&state, None, patience, &flood).await;
        let mut redeemed = 0;
        while let Ok(redirect) = waited {
            redeemed += 1;
            let unknown = Error::new(ErrorKind::Expired, "made up");
            waited = redirect.failed(unknown, &flood).await;
        }
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::Expired);
        assert_eq!(redeemed, most);
    }
}

/// A sign-in whose bare code is being redeemed, and the browser that comes meanwhile.
async fn overtaken(code: &str) -> (CallbackResponse, JoinHandle<String>) {
    let sign_in = sign_in();
    let host = sign_in.uri.replace("http://", "").replace("/cb", "");
    sign_in.paste("pasted-code-all-alone");
    let redirect = sign_in.task.await.unwrap().unwrap();
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let request = format!("GET /cb?code={code}&state={STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    // A second connection gets a response only after the first.
    let mut second = TcpStream::connect(&host).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    let mut refused = String::new();
    second.read_to_string(&mut refused).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 410"), "{refused}");
    let page = tokio::spawn(async move {
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    });
    (redirect, page)
}

#[tokio::test]
async fn a_browser_that_comes_while_a_pasted_code_is_redeemed_is_not_cut_off() {
    let (redirect, page) = overtaken("another").await;
    redirect.succeeded().await;
    assert!(page.await.unwrap().contains("Approved"));

    // The browser's response counts, with any outcome of the pasted code.
    for kind in [ErrorKind::Expired, ErrorKind::Transient] {
        let (redirect, page) = overtaken("another").await;
        let error = Error::new(kind, "made up");
        let redirect = redirect.failed(error, &Silent).await.unwrap();
        assert_eq!(redirect.code().expose(), "another");
        redirect.succeeded().await;
        assert!(page.await.unwrap().contains("Approved"));
    }

    // Unless it is the same one: a code is redeemed once.
    let (redirect, page) = overtaken("pasted-code-all-alone").await;
    let error = Error::new(ErrorKind::Expired, "made up");
    assert!(redirect.failed(error, &Silent).await.is_err());
    assert!(page.await.unwrap().contains("Something went wrong"));
}

#[tokio::test]
async fn the_browser_may_still_be_the_faster_one() {
    let sign_in = sign_in();
    sign_in.paste("no");
    let host = sign_in.uri.replace("http://", "").replace("/cb", "");
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let request = format!("GET /cb?code=real&state={STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(sign_in.code().await, "real");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_tunnel_may_end_at_the_other_address_family() {
    let sign_in = sign_in();
    let host = sign_in.uri.replace("http://", "").replace("/cb", "");
    let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
    let Ok(mut stream) = TcpStream::connect(("::1", port)).await else {
        // This machine has no IPv6.
        assert!(std::net::TcpListener::bind("[::1]:0").is_err());
        return;
    };
    let request = format!("GET /cb?code=real&state={STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(sign_in.code().await, "real");
}

#[tokio::test]
async fn no_second_program_gets_the_port_in_either_family() {
    let sign_in = sign_in();
    let port = sign_in
        .uri
        .replace("http://127.0.0.1:", "")
        .replace("/cb", "");
    for address in ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"] {
        let taken = std::net::TcpListener::bind(format!("{address}:{port}"));
        assert!(taken.is_err(), "{address}");
    }
}

#[tokio::test]
async fn a_browser_that_brings_the_code_that_was_pasted_and_rejected_ends_the_sign_in() {
    let sign_in = sign_in();
    let host = sign_in.uri.replace("http://", "").replace("/cb", "");
    sign_in.paste("pasted-code-all-alone");
    let redirect = sign_in.task.await.unwrap().unwrap();
    let (say, mut heard) = mpsc::unbounded_channel();
    let person = Person {
        pasted: Mutex::new(mpsc::unbounded_channel().1),
        heard: say,
    };
    let unknown = Error::new(ErrorKind::Expired, "made up");
    let waiting = tokio::spawn(async move { redirect.failed(unknown, &person).await });
    assert_eq!(heard.recv().await.unwrap(), "trouble");
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let target = format!("/cb?code=pasted-code-all-alone&state={STATE}");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert!(error.to_string().contains("pasted before"), "{error}");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("Something went wrong"), "{page}");
}
