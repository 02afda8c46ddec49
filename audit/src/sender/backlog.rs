//! What a receiver does not have yet.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hilum_security::at_rest::journal::SEALED;
use hilum_security::at_rest::{HEADER, is_damaged};

use crate::moment::Moment;
use crate::sender::cursor::{Cursor, Places};
use crate::sender::reader::spools;
use crate::sender::target::Target;
use crate::spool::frames::Frames;
use crate::spool::{Position, SpoolError, segment};

/// What a receiver is not known to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// So many records.
    pub records: u64,
    /// So many bytes.
    pub bytes: u64,
    /// When the oldest of them was recorded.
    pub oldest: Option<SystemTime>,
    /// When the receiver was last known to have got further.
    pub confirmed: Option<SystemTime>,
}

/// What was counted of whole segments into which nothing is written any more.
pub(super) type Counts = HashMap<PathBuf, Backlog>;

impl Backlog {
    /// How long ago the oldest record was made.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let oldest = self.oldest?;
        Some(now.duration_since(oldest).unwrap_or_default())
    }

    /// What the receiver at `target` does not have of the spool in `own` and of those below
    /// `clients`, as its cursor says. Nothing is changed, and the node may run.
    pub fn of(own: &Path, clients: &Path, target: &Target) -> Result<Self, SpoolError> {
        let cursor = Cursor::of(own, target);
        let places = cursor.read()?;
        let mut backlog = Self::from_places(own, clients, &places, &mut Counts::new())?;
        backlog.confirmed = cursor.written();
        Ok(backlog)
    }

    pub(super) fn from_places(
        own: &Path,
        clients: &Path,
        places: &Places,
        counts: &mut Counts,
    ) -> Result<Self, SpoolError> {
        let mut backlog = Self::default();
        for (name, folder) in spools(own, clients)? {
            let place = places.get(&name).copied().unwrap_or_default();
            backlog.add(&folder, place, counts)?;
        }
        Ok(backlog)
    }

    fn add(
        &mut self,
        folder: &Path,
        place: Position,
        counts: &mut Counts,
    ) -> Result<(), SpoolError> {
        let numbers = segment::numbers(folder)?;
        // A spool that was thrown away begins again.
        let last = numbers.last().copied().unwrap_or_default();
        let begins_again = last < place.segment;
        for number in numbers {
            if number < place.segment && !begins_again {
                continue;
            }
            let from = if number == place.segment {
                place.offset
            } else {
                0
            };
            let path = segment::path(folder, number);
            // It was removed meanwhile.
            if !path.exists() {
                continue;
            }
            if from > 0 || number == last {
                let counted = Self::count(&path, from);
                self.plus(&counted.map_err(SpoolError::at(&path))?);
            } else if let Some(counted) = counts.get(&path) {
                self.plus(counted);
            } else {
                let counted = Self::count(&path, 0).map_err(SpoolError::at(&path))?;
                self.plus(&counted);
                counts.insert(path, counted);
            }
        }
        Ok(())
    }

    fn plus(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.oldest = match (self.oldest, other.oldest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Counts the records of a segment from an offset on.
    fn count(path: &Path, from: u64) -> io::Result<Self> {
        let mut counted = Self::default();
        let mut file = File::open(path)?;
        let frames = match segment::frames(&file, path) {
            // Nobody can read its records.
            Err(error) if is_damaged(&error) => return Ok(counted),
            // They wait until their key is there.
            Err(error) if is_locked(&error) => None,
            frames => Some(frames?),
        };
        let begin = frames.as_ref().map_or(HEADER, Frames::begin);
        let more = frames.as_ref().map_or(SEALED, Frames::more);
        let from = from.max(begin);
        let length = file.metadata()?.len();
        if from >= length {
            return Ok(counted);
        }
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let mut left = length - from;
        while left > 0 {
            let place = length - left;
            let Some((prefix, octets)) = frame_length(&mut reader)? else {
                break;
            };
            let message = octets.checked_sub(more as u64);
            let (Some(rest), Some(message)) = (left.checked_sub(prefix + octets), message) else {
                break;
            };
            left = rest;
            // They stand in the order in which they were recorded.
            if let Some(frames) = frames.as_ref().filter(|_| counted.oldest.is_none()) {
                let first = usize::try_from(octets).map_err(io::Error::other)?;
                let mut first = vec![0; first];
                reader.read_exact(&mut first)?;
                let message = frames.message(place, &first)?;
                counted.oldest = message.and_then(|message| timestamp(&message));
            } else {
                reader.seek_relative(i64::try_from(octets).unwrap_or(i64::MAX))?;
            }
            counted.records += 1;
            counted.bytes += message;
        }
        Ok(counted)
    }
}

/// Whether a key is not there, or another one bears its name.
fn is_locked(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData
    )
}

/// The bytes that the count of a frame takes, and what it says; nothing if that is no count.
fn frame_length(reader: &mut impl BufRead) -> io::Result<Option<(u64, u64)>> {
    let mut digits = Vec::with_capacity(9);
    reader.by_ref().take(9).read_until(b' ', &mut digits)?;
    let Some(number) = digits.strip_suffix(b" ") else {
        return Ok(None);
    };
    let number = std::str::from_utf8(number).ok();
    let number = number.and_then(|number| number.parse().ok());
    Ok(number.map(|number| (digits.len() as u64, number)))
}

/// When a message was made: its second word.
fn timestamp(message: &[u8]) -> Option<SystemTime> {
    let word = message.split(|byte| *byte == b' ').nth(1)?;
    Moment::parse(std::str::from_utf8(word).ok()?).map(Moment::time)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_left_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path();
        let clients = own.join("clients");
        let frame = |minute: u32| {
            let xml = "<AuditMessage></AuditMessage>";
            let time = format!("2026-01-01T00:{minute:02}:00.000Z");
            let message = format!("<85>1 {time} host hilum 1 IHE+RFC-3881 - {xml}");
            format!("{} {message}", message.len())
        };
        let (length, message) = (frame(1).len() as u64, frame(1).len() as u64 - 3);
        let text: String = (1..=10).map(frame).collect();
        fs::write(segment::path(own, 1), &text).unwrap();
        fs::write(segment::path(own, 2), format!("{}12 <85", frame(11))).unwrap();
        fs::create_dir_all(clients.join("1")).unwrap();
        fs::write(segment::path(&clients.join("1"), 1), frame(12)).unwrap();
        let of = |places: &Places| {
            Backlog::from_places(own, &clients, places, &mut Counts::new()).unwrap()
        };
        let all = of(&Places::new());
        assert_eq!((all.records, all.bytes), (12, 12 * message));
        let minute = |minute| Moment::parse(&format!("2026-01-01T00:{minute:02}:00.000Z"));
        assert_eq!(all.oldest, minute(1).map(Moment::time));
        let place = Position {
            segment: 1,
            offset: 7 * length,
        };
        let some = of(&Places::from([(".".to_owned(), place)]));
        assert_eq!(some.records, 5);
        assert_eq!(some.oldest, minute(8).map(Moment::time));
        let now = minute(38).map(Moment::time).unwrap();
        assert_eq!(some.age(now), Some(Duration::from_secs(30 * 60)));
        let end = |segment| Position {
            segment,
            offset: length,
        };
        let none = Places::from([(".".to_owned(), end(2)), ("clients/1".to_owned(), end(1))]);
        assert_eq!(of(&none), Backlog::default());
        let target = "syslog+tls://nowhere.example".parse().unwrap();
        assert_eq!(Backlog::of(own, &clients, &target).unwrap(), all);
    }
}
