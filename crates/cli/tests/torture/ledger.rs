//! What a provider gave out, in order.

use std::sync::Mutex;

/// The generations of all sessions of a provider, in the order in which it gave them out.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Pair>>);

/// An access token and the refresh token that was given out with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Ledger {
    pub(crate) fn add(&self, pair: Pair) {
        self.0.lock().unwrap().push(pair);
    }

    pub(crate) fn pairs(&self) -> Vec<Pair> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn holds(&self, access: &str, refresh: &str) -> bool {
        let pairs = self.0.lock().unwrap();
        pairs
            .iter()
            .any(|pair| pair.access == access && pair.refresh == refresh)
    }

    /// The refresh token that this access token came with.
    pub(crate) fn refresh_of(&self, access: &str) -> Option<String> {
        let pairs = self.0.lock().unwrap();
        let found = pairs.iter().find(|pair| pair.access == access)?;
        Some(found.refresh.clone())
    }

    /// When a refresh token was first given out, as a number that grows.
    pub(crate) fn generation(&self, refresh: &str) -> Option<usize> {
        let pairs = self.0.lock().unwrap();
        pairs.iter().position(|pair| pair.refresh == refresh)
    }
}
