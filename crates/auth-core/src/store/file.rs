//! Sessions in files: atomic, durable, for their owner alone, locked by the operating system.

mod atomic;
mod lock;
mod name;
mod ready;
mod sealing;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::atomic::{LockedFile, SessionFile};
use self::lock::FileLock;
pub use self::lock::LockHolder;
use self::ready::Ready;
use self::sealing::Sealing;
use self::target::Target;
use super::seal::Seal;
use super::{StoreGuard, TokenStore};
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// A store that keeps each session in a JSON file. A Go program with gochat's package can read and
/// write it too.
///
/// * A file is replaced as a whole (new file, `fsync`, `rename`, `fsync` of the directory), so a
///   reader sees the old session or the new one, also after a kill or a power cut. The store
///   acquires everything that this needs before a refresh token is spent. If a process died before
///   the `rename`, or its `rename` failed, the next process finds the successor next to the file.
/// * Files have mode 0600 from the start, and the store's own directories 0700. A file with wider
///   permissions is tightened when it is read. A file keeps its owner, also if the administrator
///   replaces it.
/// * The store rejects directories in which other users may replace files, and token files with a
///   second name (a hard link).
/// * The lock is the operating system's and ends with its holder. It is on a file `<name>.lock`
///   next to the token file, which is never deleted. The holder records in it that a refresh is in
///   progress.
/// * The store follows a symbolic link: it replaces the target, and the link stays.
/// * A file that is no session is never overwritten: a new sign-in moves it aside as
///   `<name>.corrupt-<time>`.
///
/// # Examples
///
/// ```
/// use llm_auth_core::FileTokenStore;
///
/// let one_session = FileTokenStore::file("qwen.json");
/// let many_sessions = FileTokenStore::directory("/home/me/.local/share/my-agent/sessions");
/// ```
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    layout: Layout,
    /// Why a relative path cannot be resolved.
    unusable: Option<Arc<str>>,
    lock_wait: Duration,
    seal: Option<Arc<dyn Seal>>,
}

#[derive(Clone, Debug)]
enum Layout {
    File(PathBuf),
    Directory(PathBuf),
}

#[derive(Debug)]
struct FileGuard {
    file: LockedFile,
    ready: Option<Ready>,
    lock: Arc<FileLock>,
}

impl FileTokenStore {
    /// One session in one file, of any provider and account. Missing directories are created with
    /// mode 0700.
    ///
    /// A relative path is resolved now; a later change of the current directory changes nothing.
    /// Without a current directory, every use fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, SessionKey};
    ///
    /// let store = FileTokenStore::file("/home/me/qwen.json");
    /// let path = store.path(&SessionKey::new("qwen", "default"));
    /// assert!(path.ends_with("qwen.json"));
    /// ```
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::at(path.into(), Layout::File)
    }

    /// A directory for llm-auth alone, with a file for each session: `<provider>/<account>.json`.
    /// It is created with mode 0700, and tightened to that if it exists. A relative path is
    /// resolved as in [`file`](Self::file).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, SessionKey};
    ///
    /// let store = FileTokenStore::directory("/home/me/sessions");
    /// let path = store.path(&SessionKey::new("qwen", "work"));
    /// assert!(path.ends_with("sessions/qwen/work.json"));
    /// ```
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self::at(path.into(), Layout::Directory)
    }

    fn at(path: PathBuf, layout: fn(PathBuf) -> Layout) -> Self {
        let (path, unusable) = match std::path::absolute(&path) {
            Ok(absolute) => (absolute, None),
            Err(source) => {
                let why = format!("cannot resolve the path {}: {source}", path.display());
                (path, Some(why.into()))
            }
        };
        Self {
            layout: layout(path),
            unusable,
            lock_wait: Duration::from_secs(60),
            seal: None,
        }
    }

    /// How long to wait for another process's lock; 60 s by default, longer than a refresh with all
    /// its retries takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::FileTokenStore;
    ///
    /// let store = FileTokenStore::file("qwen.json").lock_wait(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Keeps no session on disk as it is, but as the seal makes it: encrypted, or elsewhere.
    ///
    /// A plain file in its place, or one of another seal, is an error and stays. A store without a
    /// seal reports a sealed file likewise.
    ///
    /// # Examples
    ///
    /// See [`Seal`].
    #[must_use]
    pub fn sealed_with(mut self, seal: Arc<dyn Seal>) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Reads a session in the calling thread, without the lock and without a runtime.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, SessionKey};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// let path = directory.path().join("qwen.json");
    /// std::fs::write(&path, r#"{"access": "made-up", "expires": 1000}"#).unwrap();
    ///
    /// let store = FileTokenStore::file(path);
    /// let session = store.read(&SessionKey::new("qwen", "default"))?;
    /// assert_eq!(session.unwrap().access.expose(), "made-up");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.atomic(key)?.read()
    }

    /// The path of a session's file, even if it does not exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, SessionKey};
    ///
    /// let store = FileTokenStore::directory("/home/me/sessions");
    /// assert!(store.path(&SessionKey::new("qwen", "")).ends_with("qwen/default.json"));
    /// ```
    #[must_use]
    pub fn path(&self, key: &SessionKey) -> PathBuf {
        match &self.layout {
            Layout::File(path) => path.clone(),
            Layout::Directory(directory) => directory
                .join(name::encode(key.provider()))
                .join(format!("{}.json", name::encode(key.account()))),
        }
    }

    /// The sessions that have a file in the directory, sorted; empty for a store of one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the directory, or one in it, cannot be listed: then
    /// [`sessions_of`](Self::sessions_of) still returns those of the other
    /// [`providers`](Self::providers).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FileTokenStore;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # std::fs::create_dir_all(directory.path().join("qwen")).unwrap();
    /// # std::fs::write(directory.path().join("qwen/work.json"), "{}").unwrap();
    /// let store = FileTokenStore::directory(directory.path());
    /// let sessions = store.sessions()?;
    /// assert_eq!(sessions[0].to_string(), "qwen (work)");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn sessions(&self) -> Result<Vec<SessionKey>> {
        let mut found = Vec::new();
        for provider in self.providers()? {
            found.extend(self.sessions_of(&provider)?);
        }
        Ok(found)
    }

    /// The providers that have a directory, sorted; empty for a store of one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the directory cannot be listed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FileTokenStore;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # std::fs::create_dir_all(directory.path().join("qwen")).unwrap();
    /// let store = FileTokenStore::directory(directory.path());
    /// assert_eq!(store.providers()?, ["qwen"]);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn providers(&self) -> Result<Vec<String>> {
        self.check_usable()?;
        let Layout::Directory(directory) = &self.layout else {
            return Ok(Vec::new());
        };
        let mut found: Vec<String> = names(directory)?
            .iter()
            .filter_map(|name| name::decode(name))
            .collect();
        found.sort();
        Ok(found)
    }

    /// The sessions of one provider that have a file in the directory, sorted; empty for a store of
    /// one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the provider's directory cannot be listed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FileTokenStore;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # std::fs::create_dir_all(directory.path().join("qwen")).unwrap();
    /// # std::fs::write(directory.path().join("qwen/work.json"), "{}").unwrap();
    /// let store = FileTokenStore::directory(directory.path());
    /// assert_eq!(store.sessions_of("qwen")?[0].account(), "work");
    /// assert!(store.sessions_of("minimax")?.is_empty());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn sessions_of(&self, provider: &str) -> Result<Vec<SessionKey>> {
        self.check_usable()?;
        let Layout::Directory(directory) = &self.layout else {
            return Ok(Vec::new());
        };
        let directory = directory.join(name::encode(provider));
        let mut found: Vec<SessionKey> = names(&directory)?
            .iter()
            .filter_map(|file| self.account_of(&directory, file))
            .filter(|account| !account.is_empty())
            .map(|account| SessionKey::new(provider, account))
            .collect();
        found.sort();
        Ok(found)
    }

    /// The accounts of one provider next to whose place a process that was killed left an unfinished
    /// session, sorted. Removing the session removes that too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the provider's directory cannot be listed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FileTokenStore;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # std::fs::create_dir_all(directory.path().join("qwen")).unwrap();
    /// # std::fs::write(directory.path().join("qwen/.work.json.tmp"), "{").unwrap();
    /// let store = FileTokenStore::directory(directory.path());
    /// assert_eq!(store.unfinished_of("qwen")?[0].account(), "work");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn unfinished_of(&self, provider: &str) -> Result<Vec<SessionKey>> {
        self.check_usable()?;
        let Layout::Directory(directory) = &self.layout else {
            return Ok(Vec::new());
        };
        let mut found: Vec<SessionKey> = names(&directory.join(name::encode(provider)))?
            .iter()
            .filter_map(|file| {
                let stem = file.strip_prefix('.')?.strip_suffix(".json.tmp")?;
                let account = name::decode(stem).filter(|account| !account.is_empty())?;
                Some(SessionKey::new(provider, account))
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// The current holder of a session's lock; this does not take it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if that is unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, SessionKey};
    /// use llm_auth_core::store::LockHolder;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// let store = FileTokenStore::directory(directory.path());
    /// let holder = store.lock_holder(&SessionKey::new("qwen", "work"))?;
    /// assert_eq!(holder, LockHolder::Free);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn lock_holder(&self, key: &SessionKey) -> Result<LockHolder> {
        let file = self.atomic(key)?;
        lock::holder(&file.lock_path()?)
    }

    fn atomic(&self, key: &SessionKey) -> Result<SessionFile> {
        self.check_usable()?;
        let (own_directory, account) = match &self.layout {
            Layout::File(_) => (None, None),
            Layout::Directory(directory) => {
                let account = name::is_shortened(&name::encode(key.account()));
                let account = account.then(|| key.account().to_owned());
                (Some(directory.clone()), account)
            }
        };
        let path = self.path(key);
        let sealing = self.sealing(&path);
        Ok(SessionFile::new(path, own_directory, account, sealing))
    }

    /// The seal of a file, which holds there alone: by its name, as an account may be read from it.
    fn sealing(&self, path: &Path) -> Sealing {
        let name = match &self.layout {
            Layout::File(_) => String::new(),
            Layout::Directory(directory) => {
                let inside = path.strip_prefix(directory).unwrap_or(path);
                let parts = inside.with_extension("");
                let parts = parts.iter().map(std::ffi::OsStr::to_string_lossy);
                parts.collect::<Vec<_>>().join("/")
            }
        };
        Sealing::new(self.seal.clone(), name)
    }

    /// The account of a session file. If its name was too long for a file name, the session itself
    /// holds it; an unreadable session has none.
    fn account_of(&self, directory: &Path, file: &str) -> Option<String> {
        let stem = file.strip_suffix(".json")?;
        if !name::is_shortened(stem) {
            return name::decode(stem);
        }
        let path = directory.join(file);
        let target = Target::of(&path, self.sealing(&path)).ok()?;
        let account = target.read().ok()??.metadata.account?;
        (name::encode(&account) == stem).then_some(account)
    }

    fn check_usable(&self) -> Result<()> {
        match &self.unusable {
            Some(why) => Err(Error::new(ErrorKind::Store, why.as_ref())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let file = self.atomic(key)?;
        in_background(move || file.read()).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let file = self.atomic(key)?;
        let file = in_background(move || file.make_directory()).await?;
        let lock = FileLock::acquire(file.target.lock_path(), self.lock_wait).await?;
        Ok(Box::new(FileGuard {
            file,
            ready: None,
            lock: Arc::new(lock),
        }))
    }

    fn location(&self, key: &SessionKey) -> String {
        self.path(key).display().to_string()
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[async_trait]
impl StoreGuard for FileGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        // A successor that could not be moved into place is found again, as after the death of a
        // process.
        let waiting = self.ready.take_if(|ready| ready.waits());
        let is_prepared = self.ready.is_some();
        self.under_lock(move |file, lock| {
            drop(waiting);
            match is_prepared {
                true => file.load_prepared(&lock),
                false => file.load(&lock),
            }
        })
        .await
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        let (before, stored) = (self.ready.take(), stored.cloned());
        let ready = self
            .under_lock(move |file, lock| {
                // Dropped later, it would remove the new one's name.
                drop(before);
                file.prepare(stored.as_ref(), &lock)
            })
            .await?;
        self.ready = Some(ready);
        Ok(())
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let (ready, token) = (self.ready.take(), token.clone());
        let (ready, saved) = self
            .under_lock(move |file, lock| Ok(file.save(&token, ready, &lock)))
            .await?;
        self.ready = ready;
        saved
    }

    async fn remove(&mut self) -> Result<()> {
        let ready = self.ready.take();
        self.under_lock(move |file, lock| {
            file.target.remove()?;
            if let Some(ready) = ready {
                ready.discard();
            }
            lock.clear_intent();
            Ok(())
        })
        .await
    }

    async fn release(self: Box<Self>) {
        let released = in_background(move || {
            drop(self);
            Ok(())
        });
        if let Err(error) = released.await {
            tracing::warn!(%error, "a lock is released late");
        }
    }
}

impl FileGuard {
    /// Runs blocking work that keeps the lock until it is done, even if the caller is dropped.
    async fn under_lock<T: Send + 'static>(
        &self,
        work: impl FnOnce(LockedFile, Arc<FileLock>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (file, lock) = (self.file.clone(), Arc::clone(&self.lock));
        in_background(move || work(file, lock)).await
    }
}

/// Runs blocking work on the library's own threads: they need no runtime, and a save needs no new
/// thread once a file was read.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    engine::files().run(work).await
}

/// The names in a directory that are text; empty if it does not exist or is no directory.
fn names(directory: &Path) -> Result<Vec<String>> {
    tracing::trace!(directory = %directory.display(), "list a directory");
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source)
            if matches!(
                source.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(atomic::store_error("list the directory", directory, source)),
    };
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect())
}
