//! Numbers that look random and are the same every time.

/// A generator with one word of state (xorshift, Marsaglia 2003).
pub(crate) struct Dice(u64);

impl Dice {
    /// Begins with a seed other than 0.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
