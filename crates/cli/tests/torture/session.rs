//! A token file as any reader sees it.

use std::path::Path;

use serde_json::Value;

use crate::round::{Check, Stop, ensure};
use crate::wire::Pair;

/// A session as its file holds it, whole.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) json: Value,
}

impl Session {
    pub(crate) fn read(file: &Path) -> Check<Self> {
        let bytes = std::fs::read(file).map_err(|error| {
            Stop::Lost(format!(
                "N2: the token file cannot be read: {}",
                error.kind()
            ))
        })?;
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Check<Self> {
        let torn = |what: &str| Stop::Lost(format!("N2: the token file {what}"));
        let json: Value =
            serde_json::from_slice(bytes).map_err(|_quotes_it| torn("is no whole JSON"))?;
        let member = |name: &str| {
            let text = json[name].as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| torn("lacks a token"))
        };
        ensure!(json["expires"].is_i64(), "the token file lacks the expiry");
        Ok(Self {
            access: member("access")?,
            refresh: member("refresh")?,
            json,
        })
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair {
            access: self.access.clone(),
            refresh: self.refresh.clone(),
        }
    }

    pub(crate) fn has_same_tokens(&self, other: &Self) -> bool {
        (&self.access, &self.refresh) == (&other.access, &other.refresh)
    }

    /// Whether a renewal that began is not known to have ended.
    pub(crate) fn notes_an_intent(&self) -> bool {
        self.json["llm_auth"]["intent"].is_object()
    }

    pub(crate) fn is_marked_refused(&self) -> bool {
        self.json["llm_auth"]["refused"].is_object()
    }
}
