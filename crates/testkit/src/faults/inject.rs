//! Carrying out a fault, down to bytes that no HTTP library would send.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::clock::Clock;
use crate::faults::fault::{Fault, Kind};
use crate::faults::patch::{self, Facts};
use crate::http::response::Answer;
use crate::http::stream::SharedStream;

const HUGE: usize = 5 * 1024 * 1024;

pub(crate) enum Acted {
    Answer(Box<Answer>),
    /// The connection is to be closed; what there was to say has been said.
    Closed,
    /// Nothing but time has passed.
    Continue,
}

/// Carries out a fault. `answer` is the vendor's own if the request was processed.
pub(crate) async fn act(
    fault: &Fault,
    answer: Option<Answer>,
    facts: &Facts,
    clock: &Clock,
    stream: &SharedStream,
) -> Acted {
    let date = clock.http_date();
    match &fault.kind {
        Kind::Drop => Acted::Closed,
        Kind::Reset => {
            stream.reset_on_close();
            Acted::Closed
        }
        Kind::Hang => std::future::pending().await,
        Kind::Delay { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            answer.map_or(Acted::Continue, |answer| Acted::Answer(Box::new(answer)))
        }
        Kind::Answer {
            status,
            headers,
            body,
        } => Acted::Answer(Box::new(fixed(*status, headers, &patch::fill(body, facts)))),
        Kind::Html => Acted::Answer(Box::new(firewall_page())),
        Kind::Huge => {
            let body = json!({"access_token": "x".repeat(HUGE)});
            Acted::Answer(Box::new(Answer::json(200, &body)))
        }
        Kind::Gzip => {
            let answer = answer.unwrap_or_else(sample);
            Acted::Answer(Box::new(answer.header("Content-Encoding", "gzip")))
        }
        Kind::Truncated => {
            let answer = answer.unwrap_or_else(sample);
            let half = answer.body.len() / 2;
            let bytes = [&head(&answer, &date)[..], &answer.body[..half]].concat();
            closed(stream.send(&bytes).await)
        }
        Kind::GarbageChunks => {
            let answer = answer.unwrap_or_else(sample);
            let mut bytes = head_with(&answer, &date, "Transfer-Encoding: chunked").into_bytes();
            bytes.extend_from_slice(b"5\r\n{\"acc\r\nno such size\r\n");
            closed(stream.send(&bytes).await)
        }
        Kind::SlowBody { milliseconds } => {
            let answer = answer.unwrap_or_else(sample);
            closed(drip(&answer, &date, *milliseconds, stream).await)
        }
        Kind::Endless => closed(flood(&date, stream).await),
        // Applied where the vendor's answer is made; here it has nothing to do.
        Kind::Patch { .. } => {
            answer.map_or(Acted::Continue, |answer| Acted::Answer(Box::new(answer)))
        }
    }
}

/// What a firewall in front of a vendor says, with status 200.
pub(crate) fn firewall_page() -> Answer {
    let body = "<!doctype html><html><head><meta name=\"aliyun_waf_aa\" content=\"testkit\">\
                <title>Checking</title></head><body>Please wait.</body></html>";
    Answer::html(200, body.to_owned())
}

/// A client that hung up ends the fault like everything else.
fn closed(_sent: std::io::Result<()>) -> Acted {
    Acted::Closed
}

fn fixed(status: u16, headers: &BTreeMap<String, String>, body: &str) -> Answer {
    let kind = match body.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => "application/json; charset=utf-8",
        Some(b'<') => "text/html; charset=utf-8",
        Some(_) | None => "text/plain; charset=utf-8",
    };
    let answer = Answer::new(status, kind, body.to_owned());
    headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name, value))
}

fn sample() -> Answer {
    let body = json!({"access_token": "testkit-not-issued", "expires_in": 3600});
    Answer::json(200, &body)
}

async fn drip(
    answer: &Answer,
    date: &str,
    milliseconds: u64,
    stream: &SharedStream,
) -> std::io::Result<()> {
    stream.send(&head(answer, date)).await?;
    for byte in &answer.body {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        stream.send(&[*byte]).await?;
    }
    Ok(())
}

async fn flood(date: &str, stream: &SharedStream) -> std::io::Result<()> {
    let head = head_with(&sample(), date, "X-Testkit: endless");
    stream.send(head.as_bytes()).await?;
    stream.send(b"{\"access_token\":\"").await?;
    loop {
        stream.send(&[b'x'; 16 * 1024]).await?;
        tokio::task::yield_now().await;
    }
}

fn head(answer: &Answer, date: &str) -> Vec<u8> {
    let length = format!("Content-Length: {}", answer.body.len());
    head_with(answer, date, &length).into_bytes()
}

fn head_with(answer: &Answer, date: &str, line: &str) -> String {
    let headers = answer.all_headers().into_iter();
    let headers: String = headers.map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    format!(
        "HTTP/1.1 {} Testkit\r\nDate: {date}\r\n{headers}{line}\r\nConnection: close\r\n\r\n",
        answer.status
    )
}
