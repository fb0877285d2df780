//! Clients that keep their connections open.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::proxies::Opened;
use crate::upstream;

/// One connection of a client.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
}

impl Connection {
    pub async fn open(way: &Opened, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(way.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its requests say how it ended.
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::post(format!("{}{path}", way.base_path))
            .header(HOST, way.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", way.key))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "made-up-sdk/1.0")
            .body(Full::new(Bytes::from(upstream::chat())))?;
        Ok(Self { sender, request })
    }

    pub async fn send(&mut self) -> Result<Response<Incoming>> {
        self.sender.ready().await?;
        let response = self.sender.send_request(self.request.clone()).await?;
        if response.status() != 200 {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(response)
    }

    async fn exchange(&mut self, expected: &Bytes) -> Result<()> {
        let body = self.send().await?.into_body().collect().await?.to_bytes();
        if body != expected {
            return Err("the response is not the upstream's".into());
        }
        Ok(())
    }
}

/// How long each request took, in the order of their length.
#[derive(Debug)]
pub struct Load {
    took: Vec<Duration>,
    length: Duration,
}

impl Load {
    /// So many clients, each of which sends one request after another for this time. The first one
    /// of each is not counted.
    pub async fn run(way: &Opened, clients: usize, length: Duration) -> Result<Self> {
        let expected = Bytes::from(upstream::completion());
        let mut connections = Vec::new();
        for _ in 0..clients {
            let mut connection = Connection::open(way, "/chat/completions").await?;
            connection.exchange(&expected).await?;
            connections.push(connection);
        }
        let mut running = JoinSet::new();
        let begun = Instant::now();
        for mut connection in connections {
            let expected = expected.clone();
            running.spawn(async move {
                let mut took = Vec::new();
                let mut now = begun;
                while now - begun < length {
                    connection.exchange(&expected).await?;
                    let after = Instant::now();
                    took.push(after - now);
                    now = after;
                }
                Result::Ok(took)
            });
        }
        let mut took = Vec::new();
        while let Some(ended) = running.join_next().await {
            took.extend(ended??);
        }
        let length = begun.elapsed();
        took.sort_unstable();
        Ok(Self { took, length })
    }

    pub fn count(&self) -> usize {
        self.took.len()
    }

    pub fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.length.as_secs_f64()
    }

    /// In µs.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = self.took.len() * percent / 100;
        let took = self.took.get(at).or(self.took.last());
        took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
    }
}
