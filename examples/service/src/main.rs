#![doc = include_str!("../README.md")]

mod admin;
mod app;
mod browser;
mod chat;
mod clients;
mod config;
mod database;
mod keys;
mod overview;
mod pages;
mod records;
mod routes;
mod serve;
mod sign_in;
mod work;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::app::App;
use crate::config::{Config, Failure};

/// What the end of the streams leaves for refreshes.
const FOR_REFRESHES: Duration = Duration::from_secs(5);

/// Between two passes over the metrics.
const UPKEEP: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the service has ended");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    // The clients of the model API use it; a second call would change nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let metrics = admin::install()?;
    tokio::spawn(admin::keep_up(metrics.clone(), UPKEEP));
    let config = Config::from_env()?;
    let (drain, limit) = (config.drain, config.shutdown);
    let bounds = serve::Bounds {
        clients: config.max_clients,
        head: config.reading,
        unread: config.reading,
    };
    let pages = listener("LISTEN", config.listen).await?;
    let admin = listener("ADMIN_LISTEN", config.admin_listen).await?;
    tracing::info!(pages = %pages.local_addr()?, admin = %admin.local_addr()?, "listening");
    let app = App::new(config)?;

    let (end, ended) = watch::channel(false);
    let (end_admin, admin_ended) = watch::channel(false);
    let admin_routes = admin::router(app.clone(), metrics);
    let admin = tokio::spawn(serve::serve(
        admin,
        admin_routes,
        admin_ended,
        Duration::ZERO,
        bounds,
    ));
    let for_streams = limit.saturating_sub(FOR_REFRESHES);
    let pages = serve::serve(
        pages,
        routes::router(app.clone()),
        ended,
        for_streams,
        bounds,
    );
    let pages = tokio::spawn(pages);

    terminated().await?;
    tracing::info!("ending");
    app.drain();
    sleep(drain).await;
    let begun = Instant::now();
    end.send_replace(true);
    pages.await?;
    // Sign-ins whose browsers have hung up have had the same time as the streams.
    let finished = timeout_at(begun + for_streams, app.work.finished()).await;
    if finished.is_err() {
        tracing::error!("requests are cut: the time for the end is over");
    }
    app.end(limit.saturating_sub(begun.elapsed()).max(FOR_REFRESHES))
        .await;
    end_admin.send_replace(true);
    admin.await?;
    tracing::info!("ended");
    Ok(())
}

async fn listener(name: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| format!("{name}={address} cannot be used: {error}").into())
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
