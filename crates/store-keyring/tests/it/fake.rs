//! A keyring in memory that fails, or hangs, where a test says so.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use llm_auth_store_keyring::keyring_core::api::{
    Credential, CredentialApi, CredentialStore, CredentialStoreApi,
};
use llm_auth_store_keyring::keyring_core::{Entry, Error, Result};

#[derive(Clone, Debug, Default)]
pub(super) struct Fake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Vec<u8>>,
    /// How many more writes succeed.
    writes_left: Option<usize>,
    /// Whether calls wait.
    hangs: bool,
    waiting: usize,
}

#[derive(Debug)]
struct Item {
    fake: Fake,
    name: String,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn store(&self) -> Arc<CredentialStore> {
        Arc::new(self.clone())
    }

    pub(super) fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().entries.clone()
    }

    /// After that many writes, each fails as with a locked keyring.
    pub(super) fn lock_after(&self, writes: usize) {
        self.state().writes_left = Some(writes);
    }

    pub(super) fn unlock(&self) {
        self.state().writes_left = None;
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.state().hangs = hangs;
        self.0.changed.notify_all();
    }

    /// Waits until no call hangs any more.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        while state.waiting > 0 {
            state = self.0.changed.wait(state).unwrap();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// The state once nothing hangs.
    fn ready(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        if state.hangs {
            state.waiting += 1;
            while state.hangs {
                state = self.0.changed.wait(state).unwrap();
            }
            state.waiting -= 1;
            self.0.changed.notify_all();
        }
        state
    }
}

impl CredentialStoreApi for Fake {
    fn vendor(&self) -> String {
        "made-up".into()
    }

    fn id(&self) -> String {
        "made-up".into()
    }

    fn build(&self, service: &str, user: &str, _: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        assert_eq!(service, "llm-auth");
        Ok(Entry::new_with_credential(Arc::new(Item {
            fake: self.clone(),
            name: user.to_owned(),
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialApi for Item {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        let mut state = self.fake.ready();
        match &mut state.writes_left {
            Some(0) => return Err(Error::NoStorageAccess("made-up lock".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        state.entries.insert(self.name.clone(), secret.to_vec());
        Ok(())
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        let state = self.fake.ready();
        state.entries.get(&self.name).cloned().ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<()> {
        let removed = self.fake.ready().entries.remove(&self.name);
        removed.map(drop).ok_or(Error::NoEntry)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
