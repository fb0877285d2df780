//! The whole server, from start to drop.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::oauth::Client;
use crate::provider::Provider;
use crate::provider_kit::ProviderKit;
use crate::providers::{Configuration, StandardProvider};
use crate::server;
use crate::settings::{Approval, Change, Rotation};
use crate::shared::Shared;

/// The providers on one loopback port. Dropping it stops the server.
///
/// The server runs on a separate thread, so a test may block, for example on a child process,
/// without stopping it.
#[derive(Debug)]
pub struct Testkit {
    shared: Arc<Shared>,
    // Dropped first: the thread ends when the sender is gone.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Testkit {
    /// Starts with the defaults of [`Testkit::builder`].
    ///
    /// # Errors
    ///
    /// If no loopback port can be bound or no thread started.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Settings for the start; most can be changed per provider while the server runs.
    #[must_use]
    pub fn builder() -> TestkitBuilder {
        TestkitBuilder::default()
    }

    /// `http://127.0.0.1:PORT`, the base of all providers.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// OpenRouter.
    #[must_use]
    pub fn openrouter(&self) -> &ProviderKit {
        self.provider(Provider::OpenRouter)
    }

    /// Hugging Face.
    #[must_use]
    pub fn huggingface(&self) -> &ProviderKit {
        self.provider(Provider::HuggingFace)
    }

    /// Poe.
    #[must_use]
    pub fn poe(&self) -> &ProviderKit {
        self.provider(Provider::Poe)
    }

    /// GitHub.
    #[must_use]
    pub fn github(&self) -> &ProviderKit {
        self.provider(Provider::GitHub)
    }

    /// Qwen.
    #[must_use]
    pub fn qwen(&self) -> &ProviderKit {
        self.provider(Provider::Qwen)
    }

    /// MiniMax.
    #[must_use]
    pub fn minimax(&self) -> &ProviderKit {
        self.provider(Provider::MiniMax)
    }

    /// Google, for Gemini.
    #[must_use]
    pub fn gemini(&self) -> &ProviderKit {
        self.provider(Provider::Gemini)
    }

    /// The provider that a test configures with [`TestkitBuilder::standard`].
    #[must_use]
    pub fn standard(&self) -> &ProviderKit {
        self.provider(Provider::Standard)
    }

    /// The provider of that name.
    #[must_use]
    pub fn provider(&self, provider: Provider) -> &ProviderKit {
        self.shared.provider(provider)
    }

    /// Google's client id. Default: `testkit.apps.googleusercontent.com`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.shared.google_client.id
    }

    /// Google's client secret. Default: `testkit-not-a-secret`.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.shared.google_client.secret
    }

    /// A Google client file of the kind `installed` that points at this server.
    #[must_use]
    pub fn client_secret_json(&self) -> String {
        self.shared.client_file()
    }

    /// The environment variables that make the `llm-auth` command use this server.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        self.shared.env()
    }

    /// All access tokens of all providers die at once; refresh tokens stay.
    pub fn expire_everything(&self) {
        for provider in self.shared.providers() {
            provider.expire_access_tokens();
        }
    }

    /// Sets the server's clock wrong by this many seconds: its `Date` header, MiniMax's absolute
    /// times and `{NOW_MS}`. Default: 0. How long tokens live does not change.
    pub fn set_date_offset(&self, seconds: i64) {
        self.shared.clock.set_offset_seconds(seconds);
    }

    /// Requests to paths that no provider has, as `METHOD path`; a query is left out.
    #[must_use]
    pub fn unknown_paths(&self) -> Vec<String> {
        self.shared.unknown_paths()
    }
}

impl Drop for Testkit {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped too.
            let _stopped = thread.join();
        }
    }
}

/// Settings for the start of a [`Testkit`].
#[derive(Clone, Debug)]
pub struct TestkitBuilder {
    port: u16,
    change: Change,
    configuration: Configuration,
}

impl Default for TestkitBuilder {
    fn default() -> Self {
        Self {
            port: 0,
            change: Change::default(),
            configuration: Configuration {
                google_client: Client {
                    id: "testkit.apps.googleusercontent.com".to_owned(),
                    secret: "testkit-not-a-secret".to_owned(),
                },
                standard: StandardProvider::default(),
            },
        }
    }
}

impl TestkitBuilder {
    /// The port on 127.0.0.1. Default: 0, one that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Who approves logins. Default: [`Approval::Manual`].
    #[must_use]
    pub fn approval(mut self, approval: Approval) -> Self {
        self.change.approval = Some(approval);
        self
    }

    /// The polling interval of device flows. Default: 2 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.change.interval_seconds = Some(interval.as_secs_f64());
        self
    }

    /// What each `slow_down` adds to the required interval. Default: 5 s.
    #[must_use]
    pub fn slow_down_step(mut self, step: Duration) -> Self {
        self.change.slow_down_seconds = Some(step.as_secs_f64());
        self
    }

    /// How long access tokens live. Default: 3600 s.
    #[must_use]
    pub fn access_lifetime(mut self, lifetime: Duration) -> Self {
        self.change.access_lifetime_seconds = Some(lifetime.as_secs_f64());
        self
    }

    /// What a refresh does to the refresh token. Default: rotate; for Google: omit.
    #[must_use]
    pub fn rotation(mut self, rotation: Rotation) -> Self {
        self.change.rotation = Some(rotation);
        self
    }

    /// How long a spent refresh token gets its successor again. Default: zero.
    #[must_use]
    pub fn grace(mut self, window: Duration) -> Self {
        self.change.grace_seconds = Some(window.as_secs_f64());
        self
    }

    /// The Google client that is accepted.
    #[must_use]
    pub fn google_client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.configuration.google_client = Client {
            id: id.into(),
            secret: secret.into(),
        };
        self
    }

    /// The standard provider. Default: [`StandardProvider::default`].
    #[must_use]
    pub fn standard(mut self, provider: StandardProvider) -> Self {
        self.configuration.standard = provider;
        self
    }

    /// Binds the port and starts serving.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound or no thread started.
    #[expect(
        clippy::unused_async,
        reason = "async so that starting may one day wait without breaking callers"
    )]
    pub async fn start(self) -> io::Result<Testkit> {
        self.start_blocking()
    }

    /// [`TestkitBuilder::start`] for callers without a runtime.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound or no thread started.
    pub fn start_blocking(self) -> io::Result<Testkit> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        let base_url = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
        let shared = Arc::new(Shared::new(base_url, self.configuration, &self.change));
        let (stop, stopped) = oneshot::channel();
        let thread = server::spawn(listener, Arc::clone(&shared), stopped)?;
        Ok(Testkit {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}
