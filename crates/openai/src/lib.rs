#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod registration;

use std::collections::BTreeMap;
use std::path::PathBuf;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

pub use self::config::FIRST_CLIENT;
use self::registration::Registration;
use crate::provider::{CallbackOutcome, OAuthConfig, SignInStart};

/// Signs in with ChatGPT in the browser, refreshes sessions and revokes them.
///
/// [`new`](OAuthProvider::new) signs in no user: it is enough for a stored session, which records
/// the client that it was made with.
pub type OpenAiProvider = OAuthProvider<OpenAi>;

/// "Sign in with ChatGPT" for one program and one account.
///
/// It differs from OpenID Connect in the registration: the first sign-in asks for a client, the
/// callback brings it, and every later sign-in names it. A file keeps that client and an id of this
/// installation; it holds no secret, and it stays when the user signs out.
///
/// # Examples
///
/// ```
/// use llm_auth_openai::{AuthManager, FileTokenStore, OpenAi, ProviderSpec as _};
///
/// let provider = OpenAi::new("Example Agent", "openai-registration.json").provider();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("openai.json"))
///     .build();
/// assert_eq!(manager.key().provider(), "openai");
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenAi {
    program: Option<Program>,
}

#[derive(Clone, Debug)]
struct Program {
    name: String,
    registration: Registration,
}

impl OpenAi {
    /// For the program of this name, which the user sees on the consent page. OpenAI's terms demand
    /// its own name, not that of a library or of another program.
    ///
    /// `registration` is the file of the registration, one for each account. It is made at the first
    /// sign-in, readable by its user only; its directory belongs to no
    /// [`FileTokenStore::directory`]. A sign-in that is rejected with `invalid_client`, because
    /// OpenAI knows the client no more, is registered again after the file is removed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_openai::{OpenAi, ProviderSpec as _};
    ///
    /// let work = OpenAi::new("Example Agent", "openai-work.json").provider();
    /// let home = OpenAi::new("Example Agent", "openai-home.json").provider();
    /// // Nothing is read, written or sent before a sign-in.
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, registration: impl Into<PathBuf>) -> Self {
        Self {
            program: Some(Program {
                name: name.into(),
                registration: Registration::at(registration.into()),
            }),
        }
    }

    /// The program, if its name is one that a user can read.
    fn program(&self) -> Result<&Program> {
        match &self.program {
            Some(program) if !program.name.trim().is_empty() => Ok(program),
            _ => Err(Error::new(ErrorKind::Config, config::NO_NAME)),
        }
    }
}

impl ProviderSpec for OpenAi {
    fn config(&self) -> OAuthConfig {
        config::config()
    }

    /// The client of the registration, or the request for one.
    fn start(&self) -> Result<SignInStart> {
        let program = self.program()?;
        let known = program.registration.of_this_computer()?;
        let mut start = SignInStart::default();
        let parameters = &mut start.parameters;
        parameters.insert("ext_agent_host_id".into(), known.host_id);
        if known.client_id.is_none() {
            parameters.insert("agent_name_hint".into(), program.name.trim().into());
        }
        let client_id = known.client_id.as_deref().unwrap_or(FIRST_CLIENT);
        start.client = Some(ClientCredentials::new(client_id, None));
        Ok(start)
    }

    /// The client that the callback brings is kept before the code is redeemed: it exists at OpenAI
    /// whatever becomes of this sign-in.
    fn callback(&self, parameters: &BTreeMap<String, Secret>) -> Result<CallbackOutcome> {
        let issued = parameters.get("client_id").map(Secret::expose);
        let client_id = self.program()?.registration.confirmed(issued)?;
        let mut outcome = CallbackOutcome::default();
        outcome.client = Some(ClientCredentials::new(client_id, None));
        Ok(outcome)
    }
}
