//! What came of a round, seen from both sides: the store and the vendor.

use std::collections::BTreeMap;

use llm_auth_core::OAuthToken;

use crate::ledger::Excuse;
use crate::process::{Line, Printed};
use crate::vendor;
use crate::world::{SESSIONS, World, finish};

/// How often hosts may fail for a moment in a turn without a fault: the computer may be slow.
const TURNS: usize = 20;

/// A broken promise.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) is_loss: bool,
    pub(crate) why: String,
}

impl Finding {
    pub(crate) fn lost(why: impl Into<String>) -> Self {
        Self {
            is_loss: true,
            why: why.into(),
        }
    }

    pub(crate) fn broken(why: impl Into<String>) -> Self {
        Self {
            is_loss: false,
            why: why.into(),
        }
    }
}

/// What came of a round that broke no promise.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Whether the fault struck at its message.
    pub(crate) is_hit: bool,
    pub(crate) refreshes: usize,
    /// Sessions that N5 excuses.
    pub(crate) excused: BTreeMap<Excuse, u64>,
}

impl World {
    /// What was handed out is at most as new as what the store holds (N1).
    pub(crate) async fn check_stored(&self, lines: &[Line]) -> Result<(), Finding> {
        for line in lines {
            let Printed::Token(printed) = &line.what else {
                continue;
            };
            let refresh = self.refresh_of(line.session).await?;
            let ledger = self.ledger.lock().unwrap();
            let stored = ledger.generation(&refresh);
            let handed_out = ledger.generation_of(printed);
            if stored.is_none() || handed_out > stored {
                let words = format!(
                    "N1: host {} handed out a token of session {}, generation {handed_out:?}, and \
                     the store holds {stored:?}",
                    line.host, line.session
                );
                return Err(Finding::lost(words));
            }
        }
        Ok(())
    }

    /// All tokens are over, and nothing else is wrong: each session is refreshed once, and all hosts
    /// hand out the same token, which is stored and which the vendor accepts.
    pub(crate) async fn calm(&mut self) -> Result<Verdict, Finding> {
        let mut verdict = Verdict::default();
        let mut latest = BTreeMap::new();
        for left in (0..TURNS).rev() {
            let turn = self.begin().await;
            for host in &mut self.hosts {
                for line in finish(host, turn).await? {
                    latest.insert((line.session, line.host), line.what);
                }
            }
            let failed = |what: &&Printed| matches!(what, Printed::Error(_));
            match latest.values().find(failed) {
                None => break,
                Some(Printed::Error(words)) if left == 0 => {
                    let words = format!("a host gets no token without a fault: {words}");
                    return Err(Finding::broken(words));
                }
                Some(_) => {}
            }
        }
        for session in 0..SESSIONS {
            let printed: Vec<&Printed> = (0..self.hosts.len())
                .filter_map(|host| latest.get(&(session, host)))
                .collect();
            if let Some(excuse) = self.check_session(session, &printed).await? {
                *verdict.excused.entry(excuse).or_default() += 1;
                self.sign_in(session).await;
            }
        }
        self.check_reuse()?;
        Ok(verdict)
    }

    /// The excuse of a session that is over.
    async fn check_session(
        &self,
        session: usize,
        printed: &[&Printed],
    ) -> Result<Option<Excuse>, Finding> {
        let stored = self.stored(session).await?;
        let (access, refresh) = (stored.access.fingerprint(), refresh(&stored));
        let vendor = self.kit.standard();
        let is_live = vendor.live_refresh_tokens().contains(&refresh);
        if is_live && vendor.is_live_access(stored.access.expose()) {
            let is_it = |what: &&Printed| **what == Printed::Token(access.clone());
            return match printed.iter().all(is_it) && printed.len() == self.hosts.len() {
                true => Ok(None),
                false => Err(Finding::broken(format!(
                    "session {session} is good, and its hosts printed {printed:?}"
                ))),
            };
        }
        let excuse = self.ledger.lock().unwrap().excuse_of_session(&refresh);
        match excuse {
            Some(excuse) => Ok(Some(excuse)),
            None => Err(Finding::lost(format!(
                "session {session} is over at the vendor without an excuse; its hosts printed \
                 {printed:?}{}",
                self.ledger.lock().unwrap().story(&refresh)
            ))),
        }
    }

    /// N3, by both counts.
    fn check_reuse(&self) -> Result<(), Finding> {
        let ledger = self.ledger.lock().unwrap();
        let reused = ledger.reused();
        let counted = self.kit.standard().counters().reuse;
        if counted != reused.len() as u64 {
            let words = format!(
                "the vendor counts {counted} second uses of a refresh token, its wire {}",
                reused.len()
            );
            return Err(Finding::broken(words));
        }
        match reused.iter().find(|token| ledger.excuse(token).is_none()) {
            None => Ok(()),
            Some(_) => Err(Finding::lost(
                "N3: a refresh token was used twice without an excuse",
            )),
        }
    }

    async fn refresh_of(&self, session: usize) -> Result<String, Finding> {
        Ok(refresh(&self.stored(session).await?))
    }

    async fn stored(&self, session: usize) -> Result<OAuthToken, Finding> {
        let account = vendor::account(session);
        match self.database.load(&account).await {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(Finding::lost(format!("session {session} is gone"))),
            Err(error) => Err(Finding::broken(format!("session {session}: {error}"))),
        }
    }
}

fn refresh(token: &OAuthToken) -> String {
    let refresh = token.refresh.as_ref();
    refresh.map_or_else(String::new, |refresh| refresh.expose().to_owned())
}
