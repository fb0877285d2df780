//! Allocations and bytes of a request over one open connection, a line for each client:
//! `middleware <address of the upstream>`. A program of its own, for the counting allocator.

use async_trait::async_trait;
use http::Extensions;
use llm_auth_bench::peers::ours;
use llm_auth_bench::stats::median;
use llm_auth_bench::{Result, upstream};
use llm_auth_http::{SessionClient, same_origin_redirects};
use llm_auth_qwen::AuthManager;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tokio::runtime::{Builder, Runtime};

const CALLS: usize = 1001;

/// Headers that never change, and a copy of the request if a second attempt may need it.
struct Constant {
    headers: Vec<(HeaderName, HeaderValue)>,
    keeps_a_copy: bool,
}

#[async_trait]
impl Middleware for Constant {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let _copy = self.keeps_a_copy.then(|| request.try_clone());
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        next.run(request, extensions).await
    }
}

fn main() -> Result<()> {
    let address = std::env::args().nth(1).ok_or("no address given")?;
    let url = format!("http://{address}/v1/chat/completions");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let manager = runtime.block_on(manager(&address))?;
    let token = runtime.block_on(manager.token())?;
    let mut headers = vec![(
        AUTHORIZATION,
        format!("Bearer {}", upstream::token()).parse()?,
    )];
    for (name, value) in manager.provider().api(&token)?.headers {
        headers.push((name.parse()?, value.parse()?));
    }
    let constant = |keeps_a_copy| {
        let middleware = Constant {
            headers: headers.clone(),
            keeps_a_copy,
        };
        // As the session's client has it.
        let settings = reqwest::Client::builder().redirect(same_origin_redirects());
        let client = settings.build()?;
        Result::Ok(ClientBuilder::new(client).with(middleware).build())
    };
    let session = SessionClient::new(manager).build(reqwest::Client::builder())?;
    for (name, client) in [
        ("header", constant(false)?),
        ("copy", constant(true)?),
        ("session", session),
    ] {
        let (count, bytes) = per_call(&runtime, &client, &url)?;
        println!("{name}\t{count}\t{bytes}");
    }
    Ok(())
}

async fn manager(address: &str) -> Result<AuthManager> {
    let session = upstream::session(address);
    let provider = ours::provider(&format!("http://{address}"))?;
    let manager = AuthManager::builder(provider).build();
    manager
        .insert_session(serde_json::from_value(session)?)
        .await?;
    Ok(manager)
}

/// The medians, since a response comes in more pieces now and then.
fn per_call(runtime: &Runtime, client: &ClientWithMiddleware, url: &str) -> Result<(f64, f64)> {
    let (mut counts, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let mut ended = Ok(());
        let seen = allocation_counter::measure(|| ended = runtime.block_on(call(client, url)));
        ended?;
        counts.push(seen.count_total as f64);
        bytes.push(seen.bytes_total as f64);
    }
    Ok((median(counts), median(bytes)))
}

async fn call(client: &ClientWithMiddleware, url: &str) -> Result<()> {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(upstream::chat());
    let response = request.send().await?.error_for_status()?;
    response.bytes().await?;
    Ok(())
}
