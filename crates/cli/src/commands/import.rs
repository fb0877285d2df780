//! `llm-auth import`: the sessions of other programs, and why not to share them.

mod foreign;
mod formats;
mod report;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use llm_auth_core::{ErrorKind, FileTokenStore, OAuthToken, SessionKey};
use serde_json::{Value, json};

use self::foreign::Foreign;
use super::login::{self, LoginArgs};
use super::{PlaceArgs, SessionArgs};
use crate::accounts::{self, IMPORTED_FROM};
use crate::exit::{Failure, quoted};
use crate::output::{self, VERSION, say, shown};
use crate::time::{self, rfc3339};
use crate::vendor::{Provider, ProviderArgs, Vendor};
use crate::{signals, store, text};

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The program whose session it is; all that are known are looked for if it is left out.
    #[arg(value_enum)]
    source: Option<Source>,

    /// Its file, if it is not where that program keeps it (gochat: always needed).
    #[arg(long, value_name = "FILE", requires = "source")]
    file: Option<PathBuf>,

    /// The vendor, where the file does not say it (gochat).
    #[arg(long, value_enum, ignore_case = true)]
    vendor: Option<Vendor>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Copy the session: from then on llm-auth is its one owner.
    #[arg(long, conflicts_with = "sign_in", requires = "source")]
    import_session: bool,

    /// Leave it alone and sign in afresh (recommended).
    #[arg(long, requires = "source")]
    sign_in: bool,

    /// Write JSON to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A program that keeps sessions of the same vendors.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Source {
    /// Qwen Code: ~/.qwen/oauth_creds.json.
    QwenCode,
    /// MiniMax's own command: ~/.mmx/config.json.
    Mmx,
    /// gcloud's application default credentials.
    Gcloud,
    /// Gemini CLI: only to be looked at, its client is Google's own.
    GeminiCli,
    /// A token file of the Go package `auth`.
    Gochat,
}

/// What the person wants.
enum Choice {
    Leave,
    SignIn,
    TakeOver,
}

pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let Some(source) = args.source else {
        return look_everywhere(args);
    };
    let found = || formats::find(source, args.file.as_deref(), args.vendor);
    let choice = match (args.import_session, args.sign_in) {
        (true, _) => Choice::TakeOver,
        (_, true) => Choice::SignIn,
        _ => {
            let found = found()?;
            report::tell(args, source, &found)?;
            ask()
        }
    };
    match choice {
        Choice::Leave => Ok(()),
        Choice::SignIn => {
            let found = found()?;
            let provider = ProviderArgs {
                region: args.provider.region.or(found.region),
                ..args.provider.clone()
            };
            login::run(&LoginArgs::new(session(args, &found), provider, args.json))
        }
        // What was read before the person thought about it may be spent by now.
        Choice::TakeOver => import_session(args, source, found()?),
    }
}

/// One line for each session of a program that keeps it in a known place.
fn look_everywhere(args: &ImportArgs) -> Result<(), Failure> {
    let mut found_any = false;
    for source in Source::value_variants() {
        if *source == Source::Gochat {
            continue;
        }
        match formats::find(*source, None, None) {
            Ok(found) => {
                found_any = true;
                report::line(args, *source, &found)?;
            }
            Err(Failure::NotFound { .. }) => {}
            Err(failure) => say(&format!("{}: {}", source.name(), failure.message())),
        }
    }
    if !found_any {
        say("no session of another program was found in the places that are known");
    }
    Ok(())
}

/// Only where a person sits; a script says what it wants.
fn ask() -> Choice {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Choice::Leave;
    }
    say("Sign in afresh [s], take over [t], or leave it as it is [Enter]?");
    let mut answer = String::new();
    // Standard input that has ended says nothing.
    let _ended = io::stdin().read_line(&mut answer);
    match answer.trim() {
        "s" | "S" => Choice::SignIn,
        "t" | "T" => Choice::TakeOver,
        _ => Choice::Leave,
    }
}

/// The session as this program would keep it, or why it cannot.
fn taken_over(args: &ImportArgs, found: &Foreign) -> Result<(Provider, OAuthToken), Failure> {
    let refused = |why: &str| Failure::Config {
        message: format!("the session cannot be taken over: {why}"),
        advice: "sign in afresh with --sign-in".to_owned(),
    };
    let token = match (&found.refusal, &found.token) {
        (None, Some(token)) => token.clone(),
        (Some(why), _) => return Err(refused(why)),
        (None, None) => return Err(refused("it holds no tokens")),
    };
    let provider = found.vendor.provider(&found.provider(args), None, None)?;
    let mut token = provider.import_session(token)?;
    if let Some(why) = text::not_a_session(&token) {
        return Err(refused(&why));
    }
    token.scope = token.scope.as_deref().map(shown);
    token.notification = token.notification.as_deref().map(shown);
    // Nobody vouches for what the file says of its owner.
    token.metadata.identity = None;
    Ok((provider, token))
}

fn import_session(args: &ImportArgs, source: Source, found: Foreign) -> Result<(), Failure> {
    let title = source.title();
    let session = session(args, &found);
    let store = store::open(&session.place)?;
    let key = accounts::meant_for_login(&session, &store)?;
    // No other account would do for what cannot be taken over at all.
    let (provider, mut token) = taken_over(args, &found)?;
    nothing_is_lost(&store, &key)?;
    of_the_person(&key, &found)?;
    if found.rotates {
        one_owner(&store, &key, &token)?;
    }
    let ignored = provider.ignored_api(&token);
    let name = source.name().to_owned();
    token
        .metadata
        .provider_data
        .insert(IMPORTED_FROM.to_owned(), name);
    let manager = provider
        .manager()
        .store(store.clone())
        .account(key.account())
        .build();
    let interrupted = || "interrupted; look at `llm-auth status`".to_owned();
    let work = async {
        manager.check_store().await?;
        // Somebody may sign in there at the same moment.
        Ok(manager
            .insert_session_if(token, |stored| stored.is_none())
            .await?)
    };
    let token = signals::run(|| vec![manager.clone()], work, interrupted)?
        .ok_or_else(|| occupied(&store, &key, "is a session by now"))?;
    let file = store.path(&key).display().to_string();
    let owner = found.identity.as_deref().map(shown);
    let owner = owner.map(|owner| format!(" of {owner} (as it says)"));
    if let Some(ignored) = ignored {
        say(&ignored);
    }
    say(&format!(
        "Taken over: {title}'s session{} is stored in {file}.",
        owner.unwrap_or_default()
    ));
    if found.rotates {
        say(&format!(
            "Sign out of {} in {title}, or never start it again with this account.",
            found.vendor.title()
        ));
    } else {
        say(&format!(
            "{title} may go on with it; `llm-auth logout` leaves its grant alone."
        ));
    }
    if time::has_expired(&token) {
        say("It holds no valid access token; the next `llm-auth token` renews it.");
    }
    if !args.json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "imported",
        "source": source.name(),
        "vendor": key.provider(),
        "account": key.account(),
        "store": file,
        "expires_at": rfc3339(token.expires_at).map_or(Value::Null, Value::from),
    }))
}

/// The program that goes on with the grant of a session that was taken over from it.
pub(super) fn shares_its_grant(token: &OAuthToken) -> Option<Source> {
    let name = token.metadata.provider_data.get(IMPORTED_FROM)?;
    let is_shared = token.metadata.provider.as_deref() == Some(Vendor::Gemini.name());
    is_shared.then(|| Source::named(name)).flatten()
}

/// A session that is stored is not replaced by a copy of somebody else's.
fn nothing_is_lost(store: &FileTokenStore, key: &SessionKey) -> Result<(), Failure> {
    match store.read(key) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(occupied(store, key, "is a session already")),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            Err(occupied(store, key, "is something that cannot be read"))
        }
        Err(error) => Err(error.into()),
    }
}

/// A session goes to no account that is named after another person than its file says.
fn of_the_person(key: &SessionKey, found: &Foreign) -> Result<(), Failure> {
    if !accounts::is_of_another(key, found.identity.as_deref()) {
        return Ok(());
    }
    let owner = shown(found.identity.as_deref().unwrap_or_default());
    Err(Failure::Config {
        message: format!("{key}: the session is of {owner}, as its file says"),
        advice: format!("name its own account with --account {}", quoted(&owner)),
    })
}

/// Two accounts of ours with one refresh token would spend it twice.
fn one_owner(store: &FileTokenStore, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
    for other in store.sessions_of(key.provider())? {
        let stored = store.read(&other).ok().flatten();
        if stored.is_some_and(|stored| stored.refresh == token.refresh) {
            return Err(Failure::Config {
                message: format!("{other}: that very session is here already"),
                advice: "one refresh token must have one owner: use that account".into(),
            });
        }
    }
    Ok(())
}

fn occupied(store: &FileTokenStore, key: &SessionKey, there: &str) -> Failure {
    Failure::Config {
        message: format!("{key}: there {there}, in {}", store.path(key).display()),
        advice: "name another account with --account, or sign out of that one first".into(),
    }
}

fn session(args: &ImportArgs, found: &Foreign) -> SessionArgs {
    SessionArgs {
        vendor: found.vendor,
        place: args.place.clone(),
    }
}

impl Source {
    fn named(name: &str) -> Option<Self> {
        let known = Self::value_variants().iter().copied();
        known.into_iter().find(|source| source.name() == name)
    }

    /// As it is typed.
    fn name(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "gemini-cli",
            Self::Gochat => "gochat",
            Self::Mmx => "mmx",
            Self::QwenCode => "qwen-code",
        }
    }

    /// As a person knows it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "Gemini CLI",
            Self::Gochat => "the gochat program",
            Self::Mmx => "mmx",
            Self::QwenCode => "Qwen Code",
        }
    }
}
