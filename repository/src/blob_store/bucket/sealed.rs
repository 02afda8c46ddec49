//! Documents whose key is in their label: where their bytes are, and what they say.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use hilum_security::at_rest::{DataKey, FRAME, Geometry, Opening};

use crate::blob_store::container::{Hidden, Label};

/// A key as it stands in a label: the bytes of a frame, and the key.
pub(super) fn key_text(key: &DataKey) -> Hidden {
    Hidden(format!("{FRAME}:{}", key.to_text()))
}

/// Nothing if the document is plain. Who can write its label can write such a one, which is why labels of
/// plain documents are refused where everything must be encrypted.
fn key_of(label: &Label) -> io::Result<Option<(DataKey, Geometry)>> {
    let Some(Hidden(text)) = &label.data_key else {
        return Ok(None);
    };
    let read = || {
        let (frame, key) = text.split_once(':')?;
        let geometry = Geometry::read(frame.parse().ok()?, label.size)?;
        Some((DataKey::from_text(key)?, geometry))
    };
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "a label has no key of ours");
    read().map(Some).ok_or_else(unknown)
}

/// How long an object is.
pub(super) fn stored_size(label: &Label) -> io::Result<u64> {
    let key = key_of(label)?;
    Ok(key.map_or(label.size, |(_, geometry)| geometry.sealed_length()))
}

/// Where a range of the document is in the object. It begins where a frame does.
pub(super) fn stored_range(label: &Label, range: &Range<u64>) -> io::Result<Range<u64>> {
    let Some((_, geometry)) = key_of(label)? else {
        return Ok(range.clone());
    };
    let frames = geometry.covering(range);
    let last = geometry.place(frames.end.saturating_sub(1));
    Ok(geometry.place(frames.start).start..last.end)
}

/// What the bytes of a range say, which begins where a frame does and ends so or with the document.
pub(super) fn opened(label: &Label, range: Range<u64>, stored: &Bytes) -> io::Result<Bytes> {
    let Some((key, geometry)) = key_of(label)? else {
        return Ok(stored.clone());
    };
    let frames = match geometry.length() {
        0 => 0..1,
        _ => geometry.covering(&range),
    };
    let begin = geometry.place(frames.start).start;
    let mut opening = Opening::new(&key)?;
    let mut content = Vec::with_capacity(stored.len());
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    for number in frames {
        let place = geometry.place(number);
        let from = usize::try_from(place.start - begin).map_err(io::Error::other)?;
        let to = usize::try_from(place.end - begin).map_err(io::Error::other)?;
        let frame = stored.get(from..to).ok_or_else(short)?;
        opening.open(number, geometry.is_last(number), frame, &mut content)?;
    }
    Ok(content.into())
}
