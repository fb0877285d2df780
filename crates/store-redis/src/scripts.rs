//! What is done to a session, each in one script and one round trip.
//!
//! A session is one hash, never deleted and without an expiry: a sign-out leaves a row without data, so
//! that a holder that slept finds another revision. The clock is the server's. See decision 0063,
//! and decision 0068 for copies of what is damaged.

use std::sync::LazyLock;
use std::time::Duration;

use llm_auth_core::Result;
use llm_auth_sealing::Sealed;
use redis::{Cmd, FromRedisValue as _, Script, Value};

use crate::names;
use crate::row::{FORMAT, Row};
use crate::site::Site;

/// How many copies of damaged sessions are kept for each account; the oldest go.
const COPIES: usize = 10;

/// The fencing number of a guard without a lease: what it stores ends that of the holder.
pub(crate) const NO_FENCE: i64 = -1;

macro_rules! script {
    ($flags:literal, $file:literal) => {
        LazyLock::new(|| {
            let row = include_str!("scripts/row.lua");
            let body = include_str!(concat!("scripts/", $file));
            let code = format!(
                "#!lua {}\nlocal FORMAT, COPIES, NO_FENCE = '{FORMAT}', {COPIES}, '{NO_FENCE}'\n{row}{body}",
                $flags
            );
            Source {
                hash: Script::new(&code).get_hash().to_owned(),
                code,
            }
        })
    };
}

static TAKE: LazyLock<Source> = script!("", "take.lua");
static NOTE: LazyLock<Source> = script!("", "note.lua");
// A server that is full refuses `NOTE`, so that nothing is spent, and takes what was spent for.
static SAVE: LazyLock<Source> = script!("flags=allow-oom", "save.lua");
static RELEASE: LazyLock<Source> = script!("flags=allow-oom", "release.lua");

/// A script as servers know it, and as they do not know it yet.
#[derive(Debug)]
pub(crate) struct Source {
    hash: String,
    code: String,
}

/// A call of one script for one session. It has no form for logs, since its data may be in clear text.
pub(crate) struct Call {
    source: &'static Source,
    key: String,
    /// The key of the copies, if what is replaced could not be read.
    copies: Option<String>,
    args: Vec<Vec<u8>>,
}

/// What a script has done, and the row that it saw.
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) row: Row,
    pub(crate) fence: i64,
    /// How long the lease of the holder lasts.
    pub(crate) left: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Taken,
    /// Another caller holds the lease.
    Held,
    /// The session is not the one that the caller knows.
    Changed,
    Done,
    Lost,
}

/// Who writes, as the server checks it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Random for each lease.
    pub(crate) holder: String,
    pub(crate) fence: i64,
    pub(crate) revision: String,
}

/// What a `SAVE` does to the revision.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<'a> {
    Same,
    Revision(&'a str),
}

/// Takes the lease if it is free, and if the session still has the known revision.
pub(crate) fn take(key: &str, holder: &str, length: Duration, known: Option<&str>) -> Call {
    let known = known.unwrap_or("*");
    Call::new(&TAKE, key, [holder, &millis(length), known])
}

/// Extends the lease, and stores data of the same revision with it.
pub(crate) fn note(key: &str, claim: &Claim, length: Duration, data: Option<Sealed>) -> Call {
    let fence = claim.fence.to_string();
    let mut call = Call::new(
        &NOTE,
        key,
        [&claim.holder, &fence, &claim.revision, &*millis(length)],
    );
    call.push(data);
    call
}

/// Stores data, or without them removes the session. What could not be read at the revision of the
/// claim is copied to the key `copies`.
pub(crate) fn save(
    key: &str,
    claim: &Claim,
    next: Next<'_>,
    is_last: bool,
    data: Option<Sealed>,
    copies: Option<String>,
) -> Call {
    let fence = claim.fence.to_string();
    let next = match next {
        Next::Same => "",
        Next::Revision(next) => next,
    };
    let is_last = if is_last { "1" } else { "0" };
    let args = [&*claim.holder, &*fence, &*claim.revision, next, is_last];
    let mut call = Call::new(&SAVE, key, args);
    call.copies = copies;
    call.push(data);
    call
}

pub(crate) fn release(key: &str, holder: &str) -> Call {
    Call::new(&RELEASE, key, [holder])
}

fn millis(length: Duration) -> String {
    length.as_millis().to_string()
}

impl Call {
    fn new<const N: usize>(source: &'static Source, key: &str, args: [&str; N]) -> Self {
        Self {
            source,
            key: key.to_owned(),
            copies: None,
            args: args.map(|arg| arg.as_bytes().to_vec()).to_vec(),
        }
    }

    fn push(&mut self, data: Option<Sealed>) {
        if let Some(Sealed { key, mut bytes }) = data {
            self.args.push(std::mem::take(&mut *bytes));
            self.args.push(key.unwrap_or_default().into_bytes());
        }
    }

    /// By its hash.
    pub(crate) fn short(&self) -> Cmd {
        self.command("EVALSHA", &self.source.hash)
    }

    /// With its text, for a server that does not know it.
    pub(crate) fn whole(&self) -> Cmd {
        self.command("EVAL", &self.source.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = Cmd::new();
        let keys = 1 + usize::from(self.copies.is_some());
        command.arg(name).arg(script).arg(keys).arg(&self.key);
        if let Some(copies) = &self.copies {
            command.arg(copies);
        }
        for arg in &self.args {
            command.arg(arg);
        }
        command
    }
}

impl Reply {
    /// # Errors
    ///
    /// A row of a later version, a key of the copies that is none, or a reply that no script sends.
    pub(crate) fn read(value: Value, site: &Site, key: &str) -> Result<Self> {
        if let Ok((kind, format)) = <(String, String)>::from_redis_value_ref(&value)
            && kind == "format"
        {
            return Err(site.later_format(key, &format));
        }
        type Parts = (String, Option<Vec<u8>>, Option<String>, String, i64, u64);
        let read = Parts::from_redis_value(value);
        let (outcome, data, key_id, revision, fence, left) =
            read.map_err(|_odd| site.odd_reply(key))?;
        let outcome = match &*outcome {
            "taken" => Outcome::Taken,
            "held" => Outcome::Held,
            "changed" => Outcome::Changed,
            "done" => Outcome::Done,
            "lost" => Outcome::Lost,
            "no copies" => return Err(site.odd_reply(&names::copies(key))),
            _ => return Err(site.odd_reply(key)),
        };
        Ok(Self {
            outcome,
            row: Row::new(data, key_id, revision),
            fence,
            left: Duration::from_millis(left),
        })
    }
}
