//! Half bytes, one after the other, the high half of a byte first: what notes are written in.

/// Stands in for the half that is missing at an odd end.
pub(super) const END: u8 = 0xf;

/// Appends half bytes to a buffer.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// The first half of a byte that waits for the second.
    half: Option<u8>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, half: None }
    }

    /// Appends one, of which the lower four bits count.
    pub(super) fn put(&mut self, nibble: u8) {
        match self.half.take() {
            None => self.half = Some(nibble & 0xf),
            Some(high) => self.out.push(high << 4 | nibble & 0xf),
        }
    }

    /// Appends the lowest so many of a number, the lowest first.
    pub(super) fn number(&mut self, value: u64, nibbles: u32) {
        (0..nibbles).for_each(|place| self.put((value >> (4 * place) & 0xf) as u8));
    }

    /// Appends a count: three bits in each, the lowest first, and whether more follow.
    pub(super) fn count(&mut self, value: usize) {
        let mut left = value;
        while left > 7 {
            self.put(8 | (left & 7) as u8);
            left >>= 3;
        }
        self.put((left & 7) as u8);
    }

    /// Fills up the last byte.
    pub(super) fn finish(mut self) {
        if self.half.is_some() {
            self.put(END);
        }
    }
}

/// Takes half bytes from where they were written.
pub(super) struct Reader<'p> {
    bytes: &'p [u8],
    /// The next one.
    at: usize,
}

impl<'p> Reader<'p> {
    pub(super) fn new(bytes: &'p [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next one; `None` behind the last.
    pub(super) fn take(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at / 2)?;
        let nibble = if self.at.is_multiple_of(2) { byte >> 4 } else { byte & 0xf };
        self.at += 1;
        Some(nibble)
    }

    /// A number of so many, at most sixteen.
    pub(super) fn number(&mut self, nibbles: u32) -> Option<u64> {
        (0..nibbles).try_fold(0, |sum, place| Some(sum | u64::from(self.take()?) << (4 * place)))
    }

    /// A count; `None` if it is more than any text is long.
    pub(super) fn count(&mut self) -> Option<usize> {
        let mut sum = 0_usize;
        for place in 0..10 {
            let nibble = self.take()?;
            sum |= usize::from(nibble & 7) << (3 * place);
            if nibble & 8 == 0 {
                return Some(sum);
            }
        }
        None
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.at >= 2 * self.bytes.len()
    }
}
