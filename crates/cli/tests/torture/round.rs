//! One round: its choices, what came of it, and what ends it early.

use std::collections::BTreeMap;
use std::time::Duration;

use llm_auth_testkit::Provider;

use crate::random::Random;

/// Why a round ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A session was lost that must not be.
    Lost(String),
    /// A promise was broken, though no session was lost.
    Broken(String),
    /// This computer does not let us make the fault.
    Skipped(String),
}

pub(crate) type Check<T = ()> = Result<T, Stop>;

/// Ends the round as broken unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::round::Stop::Broken(format!($($words)+)));
        }
    };
}

/// Ends the round as a lost session unless the condition holds.
macro_rules! ensure_kept {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::round::Stop::Lost(format!($($words)+)));
        }
    };
}

pub(crate) use {ensure, ensure_kept};

/// One round of one section.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) random: Random,
    pub(crate) index: u64,
    pub(crate) long: bool,
    /// How long a refresh takes when three run at once.
    pub(crate) pace: Duration,
    pub(crate) tally: Tally,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Processes put to the fault.
    pub(crate) tries: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// Processes that died of SIGKILL.
    pub(crate) kills: u64,
    /// Losses of the one kind that is allowed (N5).
    pub(crate) allowed: u64,
    /// Losses that nothing could prevent: after the response not one byte could be written or
    /// synced.
    pub(crate) impossible: u64,
}

impl Round {
    /// Qwen and MiniMax in turn: both rotate.
    pub(crate) fn provider(&self) -> Provider {
        if self.index.is_multiple_of(2) {
            Provider::Qwen
        } else {
            Provider::MiniMax
        }
    }

    /// Counts one try and how it ended.
    pub(crate) fn outcome(&mut self, what: impl Into<String>) {
        self.tally.tries += 1;
        self.note(what);
    }

    /// Counts something that is no try of its own.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        *self.tally.outcomes.entry(what.into()).or_default() += 1;
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.tries += other.tries;
        self.kills += other.kills;
        self.allowed += other.allowed;
        self.impossible += other.impossible;
        for (what, count) in &other.outcomes {
            *self.outcomes.entry(what.clone()).or_default() += count;
        }
    }
}
