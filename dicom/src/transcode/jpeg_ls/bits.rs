//! Bits of a scan, the highest of a byte first. After a byte of ones comes a bit that is only filled
//! in (ISO 14495-1 annex A.1), so that marks can be told from data.

use super::Broken;

const EARLY: Broken = Broken("JPEG-LS: ends early");

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u8,
    filled: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            held: 0,
            count: 0,
            filled: false,
        }
    }

    /// Holds more bits, unless a mark or the end comes.
    fn fill(&mut self) {
        while self.count <= 48 {
            let next = self.bytes.get(self.at + 1);
            let byte = match self.bytes.get(self.at) {
                Some(0xFF) if next.is_none_or(|next| *next >= 0x80) => return,
                Some(byte) => *byte,
                None => return,
            };
            let bits = if self.filled { 7 } else { 8 };
            self.held = (self.held << bits) | u64::from(byte);
            self.count += bits;
            self.filled = byte == 0xFF;
            self.at += 1;
        }
    }

    pub(super) fn one(&mut self) -> Result<bool, Broken> {
        Ok(self.number(1)? == 1)
    }

    /// A number of at most 32 bits.
    pub(super) fn number(&mut self, bits: u8) -> Result<u32, Broken> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits).ok_or(EARLY)?;
        Ok((self.held >> self.count) as u32 & ((1_u64 << bits) - 1) as u32)
    }

    /// A Golomb code of limited length (annex A.5.3).
    pub(super) fn golomb(&mut self, k: u8, limit: u32, value_bits: u8) -> Result<u32, Broken> {
        let longest = limit.saturating_sub(u32::from(value_bits) + 1);
        let mut zeros = 0;
        while !self.one()? {
            zeros += 1;
            if zeros > longest {
                return Err(Broken("JPEG-LS: a code that is too long"));
            }
        }
        if zeros < longest {
            Ok((zeros << k) | self.number(k)?)
        } else {
            Ok(self.number(value_bits)? + 1)
        }
    }

    /// How many bytes there are before the next mark.
    pub(super) fn used(&self) -> usize {
        let rest = &self.bytes[self.at..];
        let mark = rest
            .windows(2)
            .position(|it| it[0] == 0xFF && it[1] >= 0x80);
        self.at + mark.unwrap_or(rest.len())
    }
}
