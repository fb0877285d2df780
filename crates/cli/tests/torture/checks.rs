//! N1 to N8, checked in the file and at the provider.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::process::Done;
use crate::round::{Check, ensure, ensure_kept};
use crate::session::Session;
use crate::world::World;

impl World {
    /// The file holds a pair that the provider gave out together.
    pub(crate) fn check_generation(&self, session: &Session) -> Check {
        let known = self.ledger.holds(&session.access, &session.refresh);
        ensure_kept!(known, "N2: the file mixes generations");
        Ok(())
    }

    /// The file holds a refresh token that the provider takes.
    pub(crate) fn check_kept(&self, account: &str) -> Check<Session> {
        let session = self.session(account)?;
        ensure_kept!(
            self.is_live(&session.refresh),
            "the refresh token in the file is dead at the provider"
        );
        Ok(session)
    }

    /// What was printed is at most as new as what the file holds (N1).
    pub(crate) fn check_printed(&self, done: &Done, account: &str) -> Check {
        let Some(token) = done.token() else {
            return Ok(());
        };
        let session = self.session(account)?;
        let printed = self.ledger.refresh_of(token);
        let printed = printed.and_then(|refresh| self.ledger.generation(&refresh));
        let stored = self.ledger.generation(&session.refresh);
        ensure_kept!(
            printed.is_some() && stored.is_some() && printed <= stored,
            "N1: a token was printed that the file does not hold"
        );
        Ok(())
    }

    /// Only the owner can read and write (N7).
    pub(crate) fn check_modes(&self) -> Check {
        for path in walk(&self.home)? {
            // A temporary file may be renamed away at any moment.
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            let mode = metadata.permissions().mode() & 0o777;
            let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
            ensure!(
                metadata.is_symlink() || mode == wanted,
                "N7: {} has mode {mode:o}",
                name_of(&path)
            );
        }
        Ok(())
    }

    /// Nothing lies about but sessions and their locks.
    pub(crate) fn check_tidy(&self) -> Check {
        for path in walk(&self.home)? {
            let name = name_of(&path);
            let known = path.is_dir() || name.ends_with(".json") || name.ends_with(".json.lock");
            ensure!(known && !name.starts_with('.'), "{name} was left behind");
        }
        Ok(())
    }

    /// The next call works without a sign-in, and both sides agree afterwards.
    pub(crate) fn check_next_call(&self, account: &str) -> Check<Session> {
        self.server().clear_faults();
        let done = self.run(&self.token(account, &[]))?;
        ensure_kept!(
            done.code == Some(0),
            "the next call failed: {}",
            self.describe(&done)
        );
        self.check_response(&done, account)
    }

    /// A call that ended well: its token is the stored one, and both are alive.
    pub(crate) fn check_response(&self, done: &Done, account: &str) -> Check<Session> {
        ensure!(done.code == Some(0), "{}", self.describe(done));
        let session = self.check_kept(account)?;
        ensure_kept!(
            done.token() == Some(session.access.as_str()),
            "N1: printed and stored differ"
        );
        ensure_kept!(
            self.server().is_live_access(&session.access),
            "the provider does not accept the token that was printed"
        );
        self.check_modes()?;
        self.check_tidy()?;
        Ok(session)
    }

    /// No process sent a spent refresh token, and no family was revoked (N3).
    pub(crate) fn check_no_reuse(&self) -> Check {
        let seen = self.server().counters();
        ensure_kept!(
            (seen.reuse, seen.families_revoked) == (0, 0),
            "N3: {} times reused, {} families revoked",
            seen.reuse,
            seen.families_revoked
        );
        Ok(())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A directory and everything in it.
fn walk(directory: &Path) -> Check<Vec<PathBuf>> {
    let mut all = vec![directory.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if all[at].is_dir() && !all[at].is_symlink() {
            for entry in std::fs::read_dir(&all[at])? {
                all.push(entry?.path());
            }
        }
        at += 1;
    }
    Ok(all)
}
