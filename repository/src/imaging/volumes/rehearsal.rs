//! Writing in one go what is usually written back and forth.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

/// Bytes that may be changed after they were written: some headers.
const MOST: usize = 64 * 1024;

/// Notes which bytes are changed after they were written, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    position: u64,
    end: u64,
    /// Bytes that were changed, by where they are.
    changed: BTreeMap<u64, u8>,
}

/// The same bytes once more: those that will be changed are right the first time.
#[derive(Debug)]
pub(super) struct Performance<W> {
    known: Rehearsal,
    /// What was changed this time.
    changed: BTreeMap<u64, u8>,
    out: W,
}

impl Rehearsal {
    /// Writes for good what was rehearsed.
    pub(super) fn performed_into<W: Write>(self, out: W) -> Performance<W> {
        let known = Self {
            position: 0,
            end: 0,
            changed: self.changed,
        };
        Performance {
            known,
            changed: BTreeMap::new(),
            out,
        }
    }

    /// How many of these bytes stand where something stands already.
    fn behind(&self, bytes: &[u8]) -> usize {
        let behind = self.end.saturating_sub(self.position);
        usize::try_from(behind).map_or(bytes.len(), |behind| behind.min(bytes.len()))
    }

    fn pass(&mut self, written: usize) {
        self.position += written as u64;
        self.end = self.end.max(self.position);
    }
}

impl Write for Rehearsal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let behind = self.behind(bytes);
        let places = self.position..;
        self.changed
            .extend(places.zip(bytes[..behind].iter().copied()));
        if self.changed.len() > MOST {
            return Err(io::Error::other("too much is changed after it was written"));
        }
        self.pass(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Rehearsal {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        let position = position.filter(|position| *position <= self.end);
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl<W: Write> Performance<W> {
    /// What was written into.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.changed != self.known.changed {
            return Err(io::Error::other("it was rehearsed otherwise"));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Performance<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let behind = self.known.behind(bytes);
        let places = self.known.position..;
        self.changed
            .extend(places.zip(bytes[..behind].iter().copied()));
        let new = &bytes[behind..];
        let from = self.known.position + behind as u64;
        let range = from..from + new.len() as u64;
        if self.known.changed.range(range.clone()).next().is_some() {
            let mut right = new.to_vec();
            for (at, byte) in self.known.changed.range(range) {
                let at = usize::try_from(at - from).map_err(io::Error::other)?;
                right[at] = *byte;
            }
            self.out.write_all(&right)?;
        } else {
            self.out.write_all(new)?;
        }
        self.known.pass(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> Seek for Performance<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.known.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(mut to: impl Write + Seek) {
        to.write_all(b"head ....").unwrap();
        to.write_all(b"content").unwrap();
        to.seek(SeekFrom::Start(5)).unwrap();
        to.write_all(b"12").unwrap();
        to.write_all(b"34").unwrap();
        to.seek(SeekFrom::End(0)).unwrap();
        to.write_all(b" end").unwrap();
        to.seek(SeekFrom::Start(7)).unwrap();
        to.write_all(b"!!!").unwrap();
    }

    #[test]
    fn what_was_changed_is_right_the_first_time() {
        let mut expected = io::Cursor::new(Vec::new());
        played(&mut expected);
        let mut rehearsal = Rehearsal::default();
        played(&mut rehearsal);
        let mut performance = rehearsal.performed_into(Vec::new());
        played(&mut performance);
        assert_eq!(performance.finish().unwrap(), b"head 12!!!ontent end");
        assert_eq!(expected.into_inner(), b"head 12!!!ontent end");
        // What goes otherwise is not finished.
        let mut rehearsal = Rehearsal::default();
        played(&mut rehearsal);
        let mut performance = rehearsal.performed_into(Vec::new());
        performance.write_all(b"head ....content end").unwrap();
        assert!(performance.finish().is_err());
    }
}
