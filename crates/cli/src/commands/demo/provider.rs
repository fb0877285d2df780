//! One simulated provider, with the manager of a session at it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use llm_auth::gemini::{Gemini, OAuthClient};
use llm_auth::minimax::MiniMax;
use llm_auth::qwen::Qwen;
use llm_auth_core::{
    AuthManager, AuthProvider as _, FileTokenStore, ManualClock, OAuthProviderBuilder, OAuthToken,
    ProviderSpec, printable,
};
use llm_auth_testkit::{Counters, ProviderKit, Testkit};
use serde_json::{Value, json};

use super::http;
use crate::error::Failure;
use crate::providers::{self, Provider, ProviderName};

/// A provider of the demo, and its simulation.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: ProviderName,
    /// How a user signs in.
    pub(super) flow: &'static str,
    pub(super) simulated: fn(&Testkit) -> &ProviderKit,
    spec: fn(&Testkit) -> Result<Arc<dyn ProviderSpec>, llm_auth_core::Error>,
    /// The path of an API call, and its body.
    path: &'static str,
    body: fn() -> Value,
}

pub(super) static STAGES: [Stage; 3] = [
    Stage {
        name: ProviderName::QWEN,
        flow: "device flow with PKCE",
        simulated: Testkit::qwen,
        spec: |_kit| Ok(Arc::new(Qwen::default())),
        path: "/chat/completions",
        body: || json!({"model": "coder-model", "messages": [message()]}),
    },
    Stage {
        name: ProviderName::MINIMAX,
        flow: "user code flow with PKCE and state",
        simulated: Testkit::minimax,
        spec: |_kit| Ok(Arc::new(MiniMax::default())),
        path: "/v1/messages",
        body: || json!({"model": "MiniMax-M2", "max_tokens": 50, "messages": [message()]}),
    },
    Stage {
        name: ProviderName::GEMINI,
        flow: "authorization code flow with PKCE, state and a loopback redirect",
        simulated: Testkit::gemini,
        spec: |kit| {
            let client = OAuthClient::from_json(kit.client_secret_json().as_bytes())?;
            Ok(Arc::new(
                Gemini::with_client(client).quota_project("demo-project"),
            ))
        },
        path: "/v1beta/models/gemini-testkit:generateContent",
        body: || json!({"contents": [{"parts": [{"text": QUESTION}]}]}),
    },
];

const QUESTION: &str = "are you there?";

fn message() -> Value {
    json!({"role": "user", "content": QUESTION})
}

pub(super) struct DemoProvider {
    pub(super) stage: &'static Stage,
    pub(super) manager: AuthManager,
    configured: Provider,
    store: FileTokenStore,
}

impl DemoProvider {
    /// Made of nothing but the provider's address and what is on disk.
    pub(super) fn new(
        stage: &'static Stage,
        kit: &Testkit,
        clock: &Arc<ManualClock>,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let clock = || Arc::<ManualClock>::clone(clock);
        let configured = OAuthProviderBuilder::of((stage.spec)(kit)?)
            .base_url(kit.base_url())?
            .clock(clock())
            .build();
        let store = FileTokenStore::directory(directory.join("sessions"));
        let manager = providers::manager(configured.clone())
            .store(store.clone())
            .clock(clock())
            .build();
        Ok(Self {
            stage,
            manager,
            configured,
            store,
        })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.store.path(self.manager.key())
    }

    pub(super) fn seen(&self, kit: &Testkit) -> Counters {
        (self.stage.simulated)(kit).counters()
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
        let api = self.configured.api(token)?;
        let (mut headers, base) = (api.headers, api.base.unwrap_or_default());
        let bearer = format!("Bearer {}", token.access.expose());
        headers.push(("Authorization".to_owned(), bearer));
        let url = format!("{base}{}", self.stage.path);
        let body = (self.stage.body)();
        let (status, response) = http::post_json(&url, &headers, &body)
            .await
            .map_err(|error| Failure::Demo(format!("the API call failed: {error}")))?;
        Ok((status, words(&response)))
    }

    /// Whether it was an answer of the model (MiniMax refuses with status 200).
    pub(super) fn accepts(&self, status: u16, said: &str) -> bool {
        status == 200 && said.contains(QUESTION)
    }
}

/// The text of an answer or of a refusal, in the three providers' shapes.
fn words(body: &Value) -> String {
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
    printable(found.unwrap_or("(no content)"))
}
