//! The whole server, from start to drop.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::provider::Vendor;
use crate::provider_kit::VendorKit;
use crate::providers::gemini as google;
use crate::server;
use crate::settings::{Approval, Change, Rotation, Settings};

/// The three vendors on one loopback port. Dropping it stops the server.
///
/// The server runs on a thread of its own, so a test may block (on a child process, say) without
/// stopping it.
#[derive(Debug)]
pub struct Testkit {
    kit: Arc<Kit>,
    // Dropped first: the thread ends when the sender is gone.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server and its owner share.
#[derive(Debug)]
pub(crate) struct Kit {
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) google_client_id: String,
    pub(crate) google_client_secret: String,
    pub(crate) unknown: Mutex<Vec<String>>,
    qwen: VendorKit,
    minimax: VendorKit,
    gemini: VendorKit,
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

    /// Settings for the start; most can be changed per vendor while the server runs.
    #[must_use]
    pub fn builder() -> TestkitBuilder {
        TestkitBuilder::default()
    }

    /// `http://127.0.0.1:PORT`, the base of all vendors.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.kit.base_url
    }

    /// Qwen.
    #[must_use]
    pub fn qwen(&self) -> &VendorKit {
        &self.kit.qwen
    }

    /// MiniMax.
    #[must_use]
    pub fn minimax(&self) -> &VendorKit {
        &self.kit.minimax
    }

    /// Google, for Gemini.
    #[must_use]
    pub fn gemini(&self) -> &VendorKit {
        &self.kit.gemini
    }

    /// The vendor of that name.
    #[must_use]
    pub fn vendor(&self, vendor: Vendor) -> &VendorKit {
        self.kit.vendor(vendor)
    }

    /// Google's client id. Default: `testkit.apps.googleusercontent.com`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.kit.google_client_id
    }

    /// Google's client secret. Default: `testkit-not-a-secret`.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.kit.google_client_secret
    }

    /// A Google client file of the kind `installed` that points at this server.
    #[must_use]
    pub fn client_secret_json(&self) -> String {
        google::client_file(&self.kit)
    }

    /// The environment variables that make the `llm-auth` command use this server.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        self.kit.env()
    }

    /// All access tokens of all vendors die at once; refresh tokens stay.
    pub fn expire_everything(&self) {
        for vendor in self.kit.vendors() {
            vendor.expire_access_tokens();
        }
    }

    /// Sets the server's clock wrong by this many seconds: its `Date` header, MiniMax's absolute
    /// times and `{NOW_MS}`. Default: 0. How long tokens live does not change.
    pub fn set_date_offset(&self, seconds: i64) {
        self.kit.clock.set_offset_seconds(seconds);
    }

    /// Requests to paths that no vendor has, as `METHOD path`; a query is left out.
    #[must_use]
    pub fn unknown_paths(&self) -> Vec<String> {
        self.kit.unknown_paths()
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

impl Kit {
    pub(crate) fn vendor(&self, vendor: Vendor) -> &VendorKit {
        match vendor {
            Vendor::Qwen => &self.qwen,
            Vendor::MiniMax => &self.minimax,
            Vendor::Gemini => &self.gemini,
        }
    }

    pub(crate) fn vendors(&self) -> [&VendorKit; 3] {
        [&self.qwen, &self.minimax, &self.gemini]
    }

    pub(crate) fn unknown_paths(&self) -> Vec<String> {
        let unknown = self.unknown.lock();
        unknown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        let url = || self.base_url.clone();
        vec![
            ("LLM_AUTH_QWEN_BASE_URL", url()),
            ("LLM_AUTH_MINIMAX_BASE_URL", url()),
            ("LLM_AUTH_GEMINI_BASE_URL", url()),
            ("LLM_AUTH_GEMINI_CLIENT_ID", self.google_client_id.clone()),
            (
                "LLM_AUTH_GEMINI_CLIENT_SECRET",
                self.google_client_secret.clone(),
            ),
        ]
    }
}

/// Settings for the start of a [`Testkit`].
#[derive(Clone, Debug)]
pub struct TestkitBuilder {
    port: u16,
    change: Change,
    google_client_id: String,
    google_client_secret: String,
}

impl Default for TestkitBuilder {
    fn default() -> Self {
        Self {
            port: 0,
            change: Change::default(),
            google_client_id: "testkit.apps.googleusercontent.com".to_owned(),
            google_client_secret: "testkit-not-a-secret".to_owned(),
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
        self.google_client_id = id.into();
        self.google_client_secret = secret.into();
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
        let vendor = |vendor| {
            let mut settings = Settings::of(vendor, &base_url);
            settings.apply(&self.change);
            VendorKit::new(vendor, &base_url, settings)
        };
        let kit = Arc::new(Kit {
            clock: Clock::default(),
            qwen: vendor(Vendor::Qwen),
            minimax: vendor(Vendor::MiniMax),
            gemini: vendor(Vendor::Gemini),
            google_client_id: self.google_client_id,
            google_client_secret: self.google_client_secret,
            unknown: Mutex::default(),
            base_url,
        });
        let (stop, stopped) = oneshot::channel();
        let thread = server::spawn(listener, Arc::clone(&kit), stopped)?;
        Ok(Testkit {
            kit,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}
