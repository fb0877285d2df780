//! One simulated provider, with the manager of a session at it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use llm_auth_core::{AuthManager, FileTokenStore, ManualClock, OAuthToken, printable};
use llm_auth_gemini::{GeminiEndpoints, GeminiProvider, OAuthClient};
use llm_auth_minimax::{MiniMaxEndpoints, MiniMaxProvider};
use llm_auth_qwen::{QwenEndpoints, QwenProvider};
use llm_auth_testkit::{Counters, Testkit};
use serde_json::{Value, json};

use super::http;
use crate::error::Failure;

use crate::providers::{Provider, ProviderName};

pub(super) const PROVIDERS: [ProviderName; 3] = [
    ProviderName::Qwen,
    ProviderName::MiniMax,
    ProviderName::Gemini,
];

const QUESTION: &str = "is anybody there?";

pub(super) struct DemoProvider {
    pub(super) name: ProviderName,
    pub(super) manager: AuthManager,
    configured: Provider,
    store: FileTokenStore,
}

impl DemoProvider {
    /// Made of nothing but the vendor's address and what is on disk.
    pub(super) fn new(
        name: ProviderName,
        kit: &Testkit,
        clock: &Arc<ManualClock>,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let base = kit.base_url();
        let own_clock = Arc::<ManualClock>::clone(clock);
        let configured = match name {
            ProviderName::Qwen => Provider::Qwen(
                QwenProvider::builder()
                    .endpoints(QwenEndpoints::default().with_base(base)?)
                    .clock(own_clock)
                    .build(),
            ),
            ProviderName::MiniMax => Provider::MiniMax(
                MiniMaxProvider::builder()
                    .endpoints(MiniMaxEndpoints::default().with_base(base)?)
                    .clock(own_clock)
                    .build(),
            ),
            ProviderName::Gemini => Provider::Gemini(
                GeminiProvider::builder()
                    .client(OAuthClient::from_json(kit.client_secret_json().as_bytes())?)
                    .endpoints(GeminiEndpoints::default().with_base(base)?)
                    .quota_project("demo-project")
                    .clock(own_clock)
                    .build(),
            ),
        };
        let store = FileTokenStore::directory(directory.join("sessions"));
        let manager = configured
            .clone()
            .manager()
            .store(store.clone())
            .clock(Arc::<ManualClock>::clone(clock))
            .build();
        Ok(Self {
            name,
            manager,
            configured,
            store,
        })
    }

    /// How a person signs in here.
    pub(super) fn flow(&self) -> &'static str {
        match self.name {
            ProviderName::Qwen => "device flow with PKCE",
            ProviderName::MiniMax => "user code flow with PKCE and state",
            ProviderName::Gemini => {
                "authorization code flow with PKCE, state and a loopback redirect"
            }
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.store.path(self.manager.key())
    }

    pub(super) fn seen(&self, kit: &Testkit) -> Counters {
        match self.name {
            ProviderName::Qwen => kit.qwen().counters(),
            ProviderName::MiniMax => kit.minimax().counters(),
            ProviderName::Gemini => kit.gemini().counters(),
        }
    }

    /// Whether no other user can read the file, if the system has file modes.
    pub(super) fn is_private(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| {
                let metadata = path.metadata().ok()?;
                Some(metadata.permissions().mode() & 0o777)
            };
            let file = self.file();
            mode(&file) == Some(0o600) && file.parent().and_then(mode) == Some(0o700)
        }
        #[cfg(not(unix))]
        true
    }

    /// An API call, as a program does it: status, and what the answer says.
    pub(super) async fn call(&self, token: &OAuthToken) -> Result<(u16, String), Failure> {
        let base = self.configured.api_base(token).unwrap_or_default();
        let message = json!({"role": "user", "content": QUESTION});
        let (path, body) = match self.name {
            ProviderName::Qwen => (
                "/chat/completions",
                json!({"model": "coder-model", "messages": [message]}),
            ),
            ProviderName::MiniMax => (
                "/v1/messages",
                json!({"model": "MiniMax-M2", "max_tokens": 50, "messages": [message]}),
            ),
            ProviderName::Gemini => (
                "/v1beta/models/gemini-testkit:generateContent",
                json!({"contents": [{"parts": [{"text": QUESTION}]}]}),
            ),
        };
        let mut headers = self.configured.api_headers(token)?;
        headers.push(("Authorization", format!("Bearer {}", token.access.expose())));
        let url = format!("{base}{path}");
        let response = http::post_json(&url, &headers, body.to_string())
            .await
            .map_err(|error| Failure::Demo(format!("the API call failed: {error}")))?;
        Ok((response.status, words(&response.body)))
    }

    /// Whether it was an answer of the model (MiniMax refuses with status 200).
    pub(super) fn accepts(&self, status: u16, said: &str) -> bool {
        status == 200 && said.contains(QUESTION)
    }
}

/// The text of an answer or of a refusal, in the three vendors' shapes.
fn words(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = [
        "/choices/0/message/content",
        "/content/0/text",
        "/candidates/0/content/parts/0/text",
        "/error/message",
        "/base_resp/status_msg",
    ];
    let found = places
        .iter()
        .find_map(|place| body.pointer(place)?.as_str());
    printable(found.unwrap_or("(no words)"))
}
