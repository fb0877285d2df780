//! The vendor, the database and two instances.

use std::path::Path;
use std::time::Duration;

use llm_auth_testkit::{Approval, Testkit};
use serde_json::json;
use tempfile::TempDir;

use crate::instance::Instance;
use crate::postgres::Postgres;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) instances: [Instance; 2],
    pub(crate) kit: Testkit,
    pub(crate) postgres: Postgres,
    files: TempDir,
}

impl World {
    /// `None` without Postgres. The vendor approves by itself, and a second use of a refresh token
    /// ends its session there.
    pub(crate) async fn start() -> Option<Self> {
        let postgres = Postgres::start()?;
        let kit = Testkit::builder()
            .approval(Approval::Auto)
            .interval(Duration::from_millis(1));
        let kit = kit.start().await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
        write("database-url", &postgres.url());
        write("key", "bWFkZS11cCBrZXksIHdoaWNoIHByb3RlY3RzIG5vdCE=\n");
        write("provider.json", &provider(kit.base_url()));
        let world = Self {
            instances: [Instance::start(files.path()), Instance::start(files.path())],
            kit,
            postgres,
            files,
        };
        for instance in &world.instances {
            ready(instance).await;
        }
        Some(world)
    }

    pub(crate) fn files(&self) -> &Path {
        self.files.path()
    }

    /// The texts that no log and no page may hold.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let server = self.kit.standard();
        let mut tokens = server.live_access_tokens();
        tokens.extend(server.live_refresh_tokens());
        assert!(!tokens.is_empty());
        tokens
    }
}

/// The file of the simulated vendor at this URL.
pub(crate) fn provider(base: &str) -> String {
    let at = |path: &str| format!("{base}/standard/{path}");
    let provider = json!({
        "name": "standard",
        "endpoints": {
            "token": at("token"),
            "authorization": at("authorize"),
            "device_authorization": at("device/code"),
            "revocation": at("revoke"),
            "api_base": at("v1"),
        },
        "client": {"known": {"id": "testkit-client"}},
        "flows": [{"type": "code", "redirect": {"path": "/callback"}}, {"type": "device"}],
    });
    provider.to_string()
}

/// Asks until the instance is ready; each time it asks the database.
pub(crate) async fn ready(instance: &Instance) {
    let mut browser = crate::client::Browser::new();
    for _ in 0..200 {
        let page = browser
            .visit(&format!("{}/health/ready", instance.admin))
            .await;
        if page.status == 200 {
            return;
        }
    }
    panic!("{instance:?} is not ready");
}
