//! The file `settings.json`: the current account of each provider, and the trusted endpoints.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm_auth_core::{TrustedHost, files};
use serde_json::{Map, Value};

use crate::error::{Failure, chain};
use crate::session::directories;
use crate::session::store_name::{KeySource, StoreName};
use crate::system::files::LARGEST;
use crate::ui::streams::VERSION;

const CURRENT: &str = "current";
const TRUSTED: &str = "trusted_endpoints";
const TRUSTED_STORES: &str = "trusted_stores";
const STORE: &str = "store";
const KEY_FILE: &str = "key_file";
const KEY_COMMAND: &str = "key_command";

/// How long another command may take to write the file.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The same for files of other programs, which may lie on slow disks.
const LONG_LOCK_WAIT: Duration = Duration::from_secs(20);

/// The file `settings.json` in the home directory. What this version does not know is written back.
#[derive(Debug)]
pub(crate) struct Settings {
    file: PathBuf,
    members: Map<String, Value>,
}

impl Settings {
    pub(crate) fn load() -> Result<Self, Failure> {
        Self::read(&directories::home()?, OF_ACCOUNTS)
    }

    /// Those of the user's own home directory as the system records it, wherever the environment
    /// moves the rest: that may be the word of a project. `None` if the system records none.
    pub(crate) fn of_user() -> Option<Result<Self, Failure>> {
        let home = directories::trusted_home()?;
        Some(Self::read(&home, "correct or delete that file"))
    }

    /// `advice` is what to do about a file that cannot be read.
    fn read(home: &Path, advice: &str) -> Result<Self, Failure> {
        let file = home.join("settings.json");
        // A link stays a link, if no other user can have put it there.
        let file = match files::check_directory(home) {
            Ok(()) => file.canonicalize().unwrap_or(file),
            Err(error) if is_nothing(&error) => file,
            Err(error) => return Err(in_bad_place(home, &error)),
        };
        let read = files::read(&file, LARGEST);
        let members = match read {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| unreadable(&file, &error.to_string(), advice))?,
            Err(error) if is_nothing(&error) => Map::new(),
            Err(error) => return Err(unreadable(&file, &error.to_string(), advice)),
        };
        Ok(Self { file, members })
    }

    /// Whether settings that are damaged have a word of a store in them all the same: sessions must not
    /// go to plain files then.
    pub(crate) fn mention_a_store() -> bool {
        let word = format!("\"{STORE}\"");
        let read =
            directories::home().map(|home| files::read(&home.join("settings.json"), LARGEST));
        matches!(read, Ok(Ok(bytes)) if bytes.windows(word.len()).any(|part| part == word.as_bytes()))
    }

    /// The account that was made the current one of a provider, if any was.
    pub(crate) fn current(&self, provider: &str) -> Result<Option<&str>, Failure> {
        let account = match self.members.get(CURRENT) {
            None | Some(Value::Null) => None,
            Some(Value::Object(current)) => current.get(provider),
            Some(_) => {
                return Err(unreadable(
                    &self.file,
                    "`current` is not an object",
                    OF_ACCOUNTS,
                ));
            }
        };
        match account {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(account)) => Ok(Some(account)),
            Some(_) => Err(unreadable(
                &self.file,
                &format!("the current account of {provider} is not a string"),
                OF_ACCOUNTS,
            )),
        }
    }

    /// The servers that may have credentials although they are not the providers' own.
    pub(crate) fn trusted_endpoints(&self) -> Result<Vec<TrustedHost>, Failure> {
        let wrong = |why: &str| {
            let advice =
                "correct that list: hosts such as \"relay.example.com\" or \"127.0.0.1:4000\"";
            unreadable(&self.file, &format!("`{TRUSTED}`: {why}"), advice)
        };
        let listed = match self.members.get(TRUSTED) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(listed)) => listed,
            Some(_) => return Err(wrong("it is not a list")),
        };
        let host = |host: &Value| {
            let host = host
                .as_str()
                .ok_or_else(|| wrong("an entry is not a string"))?;
            host.parse::<TrustedHost>()
                .map_err(|error| wrong(&chain(&error)))
        };
        listed.iter().map(host).collect()
    }

    /// The store of all sessions, if one was chosen.
    pub(crate) fn store(&self) -> Result<Option<StoreName>, Failure> {
        let Some(name) = self.text(STORE)? else {
            return Ok(None);
        };
        let wrong = |why: String| unreadable(&self.file, &format!("`{STORE}`: {why}"), OF_STORE);
        StoreName::of(name).map(Some).map_err(wrong)
    }

    /// The stores on servers that the environment may name, too.
    pub(crate) fn trusted_stores(&self) -> Result<Vec<StoreName>, Failure> {
        let wrong = |why: &str| {
            let why = format!("`{TRUSTED_STORES}`: {why}");
            unreadable(
                &self.file,
                &why,
                "correct that list of URLs such as \"postgres://ann@db.example/sessions\"",
            )
        };
        let listed = match self.members.get(TRUSTED_STORES) {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(listed)) => listed,
            Some(_) => return Err(wrong("it is not a list")),
        };
        let name = |listed: &Value| {
            let text = listed.as_str();
            let text = text.ok_or_else(|| wrong("an entry is not a string"))?;
            StoreName::of(text).map_err(|why| wrong(&why))
        };
        let listed: Result<Vec<StoreName>, Failure> = listed.iter().map(name).collect();
        Ok(listed?.into_iter().chain(self.store()?).collect())
    }

    /// Whether a user chose them: they are in the home directory as the system records it, or the
    /// call names their directory.
    pub(crate) fn are_users_own(&self) -> bool {
        directories::named_home().is_some() || self.file.parent() == own_home().as_deref()
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a command that they name is run: below the home directory alone.
    pub(crate) fn may_name_a_command(&self) -> bool {
        self.file.parent() == own_home().as_deref()
    }

    /// Where the key of encrypted sessions is. A command is run only if these settings are the user's
    /// own, wherever a project moves the rest.
    pub(crate) fn key(&self) -> Result<KeySource, Failure> {
        let command = self.text(KEY_COMMAND)?.map(str::to_owned);
        if command.is_some() && !self.may_name_a_command() {
            let why = format!(
                "`{KEY_COMMAND}` is not run from settings outside of the user's home directory"
            );
            return Err(unreadable(&self.file, &why, "name it with --key-command"));
        }
        Ok(KeySource {
            file: self.text(KEY_FILE)?.map(PathBuf::from),
            command,
        })
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => {
                let why = format!("`{name}` is not a string");
                Err(unreadable(&self.file, &why, OF_STORE))
            }
        }
    }

    /// Remembers the store of all sessions, and where its key is.
    pub(crate) fn set_store(name: &StoreName, key: &KeySource) -> Result<(), Failure> {
        let file = key.file.as_ref().map(|file| file.display().to_string());
        let members = [
            (STORE, Some(name.setting())),
            (KEY_FILE, file),
            (KEY_COMMAND, key.command.clone()),
        ];
        change_all(|settings| {
            for (member, value) in members {
                match value {
                    Some(value) => settings.insert(member.to_owned(), value.into()),
                    None => settings.remove(member),
                };
            }
            true
        })
    }

    /// Remembers which account of a provider is the current one.
    pub(crate) fn set_current(provider: &str, account: &str) -> Result<(), Failure> {
        change(|current| {
            let before = current.insert(provider.to_owned(), account.into());
            before.as_ref().and_then(Value::as_str) != Some(account)
        })
    }

    /// Forgets the current account of a provider, if it is this one.
    pub(crate) fn forget_current(provider: &str, account: &str) -> Result<(), Failure> {
        if Self::load()?.current(provider)? != Some(account) {
            return Ok(());
        }
        change(|current| {
            let is_still = current.get(provider).and_then(Value::as_str) == Some(account);
            if is_still {
                current.remove(provider);
            }
            is_still
        })
    }

    /// In one step, so that no reader sees half of it.
    fn save(&self) -> io::Result<()> {
        let mut content = serde_json::to_vec(&self.members)?;
        content.push(b'\n');
        files::replace(&self.file, &content)
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn in_bad_place(directory: &Path, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!(
            "the settings in {} are not used: {error}",
            directory.display()
        ),
        advice: format!(
            "remove the write permission of other users, or set {} to a directory of your own",
            directories::HOME
        ),
    }
}

/// Changes the current accounts; `edit` says whether it changed anything.
fn change(edit: impl FnOnce(&mut Map<String, Value>) -> bool) -> Result<(), Failure> {
    let mut is_object = true;
    let file = change_file(|settings| {
        let current = settings.entry(CURRENT).or_insert_with(|| Map::new().into());
        match current {
            Value::Object(current) => edit(current),
            _ => {
                is_object = false;
                false
            }
        }
    })?;
    match is_object {
        true => Ok(()),
        false => {
            let advice = "correct or delete that file";
            Err(unreadable(&file, "`current` is not an object", advice))
        }
    }
}

fn change_all(edit: impl FnOnce(&mut Map<String, Value>) -> bool) -> Result<(), Failure> {
    change_file(edit).map(drop)
}

/// Reads, changes and writes under a lock: of two commands at once neither undoes the other.
/// `edit` says whether it changed anything. Returns the file.
fn change_file(edit: impl FnOnce(&mut Map<String, Value>) -> bool) -> Result<PathBuf, Failure> {
    let home = directories::home()?;
    let cannot = |file: &Path, error: io::Error| Failure::Config {
        message: format!("cannot write the settings {}: {error}", file.display()),
        advice: "check the directory and its permissions".into(),
    };
    let lock = home.join("settings.json.lock");
    let _held = files::make_directories(&home)
        .and_then(|()| locked(&lock))
        .map_err(|error| cannot(&lock, error))?;
    let mut settings = Settings::load()?;
    settings
        .members
        .entry("v")
        .or_insert_with(|| VERSION.into());
    if edit(&mut settings.members) {
        settings
            .save()
            .map_err(|error| cannot(&settings.file, error))?;
    }
    Ok(settings.file)
}

/// The directory whose settings are the user's own word, without links.
fn own_home() -> Option<PathBuf> {
    let home = directories::trusted_home()?;
    Some(home.canonicalize().unwrap_or(home))
}

/// A lock. It is given back explicitly, for a child may have the file open too.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        let _closed: io::Result<()> = self.0.unlock();
    }
}

impl Held {
    /// Whether the file still has a name: what locked it before may have removed it.
    pub(crate) fn has_name(&self) -> io::Result<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(self.0.metadata()?.nlink() > 0)
        }
        #[cfg(not(unix))]
        Ok(true)
    }
}

fn locked(path: &Path) -> io::Result<Held> {
    hold_within(files::open_or_create(path)?, LOCK_WAIT)
}

/// Locks a file or a directory, as soon as other commands let it go.
///
/// The error is [`io::ErrorKind::WouldBlock`] if they do not.
pub(crate) fn hold(file: File) -> io::Result<Held> {
    hold_within(file, LONG_LOCK_WAIT)
}

/// Locks a file if no other process has it locked.
///
/// The error is [`io::ErrorKind::WouldBlock`] if one has.
pub(crate) fn try_hold(file: File) -> io::Result<Held> {
    hold_within(file, Duration::ZERO)
}

fn hold_within(file: File, wait: Duration) -> io::Result<Held> {
    files::lock_within(&file, wait)?;
    Ok(Held(file))
}

/// What to do where the file says which store is meant.
const OF_STORE: &str = "correct or delete that file, or name the store with --store";

/// What to do where the file says which account is meant.
const OF_ACCOUNTS: &str = "correct or delete that file, or name the account with --account";

fn unreadable(file: &Path, why: &str, advice: &str) -> Failure {
    Failure::Config {
        message: format!("the settings {} cannot be read: {why}", file.display()),
        advice: advice.into(),
    }
}
