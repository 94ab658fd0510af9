//! Numbers that look random and are the same for the same seed.
//!
//! For made-up worlds and retry jitter only; nonces and keys that protect something come from
//! the operating system.

/// A splitmix64 generator: one 64-bit word of state, full period, good enough to draw a map.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number from 0 up to, not including, `limit`; 0 if `limit` is 0.
    pub const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.word() % limit }
    }
}

/// A number that depends on every bit of both arguments.
pub const fn mix(one: u64, other: u64) -> u64 {
    scramble(scramble(one ^ 0x2545_f491_4f6c_dd1d).wrapping_add(other))
}

const fn scramble(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_its_published_first_words_for_seed_zero() {
        let mut rng = Rng::new(0);
        assert_eq!(rng.word(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.word(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(7);
        assert!((0..1000).all(|_| rng.below(3) < 3));
        assert_eq!(rng.below(0), 0);
    }
}
