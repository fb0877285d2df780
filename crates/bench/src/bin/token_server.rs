//! A token endpoint on loopback: `token_server <latency in ms>`. It prints its base URL, then
//! answers one line for each line of standard input. A request is judged when it arrives and
//! answered after the latency, so a caller that goes away has spent its refresh token.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use llm_auth_bench::{Result, tokens};
use serde_json::json;
use tokio::net::TcpSocket;

struct State {
    mode: String,
    rotate: bool,
    lifetime: u32,
    requests: u64,
    /// The live generation of each family that was seen; `None` if it was revoked.
    families: HashMap<u64, Option<u64>>,
}

type Shared = Arc<Mutex<State>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let latency = std::env::args().nth(1).ok_or("no latency given")?;
    let latency = Duration::from_millis(latency.parse()?);
    let state: Shared = Arc::new(Mutex::new(State {
        mode: "ok".into(),
        rotate: false,
        lifetime: 3600,
        requests: 0,
        families: HashMap::new(),
    }));
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(16_384)?;
    println!("http://{}", listener.local_addr()?);
    let controlled = Arc::clone(&state);
    std::thread::spawn(move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(std::io::Result::ok)
        {
            println!("{}", obey(&controlled, &line));
        }
        std::process::exit(0);
    });
    loop {
        // Out of open files for a moment: the others go on.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let _late = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), latency, request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that disconnects is part of the game.
        tokio::spawn(async move { drop(connection.await) });
    }
}

fn obey(state: &Shared, line: &str) -> String {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "answer" => argument.clone_into(&mut state.mode),
        "rotate" => state.rotate = argument == "true",
        "lifetime" => state.lifetime = argument.parse().unwrap_or(3600),
        "reset" => state.requests = 0,
        "requests" => return state.requests.to_string(),
        "live" => return state.is_live(argument).to_string(),
        _ => return format!("no such command: {verb}"),
    }
    "done".into()
}

async fn answer(
    state: Shared,
    latency: Duration,
    request: Request<Incoming>,
) -> std::result::Result<Response<String>, Infallible> {
    let body = request.into_body().collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let (status, json) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        state.judge(&String::from_utf8_lossy(&body))
    };
    if !latency.is_zero() {
        // Even a sleep of nothing would last until the timer's next tick.
        tokio::time::sleep(latency).await;
    }
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(json.to_string());
    Ok(response.unwrap_or_default())
}

impl State {
    fn judge(&mut self, form: &str) -> (u16, serde_json::Value) {
        match self.mode.as_str() {
            "refused" => return refusal(),
            "down" => {
                let text = "try again later";
                return (
                    503,
                    json!({ "error": "temporarily_unavailable", "error_description": text }),
                );
            }
            _ => {}
        }
        let mut fields = form.split('&').filter_map(|field| field.split_once('='));
        let sent = fields
            .find(|(name, _)| *name == "refresh_token")
            .map(|(_, value)| value);
        let mut granted = json!({
            "status": "success",
            "access_token": tokens::access(&format!("renewed{}", self.requests)),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
        });
        // A service account or a client secret: there is nothing to rotate.
        let Some(sent) = sent else {
            return (200, granted);
        };
        let Some((family, generation)) = tokens::parse_refresh(sent) else {
            return refusal();
        };
        if !self.rotate {
            granted["refresh_token"] = sent.into();
            return (200, granted);
        }
        let live = self.families.entry(family).or_insert(Some(0));
        if *live != Some(generation) {
            *live = None;
            return refusal();
        }
        *live = Some(generation + 1);
        granted["refresh_token"] = tokens::refresh(family, generation + 1).into();
        (200, granted)
    }

    fn is_live(&self, refresh: &str) -> bool {
        tokens::parse_refresh(refresh).is_some_and(|(family, generation)| {
            *self.families.get(&family).unwrap_or(&Some(0)) == Some(generation)
        })
    }
}

fn refusal() -> (u16, serde_json::Value) {
    let text = "the refresh token is not valid";
    (
        400,
        json!({ "error": "invalid_grant", "error_description": text }),
    )
}
