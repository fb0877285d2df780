//! The seal that keeps sessions in a keyring.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyring_core::CredentialStore;
use llm_auth_core::store::Seal;
use llm_auth_core::{Error, ErrorKind, FileTokenStore, Result};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::access::Access;
use crate::failure::KeyringError;
use crate::parts::{MOST_ATTEMPTS, Manifest, name, split};
use crate::platform;

/// The version of the manifest.
const VERSION: u32 = 1;

/// What stands in an entry before its session does.
const PLACEHOLDER: &[u8] = b"reserved by llm-auth";

/// A keyring that holds sessions.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_store_keyring::Keyring;
///
/// # fn run() -> llm_auth_core::Result<()> {
/// let keyring = Keyring::of_system();
/// // Before a user signs in: that cannot be repeated.
/// keyring.probe()?;
/// let store = keyring.store("/home/me/.local/share/my-agent/keyring");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Keyring {
    access: Access,
    longest: usize,
    /// How often a write of an id has hung.
    hung: Arc<Mutex<HashMap<String, u32>>>,
}

impl Keyring {
    /// The keyring of the operating system: a Secret Service on the D-Bus session (Linux, BSD), the
    /// user's keychain (macOS), the Credential Manager (Windows). Nothing is opened yet.
    ///
    /// The D-Bus client reads `DBUS_SESSION_BUS_ADDRESS`: what that names gets the sessions.
    ///
    /// # Examples
    ///
    /// See [`Keyring`].
    #[must_use]
    pub fn of_system() -> Self {
        Self::new(Access::new(Arc::new(platform::connect), true))
    }

    /// Another keyring, by its `keyring-core` store.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::FileTokenStore;
    /// use llm_auth_store_keyring::Keyring;
    /// use llm_auth_store_keyring::keyring_core::CredentialStore;
    ///
    /// fn store(of: Arc<CredentialStore>) -> llm_auth_core::Result<FileTokenStore> {
    ///     let keyring = Keyring::with_store(of);
    ///     keyring.probe()?;
    ///     Ok(keyring.store("/home/me/.local/share/my-agent/keyring"))
    /// }
    /// ```
    #[must_use]
    pub fn with_store(store: Arc<CredentialStore>) -> Self {
        let connect = move || Ok(Arc::clone(&store));
        Self::new(Access::new(Arc::new(connect), false))
    }

    fn new(access: Access) -> Self {
        Self {
            access,
            longest: platform::LONGEST_ENTRY,
            hung: Arc::default(),
        }
    }

    /// How long to wait for the keyring at each step, a prompt for its password included. Default: 30 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_store_keyring::Keyring;
    ///
    /// let keyring = Keyring::of_system().wait(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.access.wait = wait;
        self
    }

    /// The name of the service that entries have. Default: `llm-auth`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_keyring::Keyring;
    ///
    /// let keyring = Keyring::of_system().service("my-agent");
    /// ```
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.access.service = service.into();
        self
    }

    /// The length in bytes beyond which a session gets more than one entry. Default: 2,560 on Windows,
    /// which stores no more, and 65,536 elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_keyring::Keyring;
    ///
    /// let keyring = Keyring::of_system().longest_entry(2_560);
    /// ```
    #[must_use]
    pub fn longest_entry(mut self, length: usize) -> Self {
        self.longest = length;
        self
    }

    /// Writes, reads and removes an entry, to find out whether the keyring works, and to have it unlocked.
    /// It blocks the calling thread for as long as [`wait`](Self::wait) allows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`], with a [`KeyringError`] as its source.
    ///
    /// # Examples
    ///
    /// See [`with_store`](Self::with_store).
    pub fn probe(&self) -> Result<()> {
        let id = new_id()?;
        let read = self.access.call(move |items| {
            let entry = items.entry("probe", &name("probe", &id, 0, 0))?;
            entry.set_secret(PLACEHOLDER)?;
            let read = entry.get_secret();
            entry.delete_credential()?;
            read
        })?;
        match read == PLACEHOLDER {
            true => Ok(()),
            false => {
                let detail = "it returns another content than was stored";
                Err(KeyringError::Failed.into_error(self.access.wait, detail))
            }
        }
    }

    /// The store of the sessions whose manifests are in this directory. It is created with mode 0700, for
    /// llm-auth alone. It holds the locks too, for a keyring has none.
    ///
    /// # Examples
    ///
    /// See [`Keyring`].
    #[must_use]
    pub fn store(&self, directory: impl Into<PathBuf>) -> FileTokenStore {
        FileTokenStore::directory(directory).sealed_with(Arc::new(self.clone()))
    }

    fn attempt(&self, id: &str) -> u32 {
        let hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner);
        hung.get(id).copied().unwrap_or_default()
    }

    /// A write that may still end must not meet the next one.
    fn after(&self, id: &str, error: Error) -> Error {
        let mut hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner);
        *hung.entry(id.to_owned()).or_default() += 1;
        error
    }

    fn write(
        &self,
        place: &str,
        mut manifest: Manifest,
        parts: Vec<Zeroizing<Vec<u8>>>,
    ) -> Result<Manifest> {
        manifest.attempt = self.attempt(&manifest.id);
        if manifest.attempt >= MOST_ATTEMPTS {
            return Err(KeyringError::NoResponse.into_error(self.access.wait, ""));
        }
        let (place, written) = (place.to_owned(), manifest.clone());
        let call = self
            .access
            .call(move |items| written.write(items, &place, &parts));
        match call {
            Ok(()) => Ok(manifest),
            Err(error) => Err(self.after(&manifest.id, error)),
        }
    }
}

impl Seal for Keyring {
    fn name(&self) -> &str {
        "keyring"
    }

    /// An entry is written, so that a keyring which is locked or full is noticed in time.
    fn begin(&self, place: &str) -> Result<Map<String, Value>> {
        let manifest = Manifest {
            v: VERSION,
            id: new_id()?,
            attempt: 0,
            parts: 0,
            length: 0,
            replaces: None,
        };
        let placeholder = vec![Zeroizing::new(PLACEHOLDER.to_vec())];
        Ok(self.write(place, manifest, placeholder)?.into_form())
    }

    fn seal(
        &self,
        place: &str,
        begun: &Map<String, Value>,
        content: &[u8],
        replaced: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>> {
        let begun = Manifest::of(begun).ok_or_else(|| {
            Error::new(ErrorKind::Store, "the keyring was not prepared: try again")
        })?;
        let parts = split(content, self.longest);
        let manifest = Manifest {
            parts: parts.len(),
            length: content.len(),
            replaces: replaced.and_then(Manifest::of).map(|old| old.as_replaced()),
            ..begun
        };
        Ok(self.write(place, manifest, parts)?.into_form())
    }

    fn open(&self, place: &str, sealed: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>> {
        let version = sealed.get("v").and_then(Value::as_u64);
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            let message = "its format is of a later version: update llm-auth";
            return Err(Error::new(ErrorKind::Store, message));
        }
        let corrupt = |why| Error::new(ErrorKind::Corrupt, why);
        let manifest = Manifest::of(sealed).filter(|manifest| manifest.parts > 0);
        let manifest = manifest.ok_or_else(|| corrupt("it names no entries of a keyring"))?;
        let place = place.to_owned();
        let read = self
            .access
            .call(move |items| manifest.read(items, &place))?;
        read.ok_or_else(|| corrupt("the keyring does not have all its entries"))
    }

    fn discard(
        &self,
        place: &str,
        sealed: &Map<String, Value>,
        kept: Option<&Map<String, Value>>,
    ) -> Result<()> {
        let Some(manifest) = Manifest::of(sealed) else {
            return Ok(());
        };
        // Also from a manifest of a later version.
        let kept = kept.and_then(|kept| kept.get("id")?.as_str());
        let (place, kept) = (place.to_owned(), kept.map(str::to_owned));
        self.access
            .call(move |items| manifest.remove(items, &place, kept.as_deref()))
    }
}

fn new_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|source| {
        let message = "cannot get random bytes from the operating system";
        Error::new(ErrorKind::System, message).with_source(source)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
