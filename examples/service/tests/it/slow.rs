//! Clients that are slow, or hang up.

use std::time::Duration;

use llm_auth_testkit::{Fault, Operation};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Browser;
use crate::instance::Instance;
use crate::world::{World, ready};

/// Each is served at one instance with room for one client.
pub(crate) async fn clients_keep_no_place_and_lose_no_sign_in(world: &World) {
    let variables = [("REQUEST_SECONDS", "1"), ("MAX_CLIENTS", "1")];
    let mut narrow = Instance::start_with(world.files(), &variables);
    ready(&narrow).await;
    a_request_that_does_not_end_is_over(&narrow).await;
    a_response_that_is_not_read_is_over(world, &narrow).await;
    work_without_a_client_is_bounded(world, &narrow).await;
    a_sign_in_outlives_its_client_and_the_end(world, &mut narrow).await;
}

async fn a_request_that_does_not_end_is_over(narrow: &Instance) {
    let address = narrow.pages.strip_prefix("http://").unwrap();
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\ncsrf";
    for (rest, status) in [(form, "HTTP/1.1 408 "), ("", "")] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let text = format!("POST /sign-in/code HTTP/1.1\r\nHost: 127.0.0.1\r\n{rest}");
        client.write_all(text.as_bytes()).await.unwrap();
        let mut response = String::new();
        let ended = client.read_to_string(&mut response);
        let ended = timeout(Duration::from_secs(90), ended).await;
        assert!(matches!(ended, Ok(Ok(_))), "{ended:?}");
        assert!(response.starts_with(status), "{response}");
        assert!(status.is_empty() == response.is_empty(), "{response}");
    }
}

async fn a_response_that_is_not_read_is_over(world: &World, narrow: &Instance) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    browser.sign_in(one, other).await;
    let page = browser.get(one, "/").await;
    let account = page.after("data-account=\"").unwrap();
    let form = format!("csrf={}&account={account}&message=hello", page.csrf());
    let server = world.kit.standard();
    let faults = server.counters().faults;
    server.fault(Operation::Chat, Fault::endless_body());
    let address = narrow.pages.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let text = format!(
        "POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        browser.cookie.as_deref().unwrap(),
        form.len(),
    );
    client.write_all(text.as_bytes()).await.unwrap();
    server.wait_for(|counters| counters.faults > faults).await;
    // It has the only place.
    let next = timeout(Duration::from_secs(90), browser.get(narrow, "/")).await;
    assert_eq!(next.ok().map(|page| page.status), Some(200));
    drop(client);
}

/// Begins a sign-in whose exchange takes a while, and hangs up once the vendor has the code.
async fn hang_up(world: &World, at: &Instance) -> Browser {
    let [one, _] = &world.instances;
    let mut browser = Browser::new();
    let url = browser.begin_code(one).await;
    let callback = browser.approve(&url).await;
    let server = world.kit.standard();
    let faults = server.counters().faults;
    server.fault(
        Operation::Exchange,
        Fault::delay(Duration::from_secs(1)).after(),
    );
    let mut client = Browser::like(&browser);
    tokio::select! {
        page = client.get(at, &callback) => panic!("{page:?}"),
        _ = server.wait_for(|counters| counters.faults > faults) => {}
    }
    browser
}

async fn list(browser: &mut Browser, at: &Instance) -> usize {
    let page = browser.get(at, "/").await;
    page.text.matches("data-account=").count()
}

async fn work_without_a_client_is_bounded(world: &World, narrow: &Instance) {
    let mut browser = hang_up(world, narrow).await;
    assert_eq!(browser.get(narrow, "/").await.status, 503);
    while browser.get(narrow, "/").await.status == 503 {}
    assert_eq!(list(&mut browser, narrow).await, 1);
}

async fn a_sign_in_outlives_its_client_and_the_end(world: &World, narrow: &mut Instance) {
    let [one, _] = &world.instances;
    let mut browser = hang_up(world, narrow).await;
    narrow.signal(Signal::TERM);
    let (is_clean, log) = narrow.finish();
    assert!(is_clean && !log.contains("ERROR"), "{log}");
    let page = browser.get(one, "/").await;
    assert!(page.text.contains("signed in; "), "{page:?}");
}
