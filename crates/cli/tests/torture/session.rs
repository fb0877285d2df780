//! A token file as any reader sees it.

use std::path::Path;

use serde_json::Value;

use crate::ledger::Pair;
use crate::round::{Check, Stop, ensure};

/// A session as its file holds it, whole.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) json: Value,
    begun: bool,
}

impl Session {
    pub(crate) fn read(file: &Path) -> Check<Self> {
        let bytes = std::fs::read(file).map_err(|error| {
            Stop::Lost(format!(
                "N2: the token file cannot be read: {}",
                error.kind()
            ))
        })?;
        let mut session = Self::parse(&bytes)?;
        let beside = |before: &str, after: &str| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            std::fs::read(file.with_file_name(format!("{before}{name}{after}"))).ok()
        };
        // A process that died before its rename leaves the whole successor beside the file. The
        // next one, which alone shows whether it follows, is asked by the checks.
        let waiting = beside(".", ".tmp").and_then(|bytes| Self::parse(&bytes).ok());
        if let Some(waiting) = waiting.filter(|it| it.json["llm_auth"]["follows"].is_string()) {
            session = waiting;
        }
        // A refresh that began is noted in the lock file.
        let lock = beside("", ".lock").and_then(|bytes| String::from_utf8(bytes).ok());
        let note = lock.and_then(|text| serde_json::from_str(text.lines().nth(1)?).ok());
        session.begun = note.is_some_and(|note: Value| note["refresh"].is_string());
        Ok(session)
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
            begun: false,
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

    /// Whether a refresh that began is not known to have ended.
    pub(crate) fn notes_an_intent(&self) -> bool {
        self.begun || self.json["llm_auth"]["intent"].is_object()
    }

    pub(crate) fn is_marked_refused(&self) -> bool {
        self.json["llm_auth"]["refused"].is_object()
    }
}
