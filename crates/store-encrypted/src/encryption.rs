//! The seal of a directory.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use llm_auth_core::store::Seal;
use llm_auth_core::{Error, ErrorKind, FileTokenStore, Result, files};
use llm_auth_sealing::WrongKey;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::directory::Contents;
use crate::envelope::Envelope;
use crate::key::{Header, Kdf, Key, PASSPHRASE, Source};

/// The salt for new files. Its name is that of no provider.
const HEADER: &str = ".encryption.json";
const LOCK: &str = ".encryption.lock";

/// How long another process may hold the lock: it stretches one passphrase.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// No header is this large.
const LARGEST: u64 = 16 * 1024;

/// The encryption of all sessions in one directory, with one key.
///
/// A directory that has no session takes another key: the first session that is stored with it makes it
/// that of the directory. If another process stores one with the former key meanwhile, each key opens its
/// own sessions.
///
/// # Examples
///
/// ```
/// use llm_auth_store_encrypted::Encryption;
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let directory = directory.path().join("encrypted");
/// let key = b"made-up-key-of-thirty-two-bytes!".to_vec();
/// let store = Encryption::with_key(&directory, key.into())?.store();
/// assert!(store.sessions()?.is_empty());
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encryption {
    directory: PathBuf,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    directory: PathBuf,
    /// The key for new files.
    own: Key,
    /// The header of the directory that `own` replaces before the first session is stored.
    former: Mutex<Option<Header>>,
    /// What was kept aside under the former key.
    kept_aside: Vec<PathBuf>,
    /// How long another process may hold the lock.
    lock_wait: Duration,
    /// Keys of files that came from elsewhere, with another salt.
    others: Mutex<Vec<Arc<Key>>>,
}

impl Encryption {
    /// With a passphrase. It is stretched now, which takes a fraction of a second and 64 MiB of memory,
    /// in the calling thread. The directory is created with mode 0700.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`], with the source [`WrongKey`] if the sessions of the directory are encrypted
    /// with another key; [`ErrorKind::StoreBusy`] if another process, which was first in the directory, takes 60 s;
    /// [`ErrorKind::Config`] if the passphrase is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_encrypted::Encryption;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// let passphrase = "made-up correct horse".to_owned().into_bytes();
    /// let encryption = Encryption::with_passphrase(directory.path(), passphrase.into())?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn with_passphrase(
        directory: impl Into<PathBuf>,
        passphrase: Zeroizing<Vec<u8>>,
    ) -> Result<Self> {
        let source = Source::passphrase(passphrase)?;
        Self::open(directory.into(), source, PASSPHRASE, LOCK_WAIT)
    }

    /// With a key of 32 random bytes or more, binary or as text. Line ends after it do not count. In a
    /// directory that was encrypted with a passphrase, it is that passphrase.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`], with the source [`WrongKey`] if the sessions of the directory are encrypted
    /// with another key; [`ErrorKind::StoreBusy`] if another process, which was first in the directory, takes 60 s;
    /// [`ErrorKind::Config`] if the key is too short.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_encrypted::Encryption;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// let key = b"made-up-key-of-thirty-two-bytes!\n".to_vec();
    /// let encryption = Encryption::with_key(directory.path(), key.into())?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn with_key(directory: impl Into<PathBuf>, key: Zeroizing<Vec<u8>>) -> Result<Self> {
        Self::open(directory.into(), Source::key(key)?, PASSPHRASE, LOCK_WAIT)
    }

    /// The store of the directory.
    ///
    /// # Examples
    ///
    /// See [`Encryption`].
    #[must_use]
    pub fn store(&self) -> FileTokenStore {
        let seal = Arc::clone(&self.inner);
        FileTokenStore::directory(&self.directory).sealed_with(seal)
    }

    /// Whether the directory has no session, and names another key: the first session makes this one
    /// that of the directory. A passphrase is mistyped, or new.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_encrypted::Encryption;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// for key in [b"made-up-key-of-thirty-two-bytes!", b"another-key-of-thirty-two-bytes!"] {
    ///     let encryption = Encryption::with_key(directory.path(), key.to_vec().into())?;
    ///     println!("new: {}", encryption.replaces_another_key());
    /// }
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn replaces_another_key(&self) -> bool {
        let former = &self.inner.former;
        former
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// The files that were kept aside because they were no sessions, if this key is about to take the
    /// place of another one: only that one may open what is in them. They stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_encrypted::Encryption;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// let key = b"made-up-key-of-thirty-two-bytes!".to_vec();
    /// let encryption = Encryption::with_key(directory.path(), key.into())?;
    /// for file in encryption.kept_with_former_key() {
    ///     println!("{} may need the former key", file.display());
    /// }
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn kept_with_former_key(&self) -> &[PathBuf] {
        &self.inner.kept_aside
    }

    fn open(directory: PathBuf, source: Source, passphrase: Kdf, wait: Duration) -> Result<Self> {
        let directory = std::path::absolute(&directory)
            .map_err(|error| cannot("find the directory", &directory, error))?;
        let (mut former, mut kept_aside) = (None, Vec::new());
        let own = match header(&directory)? {
            None => first_key(&source, &directory, passphrase, wait)?,
            Some(header) => match key_of(&source, &header, &directory)? {
                Some(key) => key,
                None => {
                    let contents = Contents::of(&directory)?;
                    match other_key(&source, &contents, &directory)? {
                        Some(key) => key,
                        None => {
                            (former, kept_aside) = (Some(header), contents.kept_aside);
                            source.new_key(passphrase)?
                        }
                    }
                }
            },
        };
        Ok(Self {
            inner: Arc::new(Inner {
                source,
                directory: directory.clone(),
                own,
                former: Mutex::new(former),
                kept_aside,
                lock_wait: wait,
                others: Mutex::default(),
            }),
            directory,
        })
    }
}

impl Seal for Inner {
    fn name(&self) -> &str {
        "encrypted"
    }

    /// A sign-in that would mix two keys ends here, before the user has approved it.
    fn begin(&self, _place: &str) -> Result<Map<String, Value>> {
        self.take_place(self.lock_wait).map(|()| Map::new())
    }

    fn seal(
        &self,
        place: &str,
        _begun: &Map<String, Value>,
        content: &[u8],
        _replaced: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>> {
        // Every session names its key, so it opens with it whatever the directory names; and what the
        // user has approved must not fail here.
        let _names_former = self.take_place(Duration::ZERO);
        Ok(Envelope::seal(&self.own, place, content)?.into_form())
    }

    fn open(&self, place: &str, sealed: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>> {
        let envelope = Envelope::of(sealed)?;
        if envelope.header == self.own.header {
            return envelope.open(&self.own, place);
        }
        let key = self.other(&envelope.header)?;
        envelope.open(&key, place)
    }
}

impl Inner {
    /// Makes this key that of the directory in place of a former one, if there is still no session of
    /// that one.
    fn take_place(&self, wait: Duration) -> Result<()> {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(replaced) = &*former else {
            return Ok(());
        };
        let _held = lock_of(&self.directory, wait)?;
        // Another process may have made its key that of the directory meanwhile.
        let now = header(&self.directory)?;
        let is_ours = |header: &Header| *header == self.own.header;
        if !now.as_ref().is_some_and(is_ours) {
            let is_replaced = now.is_none_or(|header| header == *replaced);
            let contents = Contents::of(&self.directory)?;
            let own = std::slice::from_ref(&self.own.header);
            if contents.has_sessions && contents.headers != own {
                return Err(wrong(&self.directory));
            }
            if is_replaced {
                self.own.header.write(&self.directory)?;
            }
        }
        *former = None;
        Ok(())
    }

    /// The key of a file with a salt of its own, derived once.
    fn other(&self, header: &Header) -> Result<Arc<Key>> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.iter().find(|key| key.header == *header) {
            return Ok(Arc::clone(known));
        }
        let key = self.source.key_of(header)?.ok_or_else(|| {
            Error::new(ErrorKind::Store, "the key is wrong for this session").with_source(WrongKey)
        })?;
        let key = Arc::new(key);
        others.push(Arc::clone(&key));
        Ok(key)
    }
}

/// The header of a directory, if it has one.
fn header(directory: &Path) -> Result<Option<Header>> {
    let path = directory.join(HEADER);
    let bytes = match files::read_own(&path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", &path, error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let advice = "restore that file, or remove it: every session has a copy of what it holds";
        Error::new(
            ErrorKind::Store,
            format!("{} is not valid: {advice}", path.display()),
        )
        .with_source(error)
    })
}

/// The key of a directory; `None` if it has another one.
fn key_of(source: &Source, header: &Header, directory: &Path) -> Result<Option<Key>> {
    source.key_of(header).map_err(|error| {
        let path = directory.display();
        let message = format!("{path}/{HEADER} is not valid: restore or remove that file");
        Error::new(ErrorKind::Store, message).with_source(error)
    })
}

/// The key of sessions that were stored in a directory although it names another one; `None` if there
/// is no session at all.
fn other_key(source: &Source, contents: &Contents, directory: &Path) -> Result<Option<Key>> {
    for header in &contents.headers {
        // One that no key has is damaged, and an error of its session alone.
        if let Ok(Some(key)) = source.key_of(header) {
            return Ok(Some(key));
        }
    }
    match contents.has_sessions {
        true => Err(wrong(directory)),
        false => Ok(None),
    }
}

fn wrong(directory: &Path) -> Error {
    let path = directory.display();
    let message = format!("the key is wrong for the sessions in {path}");
    Error::new(ErrorKind::Store, message).with_source(WrongKey)
}

/// Chooses the salt of a directory, once for all processes.
fn first_key(source: &Source, directory: &Path, passphrase: Kdf, wait: Duration) -> Result<Key> {
    let held = lock_of(directory, wait)?;
    if let Some(header) = header(directory)? {
        drop(held);
        let key = key_of(source, &header, directory)?;
        return key.ok_or_else(|| wrong(directory));
    }
    // The file may have been removed from beside the sessions.
    let key = match other_key(source, &Contents::of(directory)?, directory)? {
        Some(key) => key,
        None => source.new_key(passphrase)?,
    };
    key.header.write(directory)?;
    Ok(key)
}

impl Header {
    /// Under the lock.
    fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(HEADER);
        let content = serde_json::to_vec(self)
            .map_err(|error| cannot("write", &path, io::Error::from(error)))?;
        files::replace(&path, &content).map_err(|error| cannot("write", &path, error))
    }
}

fn lock_of(directory: &Path, wait: Duration) -> Result<File> {
    let lock = directory.join(LOCK);
    let file = files::make_directories(directory)
        .and_then(|()| files::open_or_create(&lock))
        .map_err(|error| cannot("lock", &lock, error))?;
    locked(file, &lock, wait)
}

/// The lock, within the time that another process may take to choose its salt. One that is stopped
/// meanwhile keeps it.
fn locked(file: File, path: &Path, wait: Duration) -> Result<File> {
    match files::lock_within(&file, wait) {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let (path, seconds) = (path.display(), wait.as_secs_f32());
            Err(Error::new(
                ErrorKind::StoreBusy,
                format!(
                    "another process has held the lock {path} for {seconds} s: continue or end that \
                     process, and try again"
                ),
            ))
        }
        Err(error) => Err(cannot("lock", path, error)),
    }
}

fn cannot(what: &str, path: &Path, source: io::Error) -> Error {
    let message = format!("cannot {what} {}", path.display());
    Error::new(ErrorKind::Store, message).with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Kdf = Kdf::Argon2id {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn a_passphrase_opens_what_it_encrypted_and_no_other_does() {
        let directory = tempfile::tempdir().unwrap();
        let open = |passphrase: &str| {
            let source = Source::passphrase(passphrase.as_bytes().to_vec().into()).unwrap();
            Encryption::open(directory.path().to_owned(), source, FAST, LOCK_WAIT)
        };
        let sealed = open("made-up one").unwrap();
        let sealed = sealed
            .inner
            .seal("a/b", &Map::new(), b"made-up", None)
            .unwrap();
        let session = serde_json::to_vec(&sealed).unwrap();
        files::make_directories(&directory.path().join("a")).unwrap();
        files::replace(&directory.path().join("a/b.json"), &session).unwrap();
        let again = open("made-up one").unwrap();
        assert_eq!(*again.inner.open("a/b", &sealed).unwrap(), b"made-up");
        assert_eq!(open("made-up two").unwrap_err().kind(), ErrorKind::Store);
        // A passphrase may come from a file.
        let key = Source::Key(b"made-up one".to_vec().into());
        let path = directory.path().to_owned();
        let by_file = Encryption::open(path, key, FAST, LOCK_WAIT).unwrap();
        assert_eq!(*by_file.inner.open("a/b", &sealed).unwrap(), b"made-up");
    }

    #[test]
    fn a_process_that_stops_while_it_chooses_the_salt_holds_others_up_for_a_bounded_time() {
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let source = Source::key(vec![b'k'; 32].into()).unwrap();
            let path = directory.path().to_owned();
            Encryption::open(path, source, FAST, Duration::from_millis(20))
        };
        let stopped = files::open_or_create(&directory.path().join(LOCK)).unwrap();
        stopped.lock().unwrap();
        let error = open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreBusy);
        assert!(error.to_string().contains(LOCK), "{error}");
        drop(stopped);
        open().unwrap();
    }
}
