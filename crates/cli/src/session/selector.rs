//! The session that the flags name.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::session::store_name::{self, KeySource, StoreFlag};
use crate::text::not_a_name;

/// Where sessions are kept, and which of them is meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionSelector {
    pub(crate) account: Option<String>,
    /// One session in this file. A store of all sessions is one of the whole call, see
    /// [`store_name::named`].
    pub(crate) store: Option<PathBuf>,
}

/// The flags.
#[derive(Args, Clone, Debug)]
struct Flags {
    /// The account, by name or by the verified e-mail address of its user [default: the current
    /// account].
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    account: Option<String>,

    #[command(flatten)]
    store: StoreFlags,
}

/// Where sessions are kept, and their key.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreFlags {
    /// Where sessions are kept: `files`, `keyring`, `encrypted` or `encrypted:DIRECTORY`; a database
    /// (`postgres://…`, `redis://…`, `rediss://…`), or `@FILE`, a file with its URL; or one session
    /// in this JSON file, which gochat can share.
    #[arg(long, value_name = "STORE", value_parser = OsStringValueParser::new().map(store_flag))]
    store: Option<StoreFlag>,

    /// The file with the key of encrypted sessions, of 32 random bytes or more.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// A command that prints that key.
    #[arg(long, value_name = "COMMAND", conflicts_with = "key_file")]
    key_command: Option<String>,
}

impl StoreFlags {
    /// Names the store of the whole call.
    fn name(self) {
        let all = match self.store {
            Some(StoreFlag::All(name)) => Some(name),
            Some(StoreFlag::File(_)) | None => None,
        };
        let key = KeySource {
            file: self.key_file,
            command: self.key_command,
        };
        store_name::name(all, key);
    }

    /// The file that holds one session.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &self.store {
            Some(StoreFlag::File(file)) => Some(file.clone()),
            Some(StoreFlag::All(_)) | None => None,
        }
    }

    /// The session of this account there.
    pub(crate) fn session(&self, account: Option<String>) -> SessionSelector {
        self.clone().name();
        SessionSelector {
            account,
            store: self.file(),
        }
    }
}

impl From<Flags> for SessionSelector {
    fn from(flags: Flags) -> Self {
        flags.store.session(flags.account)
    }
}

impl FromArgMatches for SessionSelector {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Flags::from_arg_matches(matches).map(Self::from)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SessionSelector {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

fn store_flag(value: OsString) -> StoreFlag {
    value.into()
}

/// A name of an account on the command line; the reason why it is none.
pub(crate) fn account_name(name: &str) -> Result<String, String> {
    match not_a_name(name) {
        Some(why) => Err(format!("the name {why}")),
        None => Ok(name.to_owned()),
    }
}
