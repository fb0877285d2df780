//! Requests that are not well formed, and connections that bring no request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{STATE, wait};

#[tokio::test]
async fn a_request_that_cannot_be_parsed_gets_a_page_is_reported_and_the_sign_in_goes_on() {
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
