//! Where large values are read from when they are written: the old file, forwards.

use std::io::Write;
use std::path::Path;

use super::Refused;
use crate::bytes::Source;
use crate::opened;
use crate::walk::{Apart, Part10, WalkError};

/// Bytes that are moved at a time.
const CHUNK: u64 = 64 * 1024;

/// The old file, open for reading.
pub(super) struct Origin<'a> {
    input: Input<'a>,
    source: Source<'a>,
    inflated: bool,
    data_offset: u64,
}

/// Where the old file is.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    File(&'a Path),
    Bytes(&'a [u8]),
}

impl<'a> Origin<'a> {
    pub(super) fn open(input: Input<'a>, file: &Part10) -> Result<Self, Refused> {
        let inflated = super::DEFLATED.contains(&file.transfer_syntax_uid.as_str());
        let source = opened(input, inflated, file.data_offset)?;
        Ok(Self {
            input,
            source,
            inflated,
            data_offset: file.data_offset,
        })
    }

    /// Goes to a place, usually a later one.
    fn go(&mut self, offset: u64) -> Result<(), Refused> {
        if offset < self.source.position() {
            if self.inflated {
                // Inflating again for each value would take for ever.
                return Err(WalkError::Garbled(
                    offset,
                    "elements are not in the order of their tags",
                )
                .into());
            }
            self.source = opened(self.input, false, self.data_offset)?;
        }
        let ahead = offset - self.source.position();
        Ok(self.source.skip(ahead)?)
    }

    /// A value, if it is not longer than `limit`.
    pub(super) fn read(&mut self, place: Apart, limit: u64) -> Result<Vec<u8>, Refused> {
        if place.length > limit {
            return Err(WalkError::TooMany.into());
        }
        self.go(place.offset)?;
        Ok(self.source.vec(place.length)?)
    }

    /// Copies a value; `unit` bytes each change places if there are more than one.
    pub(super) fn copy(
        &mut self,
        place: Apart,
        unit: usize,
        out: &mut impl Write,
    ) -> Result<(), Refused> {
        self.go(place.offset)?;
        let mut left = place.length;
        while left > 0 {
            let mut bytes = self.source.vec(left.min(CHUNK))?;
            left -= bytes.len() as u64;
            if unit > 1 {
                bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

fn opened(input: Input<'_>, inflated: bool, data_offset: u64) -> Result<Source<'_>, Refused> {
    let mut source = match input {
        Input::File(path) => Source::file(opened::open(path)?)?,
        Input::Bytes(bytes) => Source::bytes(bytes),
    };
    if inflated {
        source.skip(data_offset)?;
        source = source.inflated();
    }
    Ok(source)
}
