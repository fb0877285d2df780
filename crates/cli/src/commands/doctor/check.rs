//! One check, and how it ended.

use llm_auth_core::printable;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Failure;
use crate::providers::ProviderName;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) id: &'static str,
    #[serde(rename = "vendor", skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    pub(super) status: Status,
    pub(super) message: String,
    pub(super) advice: Option<String>,
    #[serde(flatten)]
    pub(super) facts: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Fail,
    Note,
    Ok,
    Warn,
}

impl Check {
    pub(super) fn new(id: &'static str, status: Status, message: impl Into<String>) -> Self {
        Self {
            id,
            provider: None,
            status,
            message: message.into(),
            advice: None,
            facts: Map::new(),
        }
    }

    /// Something that could not even be looked at.
    pub(super) fn failed(id: &'static str, failure: &Failure) -> Self {
        let check = Self::new(id, Status::Fail, failure.message());
        match failure {
            Failure::Config { advice, .. } => check.advice(advice.clone()),
            _ => check,
        }
    }

    pub(super) fn of(self, provider: ProviderName) -> Self {
        self.at(provider.name())
    }

    pub(super) fn at(mut self, provider: &str) -> Self {
        // A message of its own may name the provider first, which every check prints.
        if let Some(rest) = self.message.strip_prefix(&format!("{provider}: ")) {
            self.message = rest.to_owned();
        }
        self.provider = Some(printable(provider)).filter(|name| !name.is_empty());
        self
    }

    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}
