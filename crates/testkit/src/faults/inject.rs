//! Carries out faults, down to bytes that no HTTP library would send.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::fault::{Fault, Kind};
use super::patch::{Template, fill};
use crate::clock::Clock;
use crate::http::{Response, SharedStream};

const HUGE: usize = 5 * 1024 * 1024;

pub(crate) enum Injected {
    Response(Box<Response>),
    /// The connection is to be closed; nothing more is sent.
    Closed,
    /// The request goes on, after a delay.
    Continue,
}

/// Carries out a fault. `response` is the provider's own if the request was processed.
pub(crate) async fn inject(
    fault: &Fault,
    response: Option<Response>,
    template: &Template,
    clock: &Clock,
    stream: &SharedStream,
) -> Injected {
    let date = clock.http_date();
    match &fault.kind {
        Kind::Drop => Injected::Closed,
        Kind::Reset => {
            stream.reset_on_close();
            Injected::Closed
        }
        Kind::Hang => std::future::pending().await,
        Kind::Delay { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            response.map_or(Injected::Continue, |response| {
                Injected::Response(Box::new(response))
            })
        }
        Kind::Response {
            status,
            headers,
            body,
        } => Injected::Response(Box::new(fixed(*status, headers, &fill(body, template)))),
        Kind::Html => Injected::Response(Box::new(firewall_page())),
        Kind::Huge => {
            let body = json!({"access_token": "x".repeat(HUGE)});
            Injected::Response(Box::new(Response::json(200, &body)))
        }
        Kind::Gzip => {
            let response = response.unwrap_or_else(sample);
            Injected::Response(Box::new(response.header("Content-Encoding", "gzip")))
        }
        Kind::Truncated => {
            let response = response.unwrap_or_else(sample);
            let body = response.body.bytes();
            let half = body.len() / 2;
            let bytes = [&head(&response, &date)[..], &body[..half]].concat();
            closed(stream.send(&bytes).await)
        }
        Kind::GarbageChunks => {
            let response = response.unwrap_or_else(sample);
            let mut bytes = head_with(&response, &date, "Transfer-Encoding: chunked").into_bytes();
            bytes.extend_from_slice(b"5\r\n{\"acc\r\nno such size\r\n");
            closed(stream.send(&bytes).await)
        }
        Kind::SlowBody { milliseconds } => {
            let response = response.unwrap_or_else(sample);
            closed(drip(&response, &date, *milliseconds, stream).await)
        }
        Kind::Endless => closed(flood(&date, stream).await),
        // The dispatcher applies these to the provider's response.
        Kind::Patch { .. }
        | Kind::HoldStream { .. }
        | Kind::CutStream { .. }
        | Kind::StreamError { .. } => response.map_or(Injected::Continue, |response| {
            Injected::Response(Box::new(response))
        }),
    }
}

/// The page of a firewall in front of a provider, with status 200.
pub(crate) fn firewall_page() -> Response {
    let body = "<!doctype html><html><head><meta name=\"aliyun_waf_aa\" content=\"testkit\">\
                <title>Checking</title></head><body>Please wait.</body></html>";
    Response::html(200, body.to_owned())
}

/// The connection ends, also if the client has closed it.
fn closed(_sent: std::io::Result<()>) -> Injected {
    Injected::Closed
}

fn fixed(status: u16, headers: &BTreeMap<String, String>, body: &str) -> Response {
    let kind = match body.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => "application/json; charset=utf-8",
        Some(b'<') => "text/html; charset=utf-8",
        Some(_) | None => "text/plain; charset=utf-8",
    };
    let response = Response::new(status, kind, body.to_owned());
    headers.iter().fold(response, |response, (name, value)| {
        response.header(name, value)
    })
}

fn sample() -> Response {
    let body = json!({"access_token": "testkit-not-issued", "expires_in": 3600});
    Response::json(200, &body)
}

async fn drip(
    response: &Response,
    date: &str,
    milliseconds: u64,
    stream: &SharedStream,
) -> std::io::Result<()> {
    stream.send(&head(response, date)).await?;
    for byte in &response.body.bytes() {
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

fn head(response: &Response, date: &str) -> Vec<u8> {
    let length = format!("Content-Length: {}", response.body.bytes().len());
    head_with(response, date, &length).into_bytes()
}

fn head_with(response: &Response, date: &str, line: &str) -> String {
    let headers = response.all_headers().into_iter();
    let headers: String = headers.map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    format!(
        "HTTP/1.1 {} Testkit\r\nDate: {date}\r\n{headers}{line}\r\nConnection: close\r\n\r\n",
        response.status
    )
}
