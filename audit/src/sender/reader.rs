//! Reading on in spools that grow: the node's own and those of the programs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hilum_security::at_rest::is_damaged;
use tokio::sync::watch;

use crate::sender::cursor::Places;
use crate::spool::frames::{Found, Frames};
use crate::spool::records::{damaged, ends_early, not_there, passed_over};
use crate::spool::{Position, SpoolError, segment};

/// The node's own spool, as cursors call it.
const OWN: &str = ".";
/// Bytes that are read at once. Longer records take as many as they need.
const CHUNK: usize = 256 * 1024;
/// A frame's length prefix and more: nothing longer is a frame.
const LONGEST: usize = crate::syslog::MESSAGE_BYTES + 64;

/// Some records, in the order in which they were recorded.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The frames as they stand in a plain spool, which is as RFC 5425 sends them.
    pub(super) bytes: Vec<u8>,
    /// Where each message is among the bytes, without the count of its octets.
    pub(super) messages: Vec<std::ops::Range<usize>>,
    /// How far was read when these had been read.
    pub(super) places: Places,
}

/// Reads on in several spools.
#[derive(Debug)]
pub(super) struct Reader {
    /// The folder of the node's spool.
    own: PathBuf,
    /// The folder of the spools of programs beside it.
    clients: PathBuf,
    /// How far the node's own records are durable, if they are written in this process.
    durable: Option<watch::Receiver<Position>>,
    tails: Vec<Tail>,
    places: Places,
    /// Segments of each spool of which it was said that records are missing. It is not said again when they
    /// are read again.
    told: BTreeMap<String, BTreeSet<u64>>,
}

impl Reader {
    pub(super) fn new(
        own: &Path,
        clients: &Path,
        durable: Option<watch::Receiver<Position>>,
    ) -> Self {
        Self {
            own: own.to_owned(),
            clients: clients.to_owned(),
            durable,
            tails: Vec::new(),
            places: Places::new(),
            told: BTreeMap::new(),
        }
    }

    /// Reads from these places on.
    pub(super) fn seek(&mut self, places: Places) {
        let tails = self.tails.drain(..);
        self.told.extend(tails.map(|tail| (tail.name, tail.told)));
        self.places = places;
    }

    /// The next records, at most so many: those of the node first, then those of each program. There
    /// are none if everything was read.
    pub(super) fn batch(&mut self, most: usize) -> Result<Batch, SpoolError> {
        for (name, folder) in spools(&self.own, &self.clients)? {
            if self.tails.iter().all(|tail| tail.name != name) {
                let place = self.places.get(&name).copied().unwrap_or_default();
                let told = self.told.get(&name).cloned().unwrap_or_default();
                self.tails.push(Tail::at(name, folder, place, told)?);
            }
        }
        let mut batch = Batch::default();
        let durable = self.durable.as_ref().map(|durable| *durable.borrow());
        for tail in &mut self.tails {
            let durable = durable.filter(|_| tail.name == OWN);
            let read = tail.read(&mut batch, most, durable);
            if batch.messages.is_empty() {
                read?;
            }
            // What went wrong behind them is met again by who asks for more.
            self.places.insert(tail.name.clone(), tail.place);
            if batch.messages.len() >= most {
                break;
            }
        }
        batch.places.clone_from(&self.places);
        Ok(batch)
    }
}

/// All spools of a node that exist, by the names that cursors have for them.
pub(crate) fn spools(own: &Path, clients: &Path) -> Result<Vec<(String, PathBuf)>, SpoolError> {
    let mut spools = Vec::new();
    if own.is_dir() {
        spools.push((OWN.to_owned(), own.to_owned()));
    }
    let entries = match fs::read_dir(clients) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(spools),
        Err(error) => return Err(SpoolError::at(clients)(error)),
    };
    let mut of_programs = Vec::new();
    for entry in entries {
        let path = entry.map_err(SpoolError::at(clients))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name
            && path.is_dir()
        {
            of_programs.push((format!("clients/{name}"), path));
        }
    }
    of_programs.sort();
    spools.extend(of_programs);
    Ok(spools)
}

/// One spool that is read on.
#[derive(Debug)]
struct Tail {
    name: String,
    folder: PathBuf,
    place: Position,
    /// Segments of which it was said that records are missing.
    told: BTreeSet<u64>,
}

impl Tail {
    /// Reads on from `place`. If no record begins there, because the spool is another one than it was
    /// or lost its end with the power, the whole segment is read again.
    fn at(
        name: String,
        folder: PathBuf,
        place: Position,
        told: BTreeSet<u64>,
    ) -> Result<Self, SpoolError> {
        let path = segment::path(&folder, place.segment);
        let mut tail = Self {
            name,
            folder,
            place,
            told,
        };
        if place.offset > 0 && path.exists() {
            let boundary = begins(&path, place.offset).map_err(SpoolError::at(&path))?;
            if !boundary {
                let segment = path.display();
                tracing::warn!(%segment, "it is not what was sent of it: all of it is sent again");
                tail.place.offset = 0;
            }
        }
        Ok(tail)
    }

    /// Adds records to a batch until it has `most`, or enough bytes.
    fn read(
        &mut self,
        batch: &mut Batch,
        most: usize,
        durable: Option<Position>,
    ) -> Result<(), SpoolError> {
        while batch.messages.len() < most && batch.bytes.len() < CHUNK {
            // Whether there is a next segment is asked before this one is read for the last time: only
            // then nothing is written into it any more.
            let numbers = segment::numbers(&self.folder)?;
            let here = numbers.contains(&self.place.segment);
            let next = numbers.iter().copied().find(|it| *it > self.place.segment);
            let mut rest = false;
            if here {
                let (added, partial) = self.read_segment(batch, most, durable, next.is_some())?;
                if added {
                    continue;
                }
                rest = partial;
            }
            // A spool that was thrown away begins again.
            let restart = numbers.first().copied().filter(|_| !here);
            let Some(segment) = next.or(restart) else {
                return Ok(());
            };
            if durable.is_some_and(|durable| segment > durable.segment) {
                return Ok(());
            }
            let path = segment::path(&self.folder, self.place.segment);
            // What comes after it was written when everything in it was whole.
            let lost = rest || here && segment::is_empty(&path);
            if lost && self.told.insert(self.place.segment) {
                ends_early(&path, self.place.offset);
            }
            let first = self.place.segment + u64::from(here);
            if self.place.segment > 0
                && let Some(missing) = segment::missing(&self.folder, first..segment)
                && self.told.insert(missing)
            {
                not_there(&segment::path(&self.folder, missing), segment - missing);
            }
            self.place = Position { segment, offset: 0 };
        }
        Ok(())
    }

    /// Adds records of the current segment, and says whether there were any and whether something
    /// stands there that is no record, or not yet. `over` says that nothing more is written into it.
    fn read_segment(
        &mut self,
        batch: &mut Batch,
        most: usize,
        durable: Option<Position>,
        over: bool,
    ) -> Result<(bool, bool), SpoolError> {
        let path = segment::path(&self.folder, self.place.segment);
        let end = match durable {
            Some(durable) if durable.segment == self.place.segment => durable.offset,
            Some(durable) if durable.segment < self.place.segment => return Ok((false, false)),
            _ => u64::MAX,
        };
        let at = |error| SpoolError::at(&path)(error);
        let file = File::open(&path).map_err(at)?;
        let frames = match segment::frames(&file, &path) {
            Err(error) if is_damaged(&error) => {
                // It is looked at again and again if nothing follows.
                if self.told.insert(self.place.segment) {
                    passed_over(&path);
                }
                return Ok((false, false));
            }
            frames => frames.map_err(at)?,
        };
        self.place.offset = self.place.offset.max(frames.begin());
        let limit = usize::try_from(end.saturating_sub(self.place.offset)).unwrap_or(usize::MAX);
        let mut wanted = CHUNK.min(limit);
        loop {
            let bytes = read_at(&file, self.place.offset, wanted, durable.is_none());
            let bytes = bytes.map_err(at)?;
            let mut used = 0;
            let mut partial = false;
            while batch.messages.len() < most {
                let place = self.place.offset + used as u64;
                match frames.first(place, &bytes[used..]).map_err(at)? {
                    Found::Record(message, length) => {
                        batch.add(&message);
                        used += length;
                    }
                    Found::Damaged(length) => {
                        let behind = place + length as u64;
                        // Of a spool of this process, and of one that is over, all was whole once. So was
                        // what another process has written something behind.
                        let was_whole = over
                            || durable.is_some()
                            || follows(&file, &frames, behind).map_err(at)?;
                        if !was_whole {
                            break;
                        }
                        damaged(&path, place);
                        used += length;
                    }
                    Found::Partial => {
                        partial = true;
                        break;
                    }
                    Found::Garbage => break,
                }
            }
            self.place.offset += used as u64;
            let longer =
                used == 0 && bytes.len() == wanted && wanted < LONGEST.min(limit) && partial;
            if !longer {
                return Ok((used > 0, used < bytes.len()));
            }
            wanted = wanted.saturating_mul(4).min(LONGEST.min(limit));
        }
    }
}

impl Batch {
    fn add(&mut self, message: &[u8]) {
        self.bytes
            .extend_from_slice(message.len().to_string().as_bytes());
        self.bytes.push(b' ');
        let start = self.bytes.len();
        self.bytes.extend_from_slice(message);
        self.messages.push(start..self.bytes.len());
    }
}

/// Some bytes of a file; made durable before they are given if nobody else has seen to that, so that
/// nothing is sent which is not here.
fn read_at(file: &File, offset: u64, wanted: usize, sync: bool) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().saturating_sub(offset);
    let length = usize::try_from(there).unwrap_or(usize::MAX).min(wanted);
    let mut bytes = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(&mut bytes[read..], offset + read as u64)? {
            0 => break,
            count => read += count,
        }
    }
    bytes.truncate(read);
    if sync && read > 0 {
        file.sync_data()?;
    }
    Ok(bytes)
}

/// Whether a whole frame begins at `offset`.
fn follows(file: &File, frames: &Frames, offset: u64) -> io::Result<bool> {
    let bytes = read_at(file, offset, LONGEST, false)?;
    Ok(frames.skip(&bytes).is_some())
}

/// Whether a record begins, or the segment ends, at `offset`.
fn begins(path: &Path, offset: u64) -> io::Result<bool> {
    let bytes = fs::read(path)?;
    let frames = match segment::frames(&File::open(path)?, path) {
        // None of its records can be read.
        Err(error) if is_damaged(&error) => return Ok(true),
        frames => frames?,
    };
    let mut at = frames.begin();
    while at < offset {
        let place = usize::try_from(at).map_err(io::Error::other)?;
        let Some(length) = frames.skip(bytes.get(place..).unwrap_or_default()) else {
            break;
        };
        at += length as u64;
    }
    Ok(at == offset)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use hilum_security::at_rest::{HEADER, KeyRing};

    use super::*;
    use crate::sender::Backlog;
    use crate::spool::Spool;

    fn frame(number: usize, length: usize) -> Vec<u8> {
        let xml = format!(
            "<AuditMessage>{number} {}</AuditMessage>",
            "x".repeat(length)
        );
        let message = format!("<85>1 2026-01-01T00:00:00Z host hilum 1 IHE+RFC-3881 - {xml}");
        format!("{} {message}", message.len()).into_bytes()
    }

    fn write(folder: &Path, number: u64, bytes: &[u8]) {
        fs::create_dir_all(folder).unwrap();
        let path = segment::path(folder, number);
        let mut file = File::options();
        let mut file = file.create(true).append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn numbers(batch: &Batch) -> Vec<usize> {
        let number = |range: &std::ops::Range<usize>| {
            let text = std::str::from_utf8(&batch.bytes[range.clone()]).unwrap();
            assert!(text.starts_with("<85>1 ") && text.ends_with("</AuditMessage>"));
            let (_, xml) = text.split_once("<AuditMessage>").unwrap();
            xml.split(' ').next().unwrap().parse().unwrap()
        };
        batch.messages.iter().map(number).collect()
    }

    fn all(reader: &mut Reader) -> Vec<usize> {
        let mut found = Vec::new();
        loop {
            let batch = reader.batch(7).unwrap();
            if batch.messages.is_empty() {
                return found;
            }
            found.extend(numbers(&batch));
        }
    }

    #[test]
    fn records_are_read_as_they_come_and_again_from_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("audit");
        let clients = own.join("clients");
        let mut reader = Reader::new(&own, &clients, None);
        assert!(all(&mut reader).is_empty());
        for number in 0..20 {
            write(&own, 1, &frame(number, 100));
        }
        assert_eq!(all(&mut reader), (0..20).collect::<Vec<_>>());
        let place = reader.batch(1).unwrap().places;
        // A long one, half of one, and what follows in a new segment.
        write(&own, 1, &frame(20, 3 * CHUNK));
        let half = frame(21, 1000);
        write(&own, 1, &half[..500]);
        assert_eq!(all(&mut reader), [20]);
        write(&own, 1, &half[500..]);
        write(&own, 2, &frame(22, 10));
        write(&clients.join("1"), 1, &frame(23, 10));
        assert_eq!(all(&mut reader), [21, 22, 23]);
        reader.seek(place);
        assert_eq!(all(&mut reader), [20, 21, 22, 23]);
        reader.seek(Places::new());
        assert_eq!(all(&mut reader), (0..24).collect::<Vec<_>>());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        /// Whatever stands in a spool, and wherever one begins to read, it ends, and what follows in the
        /// next segment is read; so it is with counting.
        #[test]
        fn any_spool_is_read(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            offset in 0_u64..400,
            whole in 0_usize..3,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let own = folder.path();
            let clients = own.join("clients");
            for number in 0..whole {
                write(own, 1, &frame(number, 20));
            }
            write(own, 1, &bytes);
            write(own, 2, &frame(7, 20));
            let mut reader = Reader::new(own, &clients, None);
            let places = Places::from([(OWN.to_owned(), Position { segment: 1, offset })]);
            reader.seek(places.clone());
            let read = all(&mut reader);
            assert_eq!(read.last(), Some(&7));
            let counts = &mut crate::sender::backlog::Counts::new();
            let left = Backlog::from_places(own, &clients, &places, counts);
            assert!(left.unwrap().records >= 1);
        }
    }

    /// What cannot be read keeps nothing that can: what is before it comes first, and what is damaged is
    /// passed over, also if only other files show that its key is the right one.
    #[tokio::test]
    async fn a_file_that_does_not_open_keeps_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ring = crate::spool::tests::encrypted::ring(folder.path());
        let own = folder.path().join("audit");
        let clients = own.join("clients");
        for number in 1..=4 {
            let spool = Spool::open_with(&own, HEADER + 1, Some(&ring)).unwrap();
            spool.append(frame(number, 20)).await.unwrap();
        }
        let path = segment::path(&own, 2);
        let whole = fs::read(&path).unwrap();
        let changed = |byte: usize| {
            let mut changed = whole.clone();
            changed[byte] ^= 1;
            fs::write(&path, changed).unwrap();
            // As after a start: no key has opened anything yet.
            let ring = KeyRing::open(&ring.folder(), None).unwrap();
            ring.install();
            Reader::new(&own, &clients, None)
        };
        let left = || {
            let counts = &mut crate::sender::backlog::Counts::new();
            let left = Backlog::from_places(&own, &clients, &Places::new(), counts);
            left.unwrap().records
        };
        assert_eq!(all(&mut changed(60)), [1, 3, 4]);
        assert_eq!(left(), 3);
        assert_eq!(
            segment::damaged_files(&own).unwrap(),
            std::slice::from_ref(&path)
        );
        // Without its key, it waits, and is counted.
        let mut reader = changed(16);
        let before = reader.batch(7).unwrap();
        assert_eq!(numbers(&before), [1]);
        for _ in 0..2 {
            assert!(reader.batch(7).is_err());
        }
        assert_eq!(left(), 4);
        fs::write(&path, &whole).unwrap();
        assert_eq!(all(&mut reader), [2, 3, 4]);
    }

    /// The same comes out of an encrypted spool as of a plain one, from any place on, and no record is
    /// too long.
    #[tokio::test]
    async fn what_is_encrypted_is_read_as_what_is_plain() {
        let folder = tempfile::tempdir().unwrap();
        let ring = crate::spool::tests::encrypted::ring(folder.path());
        let nowhere = folder.path().join("clients");
        let at = |name: &str| folder.path().join(name);
        let opened = |name: &str, ring| Spool::open_with(&at(name), 3_000_000, ring).unwrap();
        let spools = [opened("plain", None), opened("sealed", Some(&ring))];
        for spool in &spools {
            for number in 0..300 {
                let length = match number {
                    100 => 2_000_000,
                    101 => 400_000,
                    _ => 20_000,
                };
                spool.append(frame(number, length)).await.unwrap();
            }
        }
        let read = |name: &str| {
            let mut reader = Reader::new(&at(name), &nowhere, None);
            let mut messages: Vec<Vec<u8>> = Vec::new();
            loop {
                let batch = reader.batch(37).unwrap();
                if batch.messages.is_empty() {
                    return messages;
                }
                let message = |range: &std::ops::Range<usize>| batch.bytes[range.clone()].to_vec();
                messages.extend(batch.messages.iter().map(message));
                reader.seek(batch.places);
            }
        };
        let plain = read("plain");
        assert_eq!(plain.len(), 300);
        assert!(plain == read("sealed"));
        let target = "syslog+tls://nowhere.example".parse().unwrap();
        let backlog = |name: &str| Backlog::of(&at(name), &nowhere, &target).unwrap();
        assert_eq!(backlog("plain"), backlog("sealed"));
        assert_eq!(backlog("sealed").records, 300);
        assert!(backlog("sealed").oldest.is_some());
    }

    /// A changed record of another program's last segment holds nothing up, once something is written behind it.
    #[tokio::test]
    async fn a_changed_record_is_passed_over_when_another_follows() {
        let folder = tempfile::tempdir().unwrap();
        let ring = crate::spool::tests::encrypted::ring(folder.path());
        let (own, clients) = (folder.path().join("audit"), folder.path().join("clients"));
        let client = clients.join("1");
        let path = segment::path(&client, 1);
        let spool = Spool::open_with(&client, 1 << 30, Some(&ring)).unwrap();
        let mut ends = Vec::new();
        // The second is longer than what is read at once.
        for (number, length) in [(0, 50), (1, 2 * CHUNK), (2, 50), (3, 50)] {
            spool.append(frame(number, length)).await.unwrap();
            ends.push(usize::try_from(fs::metadata(&path).unwrap().len()).unwrap());
        }
        drop(spool);
        let whole = fs::read(&path).unwrap();
        let changed = |ends: &[usize]| {
            let mut bytes = whole.clone();
            ends.iter().for_each(|end| bytes[end - 1] ^= 1);
            fs::write(&path, bytes).unwrap();
            all(&mut Reader::new(&own, &clients, None))
        };
        assert_eq!(changed(&[]), [0, 1, 2, 3]);
        assert_eq!(changed(&ends[1..2]), [0, 2, 3]);
        assert_eq!(changed(&ends[..3]), [3]);
        // Nothing is behind the last yet: it may still be written.
        assert_eq!(changed(&ends[3..]), [0, 1, 2]);
        write(&client, 2, &frame(4, 50));
        assert_eq!(changed(&ends[3..]), [0, 1, 2, 4]);
    }

    #[test]
    fn only_what_is_durable_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, durable) = watch::channel(Position::default());
        let clients = folder.path().join("clients");
        let mut reader = Reader::new(folder.path(), &clients, Some(durable));
        let first = frame(1, 50);
        write(folder.path(), 1, &first);
        write(folder.path(), 1, &frame(2, 50));
        assert!(all(&mut reader).is_empty());
        let offset = first.len() as u64;
        sender.send_replace(Position { segment: 1, offset });
        assert_eq!(all(&mut reader), [1]);
        write(folder.path(), 2, &frame(3, 50));
        sender.send_replace(Position { segment: 2, offset });
        assert_eq!(all(&mut reader), [2, 3]);
    }

    #[test]
    fn damage_and_another_spool_are_survived() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path();
        let clients = own.join("clients");
        let mut reader = Reader::new(own, &clients, None);
        for number in 0..3 {
            write(own, 4, &frame(number, 50));
        }
        write(own, 4, &[0; 100]);
        write(own, 5, &frame(3, 50));
        assert_eq!(all(&mut reader), [0, 1, 2, 3]);
        // In the middle of a record, and after the end.
        for offset in [7, 1_000_000] {
            let place = Position { segment: 4, offset };
            reader.seek(Places::from([(OWN.to_owned(), place)]));
            assert_eq!(all(&mut reader), [0, 1, 2, 3], "{offset}");
        }
        // A segment that is gone: those that are left.
        for (segment, expected) in [(1, vec![0, 1, 2, 3]), (9, vec![0, 1, 2, 3])] {
            let place = Position {
                segment,
                offset: 77,
            };
            reader.seek(Places::from([(OWN.to_owned(), place)]));
            assert_eq!(all(&mut reader), expected, "{segment}");
        }
    }
}
