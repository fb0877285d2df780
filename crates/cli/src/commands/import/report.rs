//! The report on another program's session, before anything is done with it.

use llm_auth_core::{Clock as _, SystemClock, printable};

use super::args::ImportArgs;
use super::foreign::Foreign;
use super::source::Source;
use super::take_over::taken_over;
use crate::error::Failure;
use crate::shell_quote::quoted;
use crate::text::shown;
use crate::time::rfc3339;
use crate::ui::events::Event;
use crate::ui::streams::answer;
use crate::ui::symbols::arrow;

/// Whose it is, what sharing it would mean, and what can be done. Nothing secret, and nothing
/// is changed.
pub(super) fn tell(args: &ImportArgs, source: Source, found: &Foreign) -> Result<(), Failure> {
    let obstacle = obstacle(args, found);
    if args.json {
        return event(source, found, obstacle);
    }
    let title = source.title();
    answer(&summary(source, found))?;
    answer(&access(found))?;
    if let Some(mode) = found.readable_by_others() {
        answer(&format!(
            "Warning: other users of this computer can read that file (mode {mode:o})."
        ))?;
    }
    answer(&match &obstacle {
        Some(why) => format!("It cannot be imported: {why}."),
        None if found.rotates => format!(
            "Each refresh invalidates the refresh token and returns a new one, so only one program \
             can use it: if llm-auth imported it and {title} kept using its copy, both would lose \
             the session.",
        ),
        None => {
            "Its refresh token stays valid after a refresh, so two programs can use it.".to_owned()
        }
    })?;
    let again = command(args, source);
    answer(&format!(
        "Recommended: start a new session: {again} --sign-in"
    ))?;
    match obstacle {
        Some(_) => Ok(()),
        None if found.rotates => answer(&format!(
            "Or import it, and never use it with {title} again: {again} --take-over"
        )),
        None => answer(&format!("Or import it: {again} --take-over")),
    }
}

/// In one line what there is.
pub(super) fn line(args: &ImportArgs, source: Source, found: &Foreign) -> Result<(), Failure> {
    if args.json {
        return event(source, found, obstacle(args, found));
    }
    answer(&summary(source, found))?;
    answer(&format!("  {} {}", arrow(), command(args, source)))
}

fn summary(source: Source, found: &Foreign) -> String {
    let owner = found.identity.as_deref().map(shown);
    let owner = owner.map(|owner| format!(" of {owner} (not verified)"));
    format!(
        "{} has a session at {}{}, in {}.",
        source.title(),
        found.provider.title(),
        owner.unwrap_or_default(),
        printable(&found.file.display().to_string())
    )
}

fn access(found: &Foreign) -> String {
    if !found.has_access_token() {
        return "It contains no access token; the first refresh obtains one.".to_owned();
    }
    let Some(expires_at) = found.expiry() else {
        return "Its access token does not expire.".to_owned();
    };
    let at = rfc3339(expires_at).unwrap_or_else(|| "an out-of-range date".to_owned());
    if expires_at > SystemClock.now() {
        format!("Its access token is valid until {at}.")
    } else {
        format!("Its access token expired at {at}.")
    }
}

/// Why it cannot be imported.
fn obstacle(args: &ImportArgs, found: &Foreign) -> Option<String> {
    match (&found.refusal, taken_over(args, found)) {
        (Some(why), _) => Some(why.clone()),
        (None, Err(failure)) => Some(failure.message()),
        (None, Ok(_)) => None,
    }
}

fn event(source: Source, found: &Foreign, obstacle: Option<String>) -> Result<(), Failure> {
    let token = found.token.as_ref();
    Event::Found {
        source: source.name(),
        file: found.file.display().to_string(),
        provider: found.provider.name(),
        identity: found.identity.as_deref().map(shown),
        expires_at: found.expiry().and_then(rfc3339),
        renewable: token.is_some_and(|token| token.refresh.is_some()),
        rotates: found.rotates,
        readable_by_others: found.readable_by_others().is_some(),
        can_be_taken_over: obstacle.is_none(),
        why_not: obstacle,
    }
    .print()
}

/// The same command again, fit for a shell.
fn command(args: &ImportArgs, source: Source) -> String {
    let mut command = format!("llm-auth import {}", source.name());
    let mut flag = |name: &str, value: &str| {
        command.push_str(&format!(" --{name} {}", quoted(&printable(value))));
    };
    if let Some(file) = &args.file {
        flag("file", &file.display().to_string());
    }
    if let Some(provider) = args.provider {
        flag("vendor", provider.name());
    }
    if let Some(account) = &args.selector.account {
        flag("account", account);
    }
    if let Some(store) = &args.selector.store {
        flag("store", &store.display().to_string());
    }
    if let Some(region) = args.provider_args.region {
        flag("region", region.name());
    }
    if let Some(file) = &args.provider_args.client_file {
        flag("client-file", &file.path().display().to_string());
    }
    command
}
