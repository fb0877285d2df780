//! The memory of another process.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::made_up::{LENGTH, text};

/// What is searched for: pieces so short that any rest of twice their length holds one.
const PIECE: usize = 12;

/// A piece of a secret, and what stands around it.
#[derive(Eq, PartialEq)]
pub(crate) struct Hit {
    secret: u64,
    place: String,
    around: Vec<u8>,
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let around = self.around.escape_ascii();
        write!(f, "secret {} in {}: {around}", self.secret, self.place)
    }
}

/// Every place in what a process can write that holds a piece of one of the secrets.
pub(crate) fn hits(process: u32, secrets: Range<u64>) -> Vec<Hit> {
    let mut pieces: HashMap<Vec<u8>, u64> = HashMap::new();
    let mut begins = vec![false; 1 << 16];
    for number in secrets {
        for at in (0..LENGTH).step_by(PIECE) {
            let piece = text(number).as_bytes()[at..at + PIECE].to_vec();
            begins[usize::from(u16::from_le_bytes([piece[0], piece[1]]))] = true;
            pieces.insert(piece, number);
        }
    }
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    for (range, place) in writable(process) {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        // A mapping without memory behind it cannot be read, and holds nothing.
        if memory.read_exact_at(&mut bytes, range.start).is_err() {
            continue;
        }
        for (at, piece) in bytes.windows(PIECE).enumerate() {
            if !begins[usize::from(u16::from_le_bytes([piece[0], piece[1]]))] {
                continue;
            }
            if let Some(secret) = pieces.get(piece) {
                found.push(Hit {
                    secret: *secret,
                    place: format!("{place} at {:x}", range.start + at as u64),
                    around: bytes[at.saturating_sub(80)..bytes.len().min(at + 80)].to_vec(),
                });
            }
        }
    }
    found
}

fn writable(process: u32) -> Vec<(Range<u64>, String)> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if rights.starts_with("rw") {
            let (from, to) = range.split_once('-').unwrap();
            let hex = |text| u64::from_str_radix(text, 16).unwrap();
            let name = words.nth(3).unwrap_or("anonymous memory");
            found.push((hex(from)..hex(to), name.to_owned()));
        }
    }
    assert!(!found.is_empty());
    found
}
