//! Addresses as terminals and users break them, and how they reach the library.

use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::provider::LoopbackListener;
use llm_auth_core::{Error, ErrorKind, LoginEvent, Result, Secret, UserPrompt, async_trait};
use tokio::sync::mpsc;

const STATE: &str = "made-up-state";
const CODE: &str = "4/made-up-code-0123456789";
const MINUTES: Duration = Duration::from_secs(300);

/// A user who pastes texts one after the other, each after a while.
#[derive(Debug)]
struct Person {
    texts: Mutex<Vec<String>>,
    each_takes: Duration,
    asked: AtomicUsize,
    ignored: AtomicUsize,
    exhausted: AtomicUsize,
}

impl Person {
    fn with(texts: &[String], each_takes: Duration) -> Self {
        Self {
            texts: Mutex::new(texts.iter().rev().cloned().collect()),
            each_takes,
            asked: AtomicUsize::new(0),
            ignored: AtomicUsize::new(0),
            exhausted: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl UserPrompt for Person {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::Ignored { .. } = event {
            self.ignored.fetch_add(1, Ordering::SeqCst);
        }
        if let LoginEvent::PastesExhausted = event {
            self.exhausted.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn pasted(&self) -> Secret {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let text = self.texts.lock().unwrap().pop();
        tokio::time::sleep(self.each_takes).await;
        match text {
            Some(text) => Secret::from(text),
            None => std::future::pending().await,
        }
    }
}

/// A server that knows one code; the codes that were sent to it.
async fn redeemed(texts: impl Fn(&str) -> Vec<String>, each_takes: Duration) -> Vec<String> {
    let listener = LoopbackListener::bind("/cb").unwrap();
    let person = Person::with(&texts(listener.redirect_uri()), each_takes);
    redeem(listener, &person).await.unwrap()
}

async fn redeem(listener: LoopbackListener, person: &dyn UserPrompt) -> Result<Vec<String>> {
    let mut sent = Vec::new();
    let state = Secret::from(STATE);
    let mut redirect = listener.wait(&state, None, MINUTES, person).await?;
    loop {
        let code = redirect.code().expose().to_owned();
        sent.push(code.clone());
        if code == CODE {
            redirect.succeeded().await;
            return Ok(sent);
        }
        let unknown = Error::new(ErrorKind::Expired, "made up: invalid_grant");
        redirect = redirect.failed(unknown, person).await?;
    }
}

fn address(uri: &str) -> String {
    format!("{uri}?state={STATE}&code={CODE}&scope=made-up+scope")
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_cut_does_not_spend_the_sign_in() {
    let texts = |uri: &str| {
        let whole = address(uri);
        let cut = whole.find("-0123").unwrap();
        vec![whole[..cut].to_owned(), whole]
    };
    let sent = redeemed(texts, Duration::ZERO).await;
    assert_eq!(sent, ["4/made-up-code", CODE]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_broken_anywhere_is_put_together() {
    let length = address("http://127.0.0.1:12345/cb").len();
    for at in 8..length - 1 {
        // As lines of their own, then as one text with a line end in it.
        let lines = |uri: &str| {
            let whole = address(uri);
            let (one, two) = whole.split_at(at);
            vec![one.to_owned(), two.to_owned()]
        };
        let one_text = |uri: &str| vec![lines(uri).join("\n")];
        assert_eq!(
            redeemed(lines, Duration::ZERO).await.pop().unwrap(),
            CODE,
            "{at}"
        );
        assert_eq!(redeemed(one_text, Duration::ZERO).await, [CODE], "{at}");
    }
    let in_three = |uri: &str| {
        let whole = address(uri);
        let code = whole.find("code=").unwrap();
        [0..code + 10, code + 10..code + 18, code + 18..whole.len()]
            .map(|part| whole[part].to_owned())
            .to_vec()
    };
    assert_eq!(
        redeemed(in_three, Duration::ZERO).await.pop().unwrap(),
        CODE
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_around_an_address_is_not_taken_for_a_part_of_it() {
    for (before, after) in [
        ("", " could not be reached"),
        ("", "\nuser@host:~$ "),
        ("", "\nUnable to connect"),
        ("$ ", ""),
        ("Paste here and press Enter: ", ""),
        ("\"", "\""),
        ("<", ">"),
        ("open '", "' now"),
        ("[the page](", ")"),
        ("\u{1b}[200~", "\u{1b}[201~"),
    ] {
        // The code stands last, so that all behind it could be its own.
        let texts = |uri: &str| vec![format!("{before}{uri}?state={STATE}&code={CODE}{after}")];
        let sent = redeemed(texts, Duration::ZERO).await;
        assert_eq!(sent.last().unwrap(), CODE, "{before:?} {after:?}");
        assert!(sent.len() <= 2, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_without_an_address_count_with_the_state() {
    for text in [
        format!("code={CODE}&scope=https://www.example.com/auth/x&state={STATE}"),
        format!("state={STATE}&code={CODE}&scope=email https://www.example.com/auth/x openid"),
        format!("scope=email https://www.example.com/x openid&code={CODE}&state={STATE}"),
        format!("/cb?code={CODE}&state={STATE}"),
        format!("it says: code={CODE}&state={STATE}"),
    ] {
        let sent = redeemed(|_| vec![text.clone()], Duration::ZERO).await;
        assert_eq!(sent, [CODE], "{text}");
    }
    let listener = LoopbackListener::bind("/cb").unwrap();
    let without = vec![
        format!("code={CODE}&scope=x"),
        format!("code={CODE}&state=of-another"),
    ];
    let person = Person::with(&without, Duration::ZERO);
    let error = redeem(listener, &person).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert_eq!(person.ignored.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn addresses_with_unknown_codes_are_redeemed_a_few_times_only() {
    let listener = LoopbackListener::bind("/cb").unwrap();
    let uri = listener.redirect_uri().to_owned();
    let many = (0..20).map(|count| format!("{uri}?state={STATE}&code=unknown-{count}"));
    let person = Person::with(&many.collect::<Vec<_>>(), Duration::ZERO);
    let error = redeem(listener, &person).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert_eq!(person.ignored.load(Ordering::SeqCst), 17);
    assert_eq!(person.exhausted.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_told_once_that_no_more_addresses_are_tried_and_never_of_codes_alone() {
    for (addresses, codes, told) in [(3, 3, 1), (2, 5, 0), (5, 0, 1), (0, 9, 0)] {
        let listener = LoopbackListener::bind("/cb").unwrap();
        let uri = listener.redirect_uri().to_owned();
        let addresses = (0..addresses).map(|count| format!("{uri}?state={STATE}&code=no-{count}"));
        let codes = (0..codes).map(|count| format!("code=alone-{count}"));
        let person = Person::with(&codes.chain(addresses).collect::<Vec<_>>(), Duration::ZERO);
        redeem(listener, &person).await.unwrap_err();
        assert_eq!(person.exhausted.load(Ordering::SeqCst), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paste_may_take_minutes_and_is_asked_for_once() {
    for takes in [16, 31, 250] {
        let listener = LoopbackListener::bind("/cb").unwrap();
        let texts = [address(listener.redirect_uri())];
        let person = Person::with(&texts, Duration::from_secs(takes));
        assert_eq!(redeem(listener, &person).await.unwrap(), [CODE]);
        assert_eq!(person.asked.load(Ordering::SeqCst), 1);
    }
}

/// The code from the documentation.
#[derive(Debug)]
struct Obvious {
    input: Arc<Mutex<BufReader<PipeReader>>>,
    asked: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl UserPrompt for Obvious {
    fn notify(&self, event: &LoginEvent<'_>) {
        assert!(!matches!(event, LoginEvent::Ignored { .. }), "{event:?}");
    }

    async fn pasted(&self) -> Secret {
        let _done = self.asked.send(());
        let input = Arc::clone(&self.input);
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            input.lock().unwrap().read_line(&mut line).unwrap();
            line
        });
        Secret::from(line.await.unwrap())
    }
}

#[tokio::test]
async fn reading_a_line_of_an_input_is_enough_and_its_end_ends_nothing() {
    let listener = LoopbackListener::bind("/cb").unwrap();
    let whole = address(listener.redirect_uri());
    let (read, mut write) = std::io::pipe().unwrap();
    let (say, mut asked) = mpsc::unbounded_channel();
    let person = Obvious {
        input: Arc::new(Mutex::new(BufReader::new(read))),
        asked: say,
    };
    let task = tokio::spawn(async move { redeem(listener, &person).await });
    asked.recv().await.unwrap();
    write.write_all(b"\n").unwrap();
    asked.recv().await.unwrap();
    write.write_all(format!("{whole}\n").as_bytes()).unwrap();
    assert_eq!(task.await.unwrap().unwrap(), [CODE]);

    // An input that has ended returns an empty text each time: the browser may still come.
    let listener = LoopbackListener::bind("/cb").unwrap();
    let (read, write) = std::io::pipe().unwrap();
    drop(write);
    let (say, mut asked) = mpsc::unbounded_channel();
    let person = Obvious {
        input: Arc::new(Mutex::new(BufReader::new(read))),
        asked: say,
    };
    let host = listener
        .redirect_uri()
        .replace("http://", "")
        .replace("/cb", "");
    let task = tokio::spawn(async move { redeem(listener, &person).await });
    asked.recv().await.unwrap();
    asked.recv().await.unwrap();
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    let request = format!("GET /cb?code={CODE}&state={STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(task.await.unwrap().unwrap(), [CODE]);
}
