//! What reaches the redirect URI, and what of it counts.
#![cfg(feature = "loopback")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{
    CallbackResponse, Error, ErrorKind, LoginEvent, LoopbackListener, Result, Secret, Silent,
    UserPrompt,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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
        let _reset = stream.read_to_string(&mut answer).await;
        answer
    }

    async fn get(&self, target: &str) -> String {
        self.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        ))
        .await
    }

    /// Sends the real answer, in a task, since the page comes only when the sign-in has ended.
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
    // A preconnect that stays, one that goes, one that is reset, one that says half a word.
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
async fn nobody_comes() {
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
async fn whatever_cannot_be_parsed_gets_a_page_and_is_told_and_the_sign_in_goes_on() {
    let mut waiting = wait(Duration::from_secs(60));
    let host = waiting.address.clone();
    let head = |more: &str| format!("GET /cb?code=x HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    for (raw, status, why) in [
        (
            head(&format!("Cookie: {}\r\n", "c".repeat(1_000_000))),
            "431",
            "a request with too long headers",
        ),
        (
            head(&"X: y\r\n".repeat(1000)),
            "431",
            "a request with too many headers",
        ),
        (
            head("no colon\r\n"),
            "400",
            "a request that is not valid HTTP",
        ),
        (
            head("X: \u{1}\r\n"),
            "400",
            "a request that is not valid HTTP",
        ),
        (
            "garbage\r\n\r\n".into(),
            "400",
            "a request that is not valid HTTP",
        ),
        (
            "GET /cb HTTP/9.9\r\n\r\n".into(),
            "400",
            "a request that is not valid HTTP",
        ),
        (
            "\u{16}\u{3}\u{1} a TLS hello".into(),
            "400",
            "a request by https",
        ),
    ] {
        // Such a client may send on while the page comes.
        let stream = TcpStream::connect(&host).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let sent = raw.clone();
        let writer = tokio::spawn(async move {
            let _reset = write.write_all(sent.as_bytes()).await;
            write
        });
        let mut response = String::new();
        let _reset = read.read_to_string(&mut response).await;
        drop(writer.await.unwrap());
        let short = &raw[..raw.len().min(60)];
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{short}: {response}"
        );
        assert!(
            response.contains("Something went wrong"),
            "{short}: {response}"
        );
        let told = waiting.ignored.recv().await.unwrap();
        assert!(told.starts_with(why), "{short}: {told}");
    }
    // Half a request, and then nothing.
    let mut half = TcpStream::connect(&host).await.unwrap();
    half.write_all(b"GET /cb?code").await.unwrap();
    half.shutdown().await.unwrap();
    assert_eq!(waiting.ignored.recv().await.unwrap(), "half a request");
    let page = waiting.answer(&format!("code=real&state={STATE}"));
    let redirect = waiting.task.await.unwrap().unwrap();
    assert_eq!(redirect.code().expose(), "real");
    redirect.succeeded().await;
    assert!(page.await.unwrap().contains("Approved"));
}

#[tokio::test]
async fn the_cookies_and_headers_of_everything_on_this_computer_are_no_obstacle() {
    for more in [
        format!("Cookie: {}\r\n", "c=d; ".repeat(16_000 / 5)),
        format!("Cookie: {}\r\n", "c".repeat(64 * 1024)),
        "X-Of-An-Extension: y\r\n".repeat(250),
        format!("Cookie: {}\r\n", "c".repeat(1000)).repeat(100),
    ] {
        let waiting = wait(Duration::from_secs(60));
        let address = waiting.address.clone();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request =
            format!("GET /cb?code=real&state={STATE} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let redirect = waiting.task.await.unwrap().unwrap();
        assert_eq!(redirect.code().expose(), "real");
        redirect.succeeded().await;
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains("Approved"), "{page}");
    }
}

#[tokio::test]
async fn connections_that_bring_nothing_do_not_keep_the_answer_out() {
    for half in ["", "GET /cb?code=forged"] {
        let waiting = wait(Duration::from_secs(60));
        let mut idle = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(&waiting.address).await.unwrap();
            stream.write_all(half.as_bytes()).await.unwrap();
            idle.push(stream);
        }
        let page = waiting.answer(&format!("code=real&state={STATE}"));
        let redirect = waiting.task.await.unwrap().unwrap();
        assert_eq!(redirect.code().expose(), "real");
        // One that waits for its page is not ended in favour of more idle ones.
        redirect.succeeded().await;
        assert!(page.await.unwrap().contains("Approved"));
        // The oldest was ended long before that.
        let mut oldest = idle.remove(0);
        let mut nothing = Vec::new();
        let _reset = oldest.read_to_end(&mut nothing).await;
        assert!(nothing.is_empty());
    }
}

#[tokio::test]
async fn an_answer_in_two_pieces_outlives_a_flood_of_silent_connections() {
    let waiting = wait(Duration::from_secs(60));
    let host = waiting.address.clone();
    let mut browser = TcpStream::connect(&host).await.unwrap();
    let first = format!("GET /cb?code=4/real&state={STATE}");
    browser.write_all(first.as_bytes()).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..400 {
        flood.push(TcpStream::connect(&host).await.unwrap());
        tokio::task::yield_now().await;
    }
    let rest = format!(" HTTP/1.1\r\nHost: {host}\r\n\r\n");
    browser.write_all(rest.as_bytes()).await.unwrap();
    let redirect = waiting.task.await.unwrap().unwrap();
    assert_eq!(redirect.code().expose(), "4/real");
}

#[tokio::test]
async fn the_browser_that_waits_for_its_page_is_no_idle_one() {
    let waiting = wait(Duration::from_secs(60));
    let page = waiting.answer(&format!("code=real&state={STATE}"));
    let address = waiting.address.clone();
    let redirect = waiting.task.await.unwrap().unwrap();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    // The last is accepted when the oldest idle one has been ended.
    let mut nothing = Vec::new();
    let _reset = idle.remove(0).read_to_end(&mut nothing).await;
    redirect.succeeded().await;
    assert!(page.await.unwrap().contains("Approved"));
}

#[tokio::test]
async fn a_path_that_makes_no_url_is_refused_with_words() {
    for path in [
        "callback",
        "",
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
