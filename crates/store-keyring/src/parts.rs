//! A session in as many entries as the platform's limit demands.
//!
//! Each write has a name of its own, so that one that ends late disturbs no other. The file of the
//! session is the manifest: which write counts, and how many entries it has.

use keyring_core::Error as Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::access::Items;

/// How often a write may be begun again under another name, after one that hangs.
pub(crate) const MOST_ATTEMPTS: u32 = 8;

/// What a file says about the entries of its session. It is no secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Manifest {
    pub(crate) v: u32,
    pub(crate) id: String,
    /// Which attempt to write under this id has counted.
    #[serde(default)]
    pub(crate) attempt: u32,
    /// Zero until all are written.
    pub(crate) parts: usize,
    pub(crate) length: usize,
    /// The write that this one replaces, in case that is not yet removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Replaced>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Replaced {
    id: String,
    attempt: u32,
}

impl Manifest {
    pub(crate) fn of(form: &Map<String, Value>) -> Option<Self> {
        Self::deserialize(Value::Object(form.clone())).ok()
    }

    pub(crate) fn into_form(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(form)) => form,
            // Strings and numbers always are JSON.
            _ => Map::new(),
        }
    }

    pub(crate) fn as_replaced(&self) -> Replaced {
        Replaced {
            id: self.id.clone(),
            attempt: self.attempt,
        }
    }

    pub(crate) fn write(
        &self,
        items: &Items,
        place: &str,
        content: &[Zeroizing<Vec<u8>>],
    ) -> keyring_core::Result<()> {
        for (number, part) in content.iter().enumerate() {
            let written = items.entry(place, &name(place, &self.id, self.attempt, number))?;
            written.set_secret(part)?;
            if items.is_given_up() {
                remove(items, place, &self.id, self.attempt, number + 1)?;
                return Err(Failure::NotSupportedByStore("it was given up".to_owned()));
            }
        }
        Ok(())
    }

    /// The content; `None` if an entry is gone.
    ///
    /// A lock that hides entries is an error.
    pub(crate) fn read(
        &self,
        items: &Items,
        place: &str,
    ) -> keyring_core::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut content = Zeroizing::new(Vec::with_capacity(self.length));
        for number in 0..self.parts {
            let entry = items.entry(place, &name(place, &self.id, self.attempt, number))?;
            match entry.get_secret().map(Zeroizing::new) {
                // It would not be wiped where it grows.
                Ok(part) if content.len() + part.len() <= self.length => {
                    content.extend_from_slice(&part);
                }
                Ok(_longer) => return Ok(None),
                Err(Failure::NoEntry) => return items.check_unlocked().map(|()| None),
                Err(error) => return Err(error),
            }
        }
        Ok((content.len() == self.length).then_some(content))
    }

    /// Removes all entries of this write, of earlier attempts, and of the write that it replaced,
    /// except for those of the id that is kept: a write that was killed has replaced nothing.
    pub(crate) fn remove(
        &self,
        items: &Items,
        place: &str,
        kept: Option<&str>,
    ) -> keyring_core::Result<()> {
        if kept != Some(&self.id) {
            self.remove_own(items, place)?;
        }
        match &self.replaces {
            Some(replaced) if kept != Some(&replaced.id) => {
                remove(items, place, &replaced.id, replaced.attempt, 0).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// A lock that hides entries is an error.
    fn remove_own(&self, items: &Items, place: &str) -> keyring_core::Result<()> {
        let mut any = false;
        let last = match self.parts {
            // Which attempts there were is unknown.
            0 => MOST_ATTEMPTS,
            _ => self.attempt + 1,
        };
        for attempt in 0..last.min(MOST_ATTEMPTS) {
            let known = if attempt == self.attempt {
                self.parts
            } else {
                0
            };
            let removed = remove(items, place, &self.id, attempt, known)?;
            any |= removed > 0;
            if self.parts == 0 && removed == 0 && attempt > 0 {
                break;
            }
        }
        match any {
            true => Ok(()),
            false => items.check_unlocked(),
        }
    }
}

/// Removes the entries of one write: those that it is known to have, and all that follow. The last
/// goes first, so that a process which is killed in between leaves entries that are found from the
/// first.
fn remove(
    items: &Items,
    place: &str,
    id: &str,
    attempt: u32,
    known: usize,
) -> keyring_core::Result<usize> {
    let entry = |number| items.entry(place, &name(place, id, attempt, number));
    let mut end = known;
    loop {
        match entry(end)?.get_secret().map(Zeroizing::new) {
            Ok(_content) => end += 1,
            Err(Failure::NoEntry) => break,
            Err(error) => return Err(error),
        }
    }
    let mut removed = 0;
    for number in (0..end).rev() {
        match entry(number)?.delete_credential() {
            Ok(()) => removed += 1,
            Err(Failure::NoEntry) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// The name of an entry. A part of one account is not found under the name of another.
pub(crate) fn name(place: &str, id: &str, attempt: u32, number: usize) -> String {
    format!("{place} {id}.{attempt}.{number}")
}

/// Splits a content at the limit, and not within a character.
pub(crate) fn split(content: &[u8], limit: usize) -> Vec<Zeroizing<Vec<u8>>> {
    let (mut parts, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        let mut at = rest.len().min(limit.max(4));
        while at > 1 && rest.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
            at -= 1;
        }
        let (part, after) = rest.split_at(at);
        parts.push(Zeroizing::new(part.to_vec()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_split_at_the_limit_and_never_within_a_character() {
        for text in [
            "",
            "a",
            "abcdefgh",
            "ääääää",
            "\u{1f511}\u{1f511}\u{1f511}a",
        ] {
            for limit in 4..9 {
                let parts = split(text.as_bytes(), limit);
                assert!(parts.iter().all(|part| part.len() <= limit));
                assert!(parts.iter().all(|part| std::str::from_utf8(part).is_ok()));
                let joined: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
                assert_eq!(joined, text.as_bytes());
            }
        }
    }
}
