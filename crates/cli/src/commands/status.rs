//! `llm-auth status`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    Clock as _, DEFAULT_EXPIRY_MARGIN, Error, FileTokenStore, OAuthToken, SessionKey, SystemClock,
    Timestamp, TokenMark, printable,
};
use serde::Serialize;

use super::PlaceArgs;
use crate::accounts::{self, IMPORTED_FROM};
use crate::exit::{Failure, chain};
use crate::output::{self, VERSION, say};
use crate::store;
use crate::time::{length, rfc3339};
use crate::vendor::{ProviderArgs, Vendor};

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Only sessions at this vendor.
    #[arg(value_enum)]
    vendor: Option<Vendor>,

    #[command(flatten)]
    place: PlaceArgs,

    /// Write one JSON object to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    sessions: Vec<Row>,
}

/// One session as it is stored. Nothing in it is secret.
#[derive(Default, Serialize)]
struct Row {
    vendor: Option<String>,
    account: String,
    store: String,
    state: &'static str,
    expires_at: Option<String>,
    expires_at_ms: Option<i64>,
    expires_in_seconds: Option<i64>,
    scope: Option<String>,
    api_base: Option<String>,
    identity: Option<String>,
    signed_in_at: Option<String>,
    renewed_at: Option<String>,
    last_failure: Option<Failed>,
    clock_offset_seconds: Option<i64>,
    renewable: bool,
    may_be_spent: bool,
    refused: bool,
    /// The one that is meant where no account is named.
    current: bool,
    /// The program whose session this was.
    imported_from: Option<String>,
    advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Why the last renewal failed.
#[derive(Serialize)]
struct Failed {
    at: Option<String>,
    reason: Option<String>,
}

pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let store = store::open(&args.place)?;
    let rows: Vec<Row> = keys(args, &store)?
        .iter()
        .filter_map(|key| Row::of(&store, key, SystemClock.now()))
        .collect();
    if args.json {
        return output::json(&Report {
            v: VERSION,
            sessions: rows,
        });
    }
    if rows.is_empty() {
        say("nobody is signed in; `llm-auth login qwen`, `minimax` or `gemini` starts");
        return Ok(());
    }
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            output::answer("")?;
        }
        for line in row.lines() {
            output::answer(&line)?;
        }
    }
    Ok(())
}

/// The sessions to look at: those of the folder, or the one of the file.
fn keys(args: &StatusArgs, store: &FileTokenStore) -> Result<Vec<SessionKey>, Failure> {
    let account = args.place.account.as_deref();
    if args.place.store.is_some() {
        let vendor = args.vendor.map_or("", Vendor::name);
        return Ok(vec![SessionKey::new(vendor, account.unwrap_or_default())]);
    }
    let mut keys = store.sessions()?;
    keys.retain(|key| {
        args.vendor
            .is_none_or(|vendor| vendor.name() == key.provider())
            && account.is_none_or(|account| account == key.account())
    });
    Ok(keys)
}

impl Row {
    /// `None` where nothing is stored; a file that cannot be read is a row too, as an error.
    fn of(store: &FileTokenStore, key: &SessionKey, now: Timestamp) -> Option<Self> {
        let vendor = Some(key.provider()).filter(|name| !name.is_empty());
        let row = Self {
            vendor: vendor.map(printable),
            account: printable(key.account()),
            current: is_current(key),
            store: store.path(key).display().to_string(),
            ..Self::default()
        };
        match store.read(key) {
            Ok(None) => None,
            Ok(Some(token)) => Some(row.filled(key, &token, now)),
            Err(error) => Some(row.unreadable(&error)),
        }
    }

    fn filled(self, key: &SessionKey, token: &OAuthToken, now: Timestamp) -> Self {
        let notes = &token.notes;
        let owner = notes.provider.as_deref().map(printable);
        let vendor = owner.clone().or_else(|| self.vendor.clone());
        let foreign = !key.provider().is_empty()
            && owner
                .as_deref()
                .is_some_and(|owner| owner != key.provider());
        let by_server = now.shifted(notes.clock_offset_ms.unwrap_or(0));
        let expires_in = token
            .expires_at
            .as_unix_millis()
            .saturating_sub(by_server.as_unix_millis());
        Self {
            state: state_of(token, now),
            expires_at: rfc3339(token.expires_at),
            expires_at_ms: Some(token.expires_at.as_unix_millis()),
            expires_in_seconds: Some(expires_in / 1000),
            scope: token.scope.as_deref().map(printable),
            api_base: vendor.as_deref().and_then(|vendor| api_base(vendor, token)),
            identity: notes.identity.as_deref().map(printable),
            signed_in_at: notes.signed_in_at.and_then(rfc3339),
            renewed_at: notes.renewed_at.and_then(rfc3339),
            last_failure: reason_of(token).map(|mark| Failed {
                at: rfc3339(mark.at),
                reason: mark.reason.as_deref().map(printable),
            }),
            clock_offset_seconds: notes.clock_offset_ms.map(|millis| millis / 1000),
            renewable: token.refresh.is_some() && !token.is_refused(),
            may_be_spent: token.may_be_spent(),
            refused: token.is_refused(),
            imported_from: notes.context.get(IMPORTED_FROM).map(|name| printable(name)),
            advice: advice(key, token, now),
            error: foreign.then(|| format!("the file is of {}", owner.unwrap_or_default())),
            vendor,
            ..self
        }
    }

    fn unreadable(self, error: &Error) -> Self {
        Self {
            state: "unreadable",
            error: Some(chain(error)),
            advice: Some("look at the file, or sign in again, which keeps it aside".into()),
            ..self
        }
    }

    /// The row for a person.
    fn lines(&self) -> Vec<String> {
        let vendor = self.vendor.as_deref().unwrap_or("(vendor not noted)");
        let mut head = format!("{vendor}  {}", self.account);
        if self.current {
            head.push_str("  (current)");
        }
        if let Some(identity) = &self.identity {
            head.push_str(&format!("  {identity}"));
        }
        let mut lines = vec![head];
        let mut say = |name: &str, text: &str| lines.push(format!("  {name:<13} {text}"));
        match &self.error {
            Some(error) => say(self.state, error),
            None => say(self.state, &self.expiry()),
        }
        if let Some(at) = &self.signed_in_at {
            let from = self.imported_from.as_ref();
            let from = from.map(|name| format!(", taken over from {name}"));
            say("signed in", &format!("{at}{}", from.unwrap_or_default()));
        }
        if let Some(at) = &self.renewed_at {
            say("renewed", at);
        }
        if let Some(failed) = &self.last_failure {
            let at = failed.at.as_deref().unwrap_or("at an unknown time");
            let reason = failed.reason.as_deref().unwrap_or("for no reason given");
            say("then failed", &format!("{at}: {reason}"));
        }
        if self.may_be_spent {
            say(
                "careful",
                "a renewal was cut off: its refresh token may be spent",
            );
        }
        if let Some(seconds) = self.clock_offset_seconds {
            let apart = length(Duration::from_secs(seconds.unsigned_abs()));
            let way = if seconds < 0 { "ahead of" } else { "behind" };
            let text = format!("the clock of this computer is {apart} {way} the vendor's");
            say("clock", &text);
        }
        say("stored in", &self.store);
        if let Some(advice) = &self.advice {
            lines.push(format!("  → {advice}"));
        }
        lines
    }

    /// How long the access token lives, and what comes then.
    fn expiry(&self) -> String {
        let at = self.expires_at.as_deref().unwrap_or("another age");
        let Some(seconds) = self.expires_in_seconds else {
            return String::new();
        };
        let time = length(Duration::from_secs(seconds.unsigned_abs()));
        let when = if seconds >= 0 {
            format!("for {time}, until {at}")
        } else {
            format!("expired {time} ago, at {at}")
        };
        let then = if self.renewable {
            "; renewed by itself"
        } else {
            "; it cannot be renewed"
        };
        format!("{when}{then}")
    }
}

/// Why the last renewal failed: the refusal that ended it goes before what passes.
fn reason_of(token: &OAuthToken) -> Option<&TokenMark> {
    let refused = token
        .notes
        .refused
        .as_deref()
        .filter(|_| token.is_refused());
    refused.or(token.notes.last_failure.as_deref())
}

/// Whether it is the one that is meant where no account is named.
fn is_current(key: &SessionKey) -> bool {
    let vendor = Vendor::named(key.provider());
    vendor.is_some_and(|vendor| accounts::current(vendor).is_ok_and(|current| current == *key))
}

/// What the person should do, if anything.
fn advice(key: &SessionKey, token: &OAuthToken, now: Timestamp) -> Option<String> {
    match state_of(token, now) {
        "refused" | "expired" => Some(format!(
            "sign in again with `llm-auth login {} --account {}`",
            key.provider(),
            printable(key.account())
        )),
        _ => None,
    }
}

/// The state of a session in one word.
pub(crate) fn state_of(token: &OAuthToken, now: Timestamp) -> &'static str {
    if token.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now) {
        "valid"
    } else if token.is_refused() {
        "refused"
    } else if token.refresh.is_some() {
        "renewable"
    } else {
        "expired"
    }
}

/// The API base as the vendor's provider has it; none if the environment makes no provider,
/// which `token` and `login` complain about.
fn api_base(vendor: &str, token: &OAuthToken) -> Option<String> {
    let provider = Vendor::named(vendor)?.provider(&ProviderArgs::default(), None, None);
    provider.ok()?.api_base(token)
}
