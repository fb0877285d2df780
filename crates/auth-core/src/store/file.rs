//! Sessions in files: atomic, durable, for their owner alone, locked by the operating system.

mod lock;
mod name;
mod rights;
mod session_file;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::lock::FileLock;
pub use self::lock::LockHolder;
use self::session_file::{Reserved, SessionFile};
use super::{StoreGuard, TokenStore};
use crate::engine;
use crate::error::Result;
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// Keeps each session in a JSON file that a Go program of gochat can read and write too.
///
/// * A file is replaced as a whole (new file, `fsync`, `rename`, `fsync` of the folder), so a
///   reader sees the old session or the new one, also after a kill or a power cut.
/// * Files have mode 0600 from birth and a folder of our own has 0700; a file with wider rights
///   is tightened when it is read.
/// * The lock is the operating system's and dies with its holder. It sits on a file
///   `<name>.lock` beside the token file, which is never deleted.
/// * A symbolic link is followed: its target is replaced, the link stays.
/// * A file that cannot be read as a session is never overwritten: a new sign-in keeps it
///   aside as `<name>.corrupt-<time>`.
///
/// # Examples
///
/// ```
/// use llm_auth_core::FileTokenStore;
///
/// let one_session = FileTokenStore::file("qwen.json");
/// let many_sessions = FileTokenStore::folder("/home/me/.local/share/my-agent/sessions");
/// ```
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    place: Place,
    lock_wait: Duration,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Folder(PathBuf),
}

#[derive(Debug)]
struct FileGuard {
    file: SessionFile,
    reserved: Option<Reserved>,
    lock: Arc<FileLock>,
}

impl FileTokenStore {
    /// One session in one file, whoever's it is. Missing folders are made with mode 0700.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// A folder of our own with a file for each session: `<provider>/<account>.json`. It is
    /// made with mode 0700, and tightened to that if it exists.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::Folder(path.into()))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            lock_wait: Duration::from_secs(60),
        }
    }

    /// How long to wait for somebody else's lock; 60 s by default, which is longer than a
    /// renewal with all its retries takes.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Reads a session in this very thread, without the lock and without a runtime.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    pub fn read(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.session_file(key).read()
    }

    /// The path of a session's file, whether it exists or not.
    #[must_use]
    pub fn path(&self, key: &SessionKey) -> PathBuf {
        match &self.place {
            Place::File(path) => path.clone(),
            Place::Folder(folder) => folder
                .join(name::encode(key.provider()))
                .join(format!("{}.json", name::encode(key.account()))),
        }
    }

    /// The sessions that have a file in the folder, sorted; none for a store of one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the folder, or a folder in it, cannot be listed: then
    /// [`sessions_of`](Self::sessions_of) still tells those of the other
    /// [`providers`](Self::providers).
    pub fn sessions(&self) -> Result<Vec<SessionKey>> {
        let mut found = Vec::new();
        for provider in self.providers()? {
            found.extend(self.sessions_of(&provider)?);
        }
        Ok(found)
    }

    /// The providers that have a folder, sorted; none for a store of one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the folder cannot be listed.
    pub fn providers(&self) -> Result<Vec<String>> {
        let Place::Folder(folder) = &self.place else {
            return Ok(Vec::new());
        };
        let mut found: Vec<String> = names(folder)?
            .iter()
            .filter_map(|name| name::decode(name))
            .collect();
        found.sort();
        Ok(found)
    }

    /// The sessions of one provider that have a file in the folder, sorted; none for a store of
    /// one file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the provider's folder cannot be listed.
    pub fn sessions_of(&self, provider: &str) -> Result<Vec<SessionKey>> {
        let Place::Folder(folder) = &self.place else {
            return Ok(Vec::new());
        };
        let mut found: Vec<SessionKey> = names(&folder.join(name::encode(provider)))?
            .iter()
            .filter_map(|file| name::decode(file.strip_suffix(".json")?))
            .filter(|account| !account.is_empty())
            .map(|account| SessionKey::new(provider, account))
            .collect();
        found.sort();
        Ok(found)
    }

    /// Who holds a session's lock right now; looks without taking it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if that cannot be told.
    pub fn lock_holder(&self, key: &SessionKey) -> Result<LockHolder> {
        let file = self.session_file(key);
        lock::holder(&file.lock_path()?)
    }

    fn session_file(&self, key: &SessionKey) -> SessionFile {
        let own_folder = match &self.place {
            Place::File(_) => None,
            Place::Folder(folder) => Some(folder.clone()),
        };
        SessionFile::new(self.path(key), own_folder)
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let file = self.session_file(key);
        in_background(move || file.read()).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let file = self.session_file(key);
        let (file, lock_path) = in_background(move || {
            let lock_path = file.make_folder_and_lock_path()?;
            Ok((file, lock_path))
        })
        .await?;
        let lock = FileLock::acquire(lock_path, self.lock_wait).await?;
        Ok(Box::new(FileGuard {
            file,
            reserved: None,
            lock: Arc::new(lock),
        }))
    }

    fn place(&self, key: &SessionKey) -> String {
        self.path(key).display().to_string()
    }
}

#[async_trait]
impl StoreGuard for FileGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        let file = self.file.clone();
        self.under_lock(move |_lock| file.read()).await
    }

    async fn prepare(&mut self, noted: Option<&OAuthToken>) -> Result<()> {
        let (file, noted) = (self.file.clone(), noted.cloned());
        // A reservation from before would take the new one's name away when it is dropped.
        drop(self.reserved.take());
        let reserved = self
            .under_lock(move |lock| file.prepare(noted.as_ref(), lock))
            .await?;
        self.reserved = Some(reserved);
        Ok(())
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let (file, token, reserved) = (self.file.clone(), token.clone(), self.reserved.take());
        self.under_lock(move |lock| match reserved {
            Some(reserved) => file.write(&token, reserved),
            None => file.write_anew(&token, lock),
        })
        .await
    }

    async fn remove(&mut self) -> Result<()> {
        let file = self.file.clone();
        self.under_lock(move |_lock| file.remove()).await
    }
}

impl FileGuard {
    /// Runs blocking work that keeps the lock until it is done, even if the caller is dropped.
    async fn under_lock<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<FileLock>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lock = Arc::clone(&self.lock);
        in_background(move || work(lock)).await
    }
}

/// Runs blocking work on the library's own threads: they need no runtime, and a save needs no new
/// thread once a file was read.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    engine::files().run(work).await
}

/// The names in a folder that are text; none if it does not exist or is no folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(source)
            if matches!(
                source.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(session_file::trouble("list the folder", folder, source)),
    };
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect())
}
