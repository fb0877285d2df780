//! Secrets that two processes make up alike.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the secret that is kept alive on purpose.
pub(crate) const KEPT: u64 = 1000;

/// The length of each.
pub(crate) const LENGTH: usize = 48;

const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyzABCDEFGH";

/// What is added to each number of this process: what it does for the first time binds symbols,
/// and that may spill registers to the stack. So it does all once with secrets that no test
/// searches for.
static SHIFT: AtomicU64 = AtomicU64::new(0);

/// The shift of the secrets that are not searched for.
pub(crate) const WARM_UP: u64 = 500;

pub(crate) fn shift(by: u64) {
    SHIFT.store(by, Ordering::SeqCst);
}

/// The secret with a number, in a string of its size.
pub(crate) fn text(number: u64) -> String {
    let number = number + SHIFT.load(Ordering::SeqCst);
    let mut state = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(LETTERS[(state >> 59) as usize]));
    }
    text
}
