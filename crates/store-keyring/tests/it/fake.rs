//! A keyring in memory that fails, or hangs, where a test says so.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

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
    /// How many more removals succeed.
    removals_left: Option<usize>,
    /// Whether calls wait.
    hangs: bool,
    /// Whether only the next one does.
    hangs_once: bool,
    hangs_alone: bool,
    /// The file that must not name an entry any more when that is removed.
    manifest: Option<PathBuf>,
    too_early: Vec<String>,
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

    /// Adds entries that were removed.
    pub(super) fn put_back(&self, entries: BTreeMap<String, Vec<u8>>) {
        self.state().entries.extend(entries);
    }

    /// After that many writes, each fails as with a locked keyring.
    pub(super) fn lock_after(&self, writes: usize) {
        self.state().writes_left = Some(writes);
    }

    /// After that many removals, each fails.
    pub(super) fn keep_after(&self, removals: usize) {
        self.state().removals_left = Some(removals);
    }

    pub(super) fn unlock(&self) {
        self.state().writes_left = None;
        self.state().removals_left = None;
    }

    /// The next call waits, and no other.
    pub(super) fn hang_once(&self) {
        self.state().hangs_once = true;
    }

    /// Watches that entries are removed only after this file has been replaced.
    pub(super) fn watch(&self, manifest: PathBuf) {
        self.state().manifest = Some(manifest);
    }

    /// The entries that were removed while the file still named them.
    pub(super) fn too_early(&self) -> Vec<String> {
        self.state().too_early.clone()
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.state().hangs = hangs;
        self.state().hangs_alone = false;
        self.0.changed.notify_all();
    }

    /// Waits for what another thread does to the entries.
    pub(super) fn wait_until(&self, is_so: impl Fn(&BTreeMap<String, Vec<u8>>) -> bool) {
        let patience = Duration::from_secs(30);
        let waiting = |state: &mut State| !is_so(&state.entries);
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), patience, waiting);
        let (state, end) = waited.unwrap();
        assert!(!end.timed_out(), "{:?}", state.entries.keys());
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
        if state.hangs || state.hangs_once {
            state.waiting += 1;
            let is_one = std::mem::take(&mut state.hangs_once);
            state.hangs_alone |= is_one;
            while state.hangs || (is_one && state.hangs_alone) {
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
        self.fake.0.changed.notify_all();
        Ok(())
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        let state = self.fake.ready();
        state.entries.get(&self.name).cloned().ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<()> {
        let mut state = self.fake.ready();
        let id = self
            .name
            .rsplit(' ')
            .next()
            .and_then(|name| name.split('.').next());
        let manifest = state.manifest.as_ref().map(std::fs::read);
        let manifest = manifest.and_then(std::result::Result::ok);
        let named = manifest.and_then(|content| {
            let form: serde_json::Value = serde_json::from_slice(content.trim_ascii()).ok()?;
            form["id"].as_str().map(str::to_owned)
        });
        if named.is_some() && named.as_deref() == id {
            let name = self.name.clone();
            state.too_early.push(name);
        }
        if !state.entries.contains_key(&self.name) {
            return Err(Error::NoEntry);
        }
        match &mut state.removals_left {
            Some(0) => return Err(Error::NoStorageAccess("made-up lock".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        state.entries.remove(&self.name);
        self.fake.0.changed.notify_all();
        Ok(())
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
