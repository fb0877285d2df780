//! Which requests are passed on, and to where.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use llm_auth_testkit::{Fault, Operation};

use super::client::{Open, Request};
use super::process::{Proxy, chat, message};
use super::upstream::{Upstream, ok};
use crate::support::user::User;

#[test]
fn each_session_is_at_the_path_of_its_name() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["minimax"]);
    let proxy = Proxy::start(&user, &["qwen", "minimax"]);
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    assert_eq!(proxy.send(message("minimax")).status, 200);
    assert_eq!(user.kit.qwen().counters().chats_ok, 1);
    assert_eq!(user.kit.minimax().counters().chats_ok, 1);
    for path in ["/", "/other", "/qwenx/models", "/chat/completions"] {
        let response = proxy.send(Request::get(path));
        response.assert_refused(404, "unknown_path", "/qwen or /minimax");
    }
}

#[test]
fn a_single_session_needs_no_name_in_the_path() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    let mut request = chat("qwen", false);
    assert_eq!(proxy.send(request.clone()).status, 200);
    request.target = "/chat/completions".to_owned();
    assert_eq!(proxy.send(request.clone()).status, 200);
    // A base URL that ends with a slash.
    request.target = "/qwen//chat/completions".to_owned();
    assert_eq!(proxy.send(request).status, 200);
}

#[test]
fn a_web_page_is_refused_even_with_the_key() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let preflight = Request::get("/qwen/x")
        .method("OPTIONS")
        .header("Access-Control-Request-Method", "POST");
    for request in [
        Request::get("/qwen/x").header("Origin", "https://evil.example"),
        Request::get("/qwen/x").header("Origin", "null"),
        Request::get("/qwen/x").header("Sec-Fetch-Site", "cross-site"),
        Request::get("/qwen/x").header("Sec-Fetch-Site", "same-site"),
        preflight.clone().header("Origin", "https://evil.example"),
        preflight,
    ] {
        let response = proxy.send(request);
        response.assert_refused(403, "web_page", "for programs on this computer");
        let head = response.head.to_ascii_lowercase();
        assert!(!head.contains("access-control"), "{head}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1"] {
        let response = proxy.send(Request::get("/qwen/x").header("Host", host));
        response.assert_refused(403, "foreign_host", "127.0.0.1");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn no_target_leads_out_of_the_api_of_the_session() {
    let upstream = Upstream::start(&ok("{}"));
    let other = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let elsewhere = other.base.strip_prefix("http://").unwrap();
    for target in [
        "/qwen/../admin".to_owned(),
        "/qwen/a/../../admin".to_owned(),
        "/qwen/%2e%2e/admin".to_owned(),
        "/qwen/%252e%252e/admin".to_owned(),
        "/qwen/..%2fadmin".to_owned(),
        "/qwen/..%5cadmin".to_owned(),
        "/../admin".to_owned(),
        format!("//{elsewhere}/x"),
        format!("{}/x", other.base),
        "*".to_owned(),
    ] {
        let response = proxy.send(Request::get(&target));
        assert_eq!(response.status, 400, "{target}: {response:?}");
        assert!(response.json()["error"]["message"].is_string());
    }
    for method in ["TRACE", "CONNECT"] {
        let target = if method == "CONNECT" {
            elsewhere
        } else {
            "/qwen/x"
        };
        let response = proxy.send(Request::get(target).method(method));
        response.assert_refused(405, "method", "base URL");
    }
    // As a client sends them that takes the proxy for an HTTP proxy.
    let proxied = |target: &str, method| {
        let request = Request::get(target).method(method);
        proxy.send(request.header("Host", "api.example.com"))
    };
    let response = proxied("http://api.example.com/v1/models", "GET");
    response.assert_refused(400, "absolute_target", "base URL");
    let response = proxied("api.example.com:443", "CONNECT");
    response.assert_refused(405, "method", "base URL");
    // These stay below it, as they are.
    for target in [
        format!("/qwen//{elsewhere}/x"),
        format!("/qwen/@{elsewhere}/x"),
        "/qwen/models/a%2Fb:c".to_owned(),
    ] {
        assert_eq!(proxy.send(Request::get(&target)).status, 200, "{target}");
    }
    let targets: Vec<_> = upstream.requests();
    let targets: Vec<_> = targets.iter().map(|seen| seen.target()).collect();
    assert_eq!(
        targets,
        [
            &format!("/v1/{elsewhere}/x"),
            &format!("/v1/@{elsewhere}/x"),
            "/v1/models/a%2Fb:c",
        ]
    );
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_redirect_leads_no_client_and_no_token_out_of_the_api() {
    let moved = |to: &str| {
        Upstream::start(&format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        ))
    };
    let other = Upstream::start(&ok("{}"));
    let upstream = moved(&format!("{}/v1/y", other.base));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::get("/qwen/x"));
    response.assert_refused(502, "redirect", "outside its API");
    assert!(!response.head.contains(&other.base), "{}", response.head);
    assert_eq!(other.requests().len(), 0);
    let upstream = moved("/v1/y?z");
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::get("/qwen/x"));
    assert_eq!(response.status, 307);
    let location = "location: /qwen/y?z";
    assert!(
        response.head.to_lowercase().contains(location),
        "{}",
        response.head
    );
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn what_is_of_one_connection_or_of_other_programs_stays_there() {
    let upstream = Upstream::start(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Kept: 1\r\nSet-Cookie: a=b\r\n\
         Access-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\n{}",
    );
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let request = Request::post("/qwen/x", "{}")
        .header("Connection", "X-Hop, close")
        .header("X-Hop", "1")
        .header("TE", "trailers")
        .header("Keep-Alive", "timeout=5")
        .header("Expect", "100-continue")
        .header("Cookie", "a=b")
        .header("Proxy-Authorization", "Basic bWFkZS11cA==")
        .header("Accept-Encoding", "gzip, br")
        .header("User-Agent", "made-up/1.0")
        .header("X-Kept", "1");
    let mut response = proxy.open(request);
    if response.status == 100 {
        response = response.next();
    }
    let head = response.head.to_ascii_lowercase();
    assert!(head.contains("x-kept: 1"), "{head}");
    for name in ["x-hop", "set-cookie", "access-control"] {
        assert!(!head.contains(name), "{head}");
    }
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.header("x-kept"), Some("1"));
    assert_eq!(seen.header("user-agent"), Some("made-up/1.0"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(
        seen.header("host").unwrap(),
        upstream.base.strip_prefix("http://").unwrap()
    );
    for name in [
        "x-hop",
        "te",
        "keep-alive",
        "expect",
        "cookie",
        "proxy-authorization",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.body, b"{}");
}

#[test]
fn a_websocket_is_refused_and_an_offer_of_http_2_ignored() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let get = || Request::get("/qwen/x").header("Connection", "Upgrade");
    let response = proxy.send(get().header("Upgrade", "websocket"));
    response.assert_refused(501, "upgrade", "WebSocket");
    assert_eq!(proxy.send(get().header("Upgrade", "h2c")).status, 200);
    let hidden = get()
        .header("Upgrade", "h2c")
        .header("Upgrade", "websocket");
    proxy
        .send(hidden)
        .assert_refused(501, "upgrade", "WebSocket");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_response_that_repeats_the_token_is_withheld_if_it_is_seen() {
    let upstream = Upstream::with(|seen, mut stream| {
        let token = seen.header("authorization").unwrap();
        let body = format!("{{\"headers\":\"{token}\"}}");
        let response = format!(
            "HTTP/1.1 200 OK\r\nX-Echo: {token}\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(response.as_bytes()).unwrap();
    });
    let user = upstream.user();
    let access = user.stored("qwen")["access"].as_str().unwrap().to_owned();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::get("/qwen/x"));
    response.assert_refused(502, "withheld", "repeated the access token");
    assert!(!format!("{response:?}").contains(&access));
}

#[test]
fn an_api_that_hangs_is_a_timeout_and_one_that_is_not_there_a_bad_gateway() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen", "--response-timeout", "0.5"]);
    user.kit.qwen().fault(Operation::Chat, Fault::hang());
    let response = proxy.send(chat("qwen", false));
    response.assert_refused(504, "timeout", "may have carried out the request");
    user.kit.qwen().fault(Operation::Chat, Fault::reset());
    let patient = Proxy::start(&user, &["qwen"]);
    let response = patient.send(chat("qwen", false));
    response.assert_refused(502, "response_lost", "check that before you send it again");
    // Neither was sent twice.
    assert_eq!(user.kit.qwen().counters().faults, 2);
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", gone.local_addr().unwrap());
    user.trust(&[user.kit.base_url(), &base]);
    user.kit.qwen().set_resource_url(Some(base));
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    drop(gone);
    let response = proxy.send(Request::get("/qwen/x"));
    response.assert_refused(502, "unreachable", "cannot connect to");
}

#[test]
fn a_proxy_serves_encrypted_sessions_with_the_key_that_its_flags_name() {
    let user = User::new();
    let key = user.key_file("key", "made-up-key-of-thirty-two-bytes!");
    let command = format!("cat '{key}'");
    let by_file = ["qwen", "--store", "encrypted", "--key-file", &key];
    let by_command = ["qwen", "--store", "encrypted", "--key-command", &command];
    user.sign_in(&by_file);
    for args in [by_file, by_command] {
        let proxy = Proxy::start(&user, &args);
        assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    }
    assert_eq!(user.kit.qwen().counters().chats_ok, 2);
}

#[test]
fn what_is_no_http_is_refused_and_the_proxy_goes_on() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".as_slice(),
        b"GET /qwen/x\r\n\r\n",
        b"GET /qwen/x HTTP/1.1\r\nHost",
    ] {
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut response = Vec::new();
        // A reset is a refusal too.
        let _reset = stream.read_to_end(&mut response);
        assert!(!response.starts_with(b"HTTP/1.1 2"), "{response:?}");
    }
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
}

#[test]
fn a_body_that_is_none_is_the_fault_of_the_client() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let request = Request::post("/qwen/x", "").header("Transfer-Encoding", "chunked");
    let text = request.key(proxy.key()).text(proxy.address()) + "zz\r\n";
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let response = Open::read(stream).whole();
    response.assert_refused(400, "body", "correct the request");
}

#[test]
fn the_key_in_a_path_is_not_sent_on() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::get(&format!("/qwen/{}", proxy.key())));
    response.assert_refused(400, "key_in_path", "set it as the API key only");
    assert!(!response.head.contains(proxy.key()));
}

#[test]
fn a_body_in_another_coding_than_chunks_is_sent_nowhere() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    for coding in ["gzip, chunked", "gzip,chunked"] {
        let request = Request::post("/qwen/x", "0\r\n\r\n").header("Transfer-Encoding", coding);
        let response = proxy.send(request);
        response.assert_refused(501, "body", "no transfer coding but chunked");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn no_key_of_the_proxy_reaches_the_api_in_a_request_with_two() {
    let upstream = Upstream::start(&ok("{}"));
    let user = upstream.user();
    let at = |name: &str| {
        user.directory
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (one, other) = (at("one"), at("other"));
    let proxy = Proxy::start(&user, &["qwen", "--write-key", &one, "--write-key", &other]);
    let key = |file: &str| std::fs::read_to_string(file).unwrap().trim().to_owned();
    let (one, other) = (key(&one), key(&other));
    for (used, stray) in [(&one, &other), (&other, &one)] {
        let request = Request::get(&format!("/qwen/x?a={stray}&b=1"))
            .header("x-made-up", stray)
            .key(used);
        assert_eq!(request.send(proxy.address()).status, 200);
        let in_path = Request::get(&format!("/qwen/{stray}")).key(used);
        let response = in_path.send(proxy.address());
        response.assert_refused(400, "key_in_path", "holds the key");
    }
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert!(!request.head.contains(&one) && !request.head.contains(&other));
        assert_eq!(request.target(), "/v1/x?b=1");
    }
}
