//! What can happen to a fleet, and when.

use std::time::Duration;

use crate::database::{Engine, LEASE};
use crate::random::Random;
use crate::trigger::Point;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// The holder of a lease is killed.
    Kill,
    /// It is paused past its lease.
    Pause,
    /// It cannot reach the database for a moment.
    BriefCut,
    /// It cannot reach the database until its lease is over.
    LongCut,
    /// Its request does not reach the vendor.
    RequestLost,
    /// The vendor's response does not reach it.
    ResponseLost,
    /// The database crashes, and starts again.
    Crash,
    /// The database is killed, and starts again.
    DatabaseKilled,
    /// It dies, and a replica that has all of it takes its place.
    FailOver,
}

/// Whether access tokens are over or may still be handed out while they are refreshed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Tokens {
    Over,
    Good,
}

/// One fault.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) tokens: Tokens,
    /// The message that it strikes at, and how many come before.
    pub(crate) point: Point,
    pub(crate) others: u64,
    /// After the message.
    pub(crate) delay: Duration,
    /// How long it lasts.
    pub(crate) length: Duration,
    /// Connections that are cut are silent, not closed.
    pub(crate) is_silent: bool,
    /// The host, if no such message comes.
    pub(crate) host: usize,
}

/// How often each kind comes, in a hundred rounds.
const KINDS: [(Kind, u64); 9] = [
    (Kind::Kill, 26),
    (Kind::Pause, 16),
    (Kind::BriefCut, 14),
    (Kind::LongCut, 8),
    (Kind::RequestLost, 10),
    (Kind::ResponseLost, 4),
    (Kind::Crash, 8),
    (Kind::DatabaseKilled, 8),
    (Kind::FailOver, 6),
];

impl Kind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Kill => "a holder of leases is killed",
            Self::Pause => "it is paused past its leases",
            Self::BriefCut => "it is cut off from the database for a moment",
            Self::LongCut => "it is cut off from the database past its leases",
            Self::RequestLost => "it is cut off from the vendor: its request is lost",
            Self::ResponseLost => "the same, and the response is lost",
            Self::Crash => "the database crashes and starts again",
            Self::DatabaseKilled => "the database is killed and starts again",
            Self::FailOver => "the database dies and its replica takes over",
        }
    }

    fn chosen(random: &mut Random) -> Self {
        let mut at = random.below(KINDS.iter().map(|(_, share)| share).sum());
        for (kind, share) in KINDS {
            if at < share {
                return kind;
            }
            at -= share;
        }
        Self::Kill
    }
}

impl Tokens {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Good => "still good",
        }
    }
}

impl Plan {
    pub(crate) fn chosen(random: &mut Random, engine: Engine, sessions: u64, hosts: u64) -> Self {
        let mut kind = Kind::chosen(random);
        if (kind, engine) == (Kind::Crash, Engine::Redis) {
            // It has no other way to crash.
            kind = Kind::DatabaseKilled;
        }
        let point = match kind {
            Kind::RequestLost => Point::Asked,
            Kind::ResponseLost => Point::Replied,
            Kind::Kill | Kind::Pause => *random.one_of(&[
                Point::Asked,
                Point::Replied,
                Point::Delivered,
                Point::Delivered,
                Point::Statement,
                Point::Result,
            ]),
            _ => *random.one_of(&[
                Point::Asked,
                Point::Delivered,
                Point::Statement,
                Point::Statement,
                Point::Result,
            ]),
        };
        let messages = match point {
            Point::Asked | Point::Replied | Point::Delivered => sessions,
            Point::Statement | Point::Result => 3 * sessions,
        };
        let millis = Duration::from_millis;
        Self {
            kind,
            tokens: *random.one_of(&[Tokens::Over, Tokens::Good]),
            point,
            others: random.below(messages),
            delay: match point {
                Point::Delivered => random.time(millis(6)),
                _ => Duration::ZERO,
            },
            length: match kind {
                Kind::Pause | Kind::LongCut => LEASE + millis(400),
                _ => millis(100) + random.time(millis(700)),
            },
            is_silent: random.happens(40),
            host: usize::try_from(random.below(hosts)).unwrap(),
        }
    }
}
