//! What was sent to the vendor, what came back, and what became of the hosts that asked.

use std::time::{Duration, Instant};

use llm_auth_core::Secret;

use crate::database::LEASE;

/// A host has had enough of the database to store a session that it holds, with all its pauses
/// between tries.
const ENOUGH: Duration = Duration::from_secs(1);

/// One process of a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HostLife {
    pub(crate) host: usize,
    pub(crate) life: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Rotated(Pair),
    Rejected,
}

/// A refresh request.
#[derive(Debug)]
struct Sent {
    by: HostLife,
    token: String,
    at: Instant,
    reply: Option<(Reply, Instant)>,
    is_delivered: bool,
}

/// What was done to a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Harm {
    pub(crate) to: HostLife,
    pub(crate) kind: HarmKind,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HarmKind {
    Killed,
    Paused,
    /// It could not reach the database.
    CutOff,
}

/// Why a refresh token was used twice, or its session lost, by no fault of the program's (N5).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Excuse {
    /// The vendor's response arrived nowhere.
    Undelivered,
    /// The process that received it was killed before it was stored.
    Killed,
    /// The process that received it was paused past its lease, and the access token was over.
    Paused,
    /// The process that received it could not reach the database before its lease was over.
    CutOff,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: Vec<Sent>,
    /// All pairs, in the order in which the vendor gave them out.
    pairs: Vec<Pair>,
    harms: Vec<Harm>,
}

impl Ledger {
    /// A sign-in.
    pub(crate) fn began(&mut self, pair: Pair) {
        self.pairs.push(pair);
    }

    pub(crate) fn sent(&mut self, by: HostLife, token: String, at: Instant) -> usize {
        self.sent.push(Sent {
            by,
            token,
            at,
            reply: None,
            is_delivered: false,
        });
        self.sent.len() - 1
    }

    pub(crate) fn replied(&mut self, number: usize, reply: Reply, at: Instant) {
        if let Reply::Rotated(pair) = &reply {
            self.pairs.push(pair.clone());
        }
        self.sent[number].reply = Some((reply, at));
    }

    pub(crate) fn delivered(&mut self, number: usize, is_delivered: bool) {
        self.sent[number].is_delivered = is_delivered;
    }

    pub(crate) fn harmed(&mut self, harm: Harm) {
        self.harms.push(harm);
    }

    /// How many refreshes there were.
    pub(crate) fn refreshes(&self) -> usize {
        let rotated = |sent: &&Sent| matches!(sent.reply, Some((Reply::Rotated(_), _)));
        self.sent.iter().filter(rotated).count()
    }

    /// When a refresh token was first given out, as a number that grows.
    pub(crate) fn generation(&self, refresh: &str) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.refresh == refresh)
    }

    /// The same of an access token that a host has handed out.
    pub(crate) fn generation_of(&self, fingerprint: &str) -> Option<usize> {
        let is_it = |pair: &Pair| Secret::from(pair.access.as_str()).fingerprint() == fingerprint;
        self.pairs.iter().position(is_it)
    }

    fn rotation_of(&self, token: &str) -> Option<(&Sent, Instant)> {
        self.sent.iter().find_map(|sent| match &sent.reply {
            Some((Reply::Rotated(_), at)) if sent.token == token => Some((sent, *at)),
            _ => None,
        })
    }

    /// The refresh tokens that came when they had been spent, once for each time.
    pub(crate) fn reused(&self) -> Vec<&str> {
        let rejected = self.sent.iter().filter(|sent| {
            matches!(sent.reply, Some((Reply::Rejected, _)))
                && self.rotation_of(&sent.token).is_some()
        });
        rejected.map(|sent| sent.token.as_str()).collect()
    }

    /// Why a stored session whose refresh token is this one is over, if that is excused: the token,
    /// or the one before it, was spent twice.
    pub(crate) fn excuse_of_session(&self, refresh: &str) -> Option<Excuse> {
        let before = self.sent.iter().find_map(|sent| match &sent.reply {
            Some((Reply::Rotated(pair), _)) if pair.refresh == refresh => Some(sent.token.as_str()),
            _ => None,
        });
        let reused = self.reused();
        let mut tokens = [Some(refresh), before].into_iter().flatten();
        tokens.find_map(|token| {
            let is_reused = reused.contains(&token);
            is_reused.then(|| self.excuse(token)).flatten()
        })
    }

    /// What was sent for a session whose refresh token is this one, and what was done to hosts, in
    /// seconds before now.
    pub(crate) fn story(&self, refresh: &str) -> String {
        let mut chain = vec![refresh];
        while let Some(before) = self.sent.iter().find_map(|sent| match &sent.reply {
            Some((Reply::Rotated(pair), _)) if Some(&&*pair.refresh) == chain.last() => {
                Some(&*sent.token)
            }
            _ => None,
        }) {
            chain.push(before);
        }
        let ago = |at: &Instant| -at.elapsed().as_secs_f32();
        let mut lines = Vec::new();
        for sent in self
            .sent
            .iter()
            .filter(|sent| chain.contains(&&*sent.token))
        {
            let generation = self.generation(&sent.token);
            let reply = match &sent.reply {
                Some((Reply::Rotated(_), at)) => format!("rotated at {:.3}", ago(at)),
                Some((Reply::Rejected, at)) => format!("rejected at {:.3}", ago(at)),
                None => "without a reply".into(),
            };
            lines.push((
                ago(&sent.at),
                format!(
                    "host {}.{} sent generation {generation:?}: {reply}, delivered: {}",
                    sent.by.host, sent.by.life, sent.is_delivered
                ),
            ));
        }
        for harm in &self.harms {
            let until = ago(&harm.until);
            lines.push((
                ago(&harm.from),
                format!(
                    "host {}.{}: {:?} until {until:.3}",
                    harm.to.host, harm.to.life, harm.kind
                ),
            ));
        }
        lines.sort_by(|one, other| one.0.total_cmp(&other.0));
        lines
            .iter()
            .map(|(at, line)| format!("\n    {at:.3} {line}"))
            .collect()
    }

    /// Why a refresh token could come twice.
    pub(crate) fn excuse(&self, token: &str) -> Option<Excuse> {
        let (sent, at) = self.rotation_of(token)?;
        if !sent.is_delivered {
            return Some(Excuse::Undelivered);
        }
        // By then the lease was over at the latest.
        let end = at + LEASE;
        let harms = self.harms.iter().filter(|harm| harm.to == sent.by);
        let mut harms = harms.filter(|harm| harm.from < end && harm.until > at);
        harms.find_map(|harm| match harm.kind {
            HarmKind::Killed => Some(Excuse::Killed),
            HarmKind::Paused => (harm.until - harm.from >= LEASE).then_some(Excuse::Paused),
            HarmKind::CutOff => (harm.until + ENOUGH >= end).then_some(Excuse::CutOff),
        })
    }
}
