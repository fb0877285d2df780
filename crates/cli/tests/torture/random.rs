//! Choices that follow from a seed (splitmix64).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// A random seed.
pub(crate) fn any_seed() -> u64 {
    // Short enough to be typed again.
    RandomState::new().build_hasher().finish() >> 32
}

impl Random {
    /// The choices of one round of one section.
    pub(crate) fn new(seed: u64, section: &str, round: u64) -> Self {
        let mut start = Self(seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for byte in section.bytes() {
            start.0 = start.next() ^ u64::from(byte);
        }
        start
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Whether something that happens `percent` times in a hundred does.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len() as u64);
        &all[usize::try_from(at).unwrap()]
    }

    /// Shorter than `end`, to the microsecond.
    pub(crate) fn time(&mut self, end: Duration) -> Duration {
        let micros = u64::try_from(end.as_micros()).unwrap();
        Duration::from_micros(self.below(micros))
    }
}
