//! Requests to the redirect URI, and which of them count.

mod connections;

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::provider::{CallbackResponse, LoopbackHost, LoopbackListener, LoopbackRedirect};
use llm_auth_core::{Error, ErrorKind, LoginEvent, Result, Secret, Silent, UserPrompt};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const STATE: &str = "made-up-state";
const ISSUER: &str = "https://accounts.example.com";

#[derive(Debug)]
struct Ears(mpsc::UnboundedSender<String>);

impl UserPrompt for Ears {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::Ignored { why, .. } = event {
            let _deaf = self.0.send((*why).to_owned());
        }
    }
}

struct Waiting {
    address: String,
    ignored: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<Result<CallbackResponse>>,
}

fn wait(patience: Duration) -> Waiting {
    let listener = LoopbackListener::bind("/cb").unwrap();
    let uri = listener.redirect_uri().to_owned();
    let address = uri
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/cb")
        .unwrap()
        .to_owned();
    let (say, ignored) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let ears = Arc::new(Ears(say));
        let state = Secret::from(STATE);
        listener
            .wait(&state, Some(ISSUER), patience, ears.as_ref())
            .await
    });
    Waiting {
        address,
        ignored,
        task,
    }
}

impl Waiting {
    async fn send(&self, raw: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The page of a response that counts would come only when the sign-in has ended.
        let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
        let _reset = read.await.expect("an answer before the sign-in ends");
        answer
    }

    async fn get(&self, target: &str) -> String {
        self.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        ))
        .await
    }

    /// Sends the real response, in a task, since the page comes only when the sign-in has ended.
    fn answer(&self, query: &str) -> JoinHandle<String> {
        let (address, query) = (self.address.clone(), query.to_owned());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let request = format!("GET /cb?{query} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        })
    }
}

#[tokio::test]
async fn strays_of_every_kind_change_nothing_and_the_real_answer_still_counts() {
    let mut waiting = wait(Duration::from_secs(60));
    let host = waiting.address.clone();
    let port = host.rsplit(':').next().unwrap().to_owned();
    // A preconnect that stays, one that closes, one that is reset, one that sends half a word.
    let idle = TcpStream::connect(&host).await.unwrap();
    drop(TcpStream::connect(&host).await.unwrap());
    let reset = TcpStream::connect(&host).await.unwrap();
    reset.set_zero_linger().unwrap();
    drop(reset);
    let mut slow = TcpStream::connect(&host).await.unwrap();
    slow.write_all(b"GET /cb?code=forged&sta").await.unwrap();
    let with_host =
        |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let real = format!("/cb?code=forged&state={STATE}");
    for (raw, status) in [
        (with_host("/favicon.ico", &host), "404"),
        (with_host("/", &host), "404"),
        (
            with_host(&format!("/cb/x?code=forged&state={STATE}"), &host),
            "404",
        ),
        (
            format!("HEAD {real} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("OPTIONS {real} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("POST {real} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"),
            "405",
        ),
        (with_host(&real, &format!("localhost:{port}")), "421"),
        (with_host(&real, "evil.example"), "421"),
        (
            format!("GET {real} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
            "421",
        ),
        (format!("GET {real} HTTP/1.0\r\n\r\n"), "421"),
        (with_host("/cb", &host), "400"),
        (with_host("/cb?code=forged", &host), "400"),
        (with_host("/cb?code=forged&state=wrong", &host), "400"),
        (
            with_host(&format!("/cb?code=forged&state={STATE}x"), &host),
            "400",
        ),
        (with_host("/cb?error=access_denied", &host), "400"),
        (
            with_host("/cb?error=access_denied&state=wrong", &host),
            "400",
        ),
        (
            with_host(&format!("{real}&iss=https%3A%2F%2Fevil.example"), &host),
            "400",
        ),
        (with_host(&format!("{real}&code=other"), &host), "400"),
        (with_host(&format!("{real}&state={STATE}"), &host), "400"),
        (
            with_host(&format!("{real}&error=access_denied"), &host),
            "400",
        ),
        (
            with_host(
                &format!("{real}&iss=https%3A%2F%2Faccounts.example.com&iss=x"),
                &host,
            ),
            "400",
        ),
        (
            with_host(&format!("http://evil.example{real}"), &host),
            "421",
        ),
        (
            with_host(&format!("/CB?code=forged&state={STATE}"), &host),
            "404",
        ),
        (
            format!(
                "GET {real} HTTP/1.1\r\nHost: {host}\r\n{}\r\n",
                "X: y\r\n".repeat(500)
            ),
            "4",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "4"),
        ("garbage\r\n\r\n".to_owned(), "400"),
        (
            "\u{16}\u{3}\u{1} a TLS hello".to_owned() + "\r\n\r\n",
            "400",
        ),
        (
            format!(
                "GET /cb?x={} HTTP/1.1\r\nHost: {host}\r\n\r\n",
                "x".repeat(100_000)
            ),
            "4",
        ),
    ] {
        let answer = waiting.send(&raw).await;
        assert!(
            answer.is_empty()
                || answer.starts_with(&format!("HTTP/1.1 {status}"))
                || answer.starts_with(&format!("HTTP/1.0 {status}")),
            "{raw}: {answer}"
        );
        assert!(
            !answer.contains("forged") && !answer.contains("Access-Control"),
            "{answer}"
        );
    }
    assert!(waiting.ignored.recv().await.is_some());
    let page = waiting.answer(&format!(
        "code=a%2Bb&state={STATE}&iss=https%3A%2F%2Faccounts.example.com"
    ));
    let redirect = waiting.task.await.unwrap().unwrap();
    assert_eq!(redirect.code().expose(), "a+b");
    redirect.succeeded().await;
    let page = page.await.unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("Approved"),
        "{page}"
    );
    assert!(!page.contains("a+b") && !page.contains(STATE), "{page}");
    assert!(
        TcpStream::connect(&host).await.is_err(),
        "the port is closed"
    );
    drop((idle, slow));
}

#[tokio::test]
async fn an_error_answer_with_the_right_state_ends_it() {
    for (query, kind) in [
        ("error=access_denied", ErrorKind::Denied),
        ("error=server_error", ErrorKind::Transient),
        ("error=invalid_scope", ErrorKind::Config),
        (
            "error=other&error_description=%1b%5B31mno",
            ErrorKind::Protocol,
        ),
        ("x=y", ErrorKind::Protocol),
    ] {
        let waiting = wait(Duration::from_secs(60));
        let page = waiting.answer(&format!("{query}&state={STATE}"));
        let error = waiting.task.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{query}");
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(page.await.unwrap().starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_second_answer_is_not_redeemed() {
    let waiting = wait(Duration::from_secs(60));
    let page = waiting.answer(&format!("code=first&state={STATE}"));
    let address = waiting.address.clone();
    let redirect = waiting.task.await.unwrap().unwrap();
    assert_eq!(redirect.code().expose(), "first");
    let again = Waiting {
        address,
        ignored: waiting.ignored,
        task: tokio::spawn(std::future::pending()),
    };
    let answer = again.get(&format!("/cb?code=second&state={STATE}")).await;
    assert!(answer.starts_with("HTTP/1.1 410"), "{answer}");
    let error = Error::new(ErrorKind::Expired, "made up");
    assert!(redirect.failed(error, &Silent).await.is_err());
    assert!(page.await.unwrap().contains("Something went wrong"));
}

#[tokio::test]
async fn no_response_comes_in_time() {
    let waiting = wait(Duration::from_millis(30));
    let error = waiting.task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
}

#[tokio::test]
async fn the_page_speaks_the_browser_s_language_and_reflects_nothing() {
    let waiting = wait(Duration::from_secs(60));
    let ask = |language: &str| {
        format!(
            "GET /cb?x=%3Cscript%3Eforged HTTP/1.1\r\nHost: {}\r\nAccept-Language: {language}\r\n\r\n",
            waiting.address
        )
    };
    for (language, tag, words) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans", "这里没有内容"),
        ("en", "en", "Nothing to do here"),
        ("<script>forged;q=1", "en", "Nothing to do here"),
    ] {
        let answer = waiting.send(&ask(language)).await;
        assert!(
            answer.contains(&format!("content-language: {tag}\r\n")),
            "{answer}"
        );
        assert!(
            answer.contains(words) && !answer.contains("forged"),
            "{answer}"
        );
        for header in [
            "content-security-policy: default-src 'none'; img-src data:; style-src 'sha256-",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "vary: accept-language",
        ] {
            assert!(answer.contains(header), "{header}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_path_that_makes_no_url_is_refused_with_words() {
    for path in [
        "callback",
        "?a",
        "/cb?a=b",
        "/cb#a",
        "/a b",
        "/a/../b",
        "/\u{fc}",
        "/a\nb",
        "@evil.example/cb",
        ":80/cb",
        "99999/cb",
    ] {
        let error = LoopbackListener::bind(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{path:?}");
        assert!(error.to_string().contains("/callback"), "{error}");
    }
    for path in ["/", "/cb", "/a/b", "/%C3%BC", "/~a;b=c"] {
        let listener = LoopbackListener::bind(path).unwrap();
        assert!(listener.redirect_uri().ends_with(path), "{path}");
    }
    // A registered redirect URI may have none.
    let listener = LoopbackListener::bind("").unwrap();
    let authority = listener.redirect_uri().strip_prefix("http://").unwrap();
    assert!(!authority.contains('/'), "{authority}");
}

#[tokio::test]
async fn a_registered_port_that_another_program_has_in_the_other_family_is_named() {
    let Ok(taken) = std::net::TcpListener::bind("[::1]:0") else {
        // This machine has no IPv6.
        return;
    };
    let port = taken.local_addr().unwrap().port();
    if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
        // By chance both are taken, and the test says nothing.
        return;
    }
    let mut redirect = LoopbackRedirect::new("/cb");
    redirect.host = LoopbackHost::Localhost;
    redirect.ports = vec![port];
    let error = LoopbackListener::bind_to(&redirect).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Callback);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[test]
fn a_runtime_without_io_is_an_error_and_no_panic() {
    assert!(LoopbackListener::bind("/cb").is_err());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let error = runtime.block_on(async { LoopbackListener::bind("/cb").unwrap_err() });
    assert_eq!(error.kind(), ErrorKind::Callback);
}
