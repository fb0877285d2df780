//! Unpredictable names for tokens and codes.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) fn hex(bytes: usize) -> String {
    fill(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A code that a user can type: eight letters without vowels.
pub(crate) fn user_code() -> String {
    const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut code: String = fill(8)
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect();
    code.insert(4, '-');
    code
}

/// Random bytes, or distinct ones if the system has none.
fn fill(length: usize) -> Vec<u8> {
    static SPARE: AtomicU64 = AtomicU64::new(1);
    let mut bytes = vec![0; length];
    if getrandom::fill(&mut bytes).is_err() {
        let spare = SPARE.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (byte, value) in bytes.iter_mut().zip(spare) {
            *byte = value;
        }
    }
    bytes
}
