//! Requests that take a proxy.

use llm_auth_core::provider::Form;
use llm_auth_core::{Error, ErrorKind, HttpClient, SecureUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn a_proxy_of_an_unknown_kind_is_refused_and_not_passed_by() {
    for good in [
        "http://proxy.example:3128",
        "https://proxy.example",
        "proxy.example:3128",
        "socks5://127.0.0.1:1080",
        "SOCKS5H://proxy.example",
    ] {
        let built = HttpClient::builder().proxy(good, "").build();
        assert!(built.is_ok(), "{good}: {built:?}");
    }
    for bad in ["garbage://x", "ftp://proxy.example", "http://[bad", ""] {
        let error = HttpClient::builder().proxy(bad, "").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
    }
    let secret = "http://mia:made-up/password@proxy.example:99999";
    let error = HttpClient::builder().proxy(secret, "").build().unwrap_err();
    assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
}

#[tokio::test]
async fn a_socks_proxy_is_asked_to_find_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // RFC 1928: version, number of methods, methods; we take the one without a password.
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut name = vec![0; usize::from(head[4])];
        stream.read_exact(&mut name).await.unwrap();
        (head[3], String::from_utf8(name).unwrap())
    });
    let http = HttpClient::builder().proxy(proxy, "").build().unwrap();
    let endpoint = SecureUrl::new("https://vendor.example/token").unwrap();
    assert!(http.post_form(&endpoint, &Form::new(), &[]).await.is_err());
    assert_eq!(asked.await.unwrap(), (3, "vendor.example".to_owned()));
}

#[tokio::test]
async fn a_proxy_that_could_read_them_gets_no_secrets() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let http = HttpClient::builder()
        .proxy(format!("http://mia:made-up@{address}"), "")
        .refuse_secrets_by_proxy("a variable says whose certificates count")
        .build()?;
    let endpoint = SecureUrl::new("https://vendor.example/token")?;
    let secret = Form::new().secret("refresh_token", &"made-up-refresh".into());
    let access = "made-up-access".into();
    for refused in [
        http.post_form(&endpoint, &secret, &[]).await,
        http.get_with_bearer(&endpoint, &access, &[]).await,
        http.post_with_bearer(&endpoint, &access, &[]).await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let words = error.to_string();
        assert!(words.contains(&address.to_string()), "{words}");
        assert!(words.contains("whose certificates count"), "{words}");
        assert!(!words.contains("made-up"), "{words}");
        assert!(!error.response_lost());
    }
    // The first connection that comes is that of a request without a secret.
    let plain = tokio::spawn(async move { http.post_form(&endpoint, &Form::new(), &[]).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 7];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"CONNECT");
    drop(stream);
    assert_eq!(
        plain.await.unwrap().unwrap_err().kind(),
        ErrorKind::Transient
    );
    Ok(())
}

/// A proxy that returns this response to every tunnel, and the request that it received.
async fn through_proxy(
    answer: &'static str,
    user: &str,
    except: &str,
    url: &str,
) -> (String, Error) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    let http = HttpClient::builder()
        .proxy(format!("http://{user}{address}"), except)
        .build()
        .unwrap();
    let endpoint = SecureUrl::new(url).unwrap();
    let error = http
        .post_form(&endpoint, &Form::new(), &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    (asked.await.unwrap(), error)
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_named_and_nothing_that_passes() {
    const WANTS: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    for user in ["", "mia:made-up@"] {
        let (_, error) = through_proxy(WANTS, user, "", "https://vendor.example/token").await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("407"), "{error}");
        assert!(!error.response_lost());
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}

#[tokio::test]
async fn an_error_through_a_proxy_names_the_proxy_and_the_host() {
    for (answer, except) in [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\n", "vendor.example:443"),
        ("", "other.example"),
    ] {
        let url = "https://vendor.example:8443/token";
        let (asked, error) = through_proxy(answer, "mia:made-up@", except, url).await;
        assert!(asked.starts_with("CONNECT vendor.example:8443 "), "{asked}");
        assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
        assert!(error.to_string().contains("vendor.example:8443"), "{error}");
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}

#[tokio::test]
async fn what_goes_without_the_proxy_by_host_and_port_never_reaches_it() {
    // Nothing is there, and its proxy would be a hang-up.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    for except in ["invalid:PORT", "invalid", "*", "*:PORT"] {
        let except = except.replace("PORT", &port.to_string());
        let http = HttpClient::builder()
            .proxy(format!("http://{address}"), except.clone())
            .build()
            .unwrap();
        let endpoint = SecureUrl::new(&format!("https://vendor.invalid:{port}/token")).unwrap();
        let error = http
            .post_form(&endpoint, &Form::new(), &[])
            .await
            .unwrap_err();
        assert!(!error.to_string().contains("proxy"), "{except}: {error}");
    }
    let asked = std::future::poll_fn(|cx| std::task::Poll::Ready(proxy.poll_accept(cx).is_ready()));
    assert!(!asked.await);
}
