//! The file of the user's own OAuth client.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use clap::builder::{PathBufValueParser, TypedValueParser};
use llm_auth::gemini::OAuthClient;

use crate::error::{Failure, chain};
use crate::system::files;

/// The value of `--client-file`. It is read once, for it may come from a shell's `<(...)`: all
/// clones share what was read.
#[derive(Clone, Debug)]
pub(crate) struct ClientFile {
    path: PathBuf,
    read: Arc<OnceLock<Result<OAuthClient, String>>>,
}

impl ClientFile {
    /// How the command line is read.
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(|path| Self {
            path,
            read: Arc::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The client that the file names.
    pub(super) fn client(&self) -> Result<OAuthClient, Failure> {
        let path = &self.path;
        files::check_path("--client-file", path)?;
        let read = self.read.get_or_init(|| {
            let json = llm_auth_core::files::read_or_pipe(path, files::LARGEST)
                .map_err(|error| error.to_string())?;
            OAuthClient::from_json(&json).map_err(|error| chain(&error))
        });
        read.clone().map_err(|why| Failure::Config {
            message: format!("the client file {} cannot be used: {why}", path.display()),
            advice: "name the JSON file of an OAuth client of type \"Desktop app\" with \
                     --client-file"
                .into(),
        })
    }
}
