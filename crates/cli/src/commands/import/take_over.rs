//! Taking over the session of another program.
//!
//! See decision 0029.

use llm_auth_core::{AuthProvider as _, ErrorKind, Insertion, OAuthToken, SessionKey};

use super::args::ImportArgs;
use super::foreign::Foreign;
use super::source::Source;
use crate::args::SessionArgs;
use crate::error::Failure;
use crate::providers::{self, Provider, ignored_api};
use crate::session::command_line::command_about_all;
use crate::session::resolve::{self, IMPORTED_FROM};
use crate::session::stores::SessionStore;
use crate::session::{runtime, stores};
use crate::shell_quote::quoted;
use crate::text::{self, shown};
use crate::time::{self, rfc3339};
use crate::ui::events::Event;
use crate::ui::streams::say;

/// The session as this program would keep it, or why it cannot.
pub(super) fn taken_over(
    args: &ImportArgs,
    found: &Foreign,
) -> Result<(Provider, OAuthToken), Failure> {
    found.provider.check_hand_out()?;
    let refused = |why: &str| Failure::Config {
        message: format!("the session cannot be imported: {why}"),
        advice: "start a new session with --sign-in".to_owned(),
    };
    let token = match (&found.refusal, &found.token) {
        (None, Some(token)) => token.clone(),
        (Some(why), _) => return Err(refused(why)),
        (None, None) => return Err(refused("it contains no tokens")),
    };
    let configured = found
        .provider
        .configure_for_import(&found.provider_args(args))?;
    let mut token = configured.import_session(token)?;
    if let Some(why) = text::not_a_session(&token) {
        return Err(refused(&why));
    }
    token.scope = token.scope.as_deref().map(shown);
    token.notification = token.notification.as_deref().map(shown);
    // What the file says of its owner is not verified.
    token.metadata.identity = None;
    Ok((configured, token))
}

pub(super) fn take_over(args: &ImportArgs, source: Source, found: Foreign) -> Result<(), Failure> {
    let title = source.title();
    let session = session(args, &found);
    let store = stores::open(&session.selector)?;
    let key = session
        .provider
        .accounts(&store)
        .meant_for_login(&session.selector)?;
    // Another account does not help a session that cannot be imported at all.
    let (configured, mut token) = taken_over(args, &found)?;
    nothing_is_lost(&store, &key)?;
    of_the_person(&key, &found)?;
    if found.rotates {
        one_owner(&store, &key, &token)?;
    }
    let ignored = ignored_api(found.provider, &configured, &token);
    let name = source.name().to_owned();
    token.metadata.provider_data.insert(IMPORTED_FROM, name);
    let manager = providers::manager(configured)
        .store(store.shared())
        .account(key.account())
        .build();
    let interrupted = || format!("interrupted; check `{}`", command_about_all("status"));
    let work = async {
        manager.check_store().await?;
        // Another process may sign in there at the same moment.
        let is_free = |_new: &OAuthToken, stored: Option<&OAuthToken>| stored.is_none();
        Ok(manager.insert_session_if(token, is_free).await?)
    };
    let token = match runtime::run(|| vec![manager.clone()], work, interrupted)? {
        Insertion::Stored(stored) => stored.token,
        Insertion::Refused(_) => {
            return Err(occupied(
                &store,
                &key,
                "another process has just stored a session",
            ));
        }
    };
    let file = store.place(&key);
    let owner = found.identity.as_deref().map(shown);
    let owner = owner.map(|owner| format!(" of {owner} (not verified)"));
    if let Some(ignored) = ignored {
        say(&ignored);
    }
    say(&format!(
        "Imported: {title}'s session{} is stored in {file}.",
        owner.unwrap_or_default()
    ));
    if found.rotates {
        say(&format!(
            "Sign out of {} in {title}, or do not use {title} with this account again.",
            found.provider.title()
        ));
    } else {
        say(&format!(
            "{title} can keep using it; `llm-auth logout` does not revoke it."
        ));
    }
    if time::has_expired(&token) {
        say("It contains no valid access token; the next `llm-auth token` refreshes it.");
    }
    if !args.json {
        return Ok(());
    }
    Event::Imported {
        source: source.name(),
        provider: key.provider(),
        account: key.account(),
        store: &file,
        expires_at: token.expires_at.and_then(rfc3339),
    }
    .print()
}

/// A stored session is not replaced by a copy of another program's.
fn nothing_is_lost(store: &SessionStore, key: &SessionKey) -> Result<(), Failure> {
    match store.read(key) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(occupied(store, key, "a session already exists")),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            Err(occupied(store, key, "an unreadable session already exists"))
        }
        Err(error) => Err(error.into()),
    }
}

/// A session goes to no account that is named after another user than its file says.
fn of_the_person(key: &SessionKey, found: &Foreign) -> Result<(), Failure> {
    if !resolve::is_of_another(key, found.identity.as_deref()) {
        return Ok(());
    }
    let owner = shown(found.identity.as_deref().unwrap_or_default());
    Err(Failure::Config {
        message: format!("{key}: according to its file, the session belongs to {owner}"),
        advice: format!("add --account {}", quoted(&owner)),
    })
}

/// Two accounts of ours with one refresh token would spend it twice.
fn one_owner(store: &SessionStore, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
    for other in store.sessions_of(key.provider())? {
        let stored = store.read(&other).ok().flatten();
        if stored.is_some_and(|stored| stored.refresh == token.refresh) {
            return Err(Failure::Config {
                message: format!("{other}: this account already contains the session"),
                advice: "only one account can use a refresh token: use that account".into(),
            });
        }
    }
    Ok(())
}

fn occupied(store: &SessionStore, key: &SessionKey, there: &str) -> Failure {
    Failure::Config {
        message: format!("{key}: {there} in {}", store.place(key)),
        advice: "name another account with --account, or sign out of this one first".into(),
    }
}

pub(super) fn session(args: &ImportArgs, found: &Foreign) -> SessionArgs {
    SessionArgs {
        provider: found.provider,
        selector: args.selector.clone(),
    }
}
