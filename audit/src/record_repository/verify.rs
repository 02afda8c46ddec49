//! Looking at the folder of a log, without the process that writes it: is every record the one that was
//! signed for?
//!
//! Three things must agree: the records, whose hashes are computed anew; the file of their hashes; and
//! the signed heads, each of which is the root of a beginning of the log. Since all roots are computed
//! from one list of hashes, heads that agree with it are consistent with each other. Where records and
//! their file of hashes differ, the heads say which of them is right, and the place of the difference
//! is the number of the record.

mod difference;
mod reading;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use hilum_security::at_rest::has_keys;
use hilum_security::signing::PublicKey;

use super::head::{Head, Heads, hex};
use super::log::LogError;
use super::tree::Peaks;
use reading::{Hashes, Scan};

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A record is another than the one that was kept.
    Changed(u64),
    /// Records are gone that were kept.
    Removed(Range<u64>),
    /// So are the last ones.
    Truncated(Range<u64>),
    /// There are records that were never kept, before the record with this number.
    Inserted {
        /// What they stand before.
        before: u64,
        /// How many there are.
        count: u64,
    },
    /// A record stands where another one was.
    Reordered {
        /// Its number.
        record: u64,
        /// The place where it stands.
        at: u64,
    },
    /// The hash of a record was changed, and the record was not.
    Hash(u64),
    /// Records were not signed for as they are, and their hashes were changed to fit. Which of these
    /// is not known.
    Rewritten {
        /// The records among which there is one that was changed.
        among: Range<u64>,
        /// When the head was signed that says so.
        signed: String,
    },
    /// Bytes of a file are no record.
    Garbage {
        /// The first record of the file.
        segment: u64,
        /// Where they begin.
        at: u64,
        /// How many there are.
        bytes: u64,
    },
    /// A file of records cannot be opened, though there are keys: its key is missing, or its header was
    /// changed. Nobody knows whether its records are those that their hashes stand for.
    Locked {
        /// The first record of the file.
        segment: u64,
        /// Why it cannot be opened.
        why: String,
    },
    /// Records were removed and the log does not say so.
    Unsaid(Range<u64>),
    /// A head is not signed by the key.
    NotSigned {
        /// Of what size it is.
        size: u64,
        /// When it says that it was signed.
        time: String,
    },
    /// A head is of another log.
    OtherLog {
        /// The log that it names.
        log: String,
    },
    /// A line of the file of heads is no head.
    NoHead(usize),
    /// There are records, and no head was ever signed.
    NoHeads,
    /// A head is older and has more records than one before it.
    Shrunk {
        /// The size of the later one.
        size: u64,
        /// When it was signed.
        time: String,
    },
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The name of the log.
    pub log: String,
    /// How many records there ever were.
    pub size: u64,
    /// The number of the first that is still there.
    pub begin: u64,
    /// The root of them all, in hexadecimal.
    pub root: String,
    /// How many heads were signed.
    pub heads: usize,
    /// How many records the last of them covers.
    pub covered: u64,
    /// Bytes at the end that are an unfinished record, as a crash leaves it.
    pub unfinished: u64,
    /// Records that are encrypted and that nobody here can open. Their hashes were taken as they stand
    /// beside them: whether the records have them is not known. Where there are keys, that is a finding too.
    pub locked: u64,
    /// Everything that is not as it was; nothing if all is well.
    pub findings: Vec<Finding>,
}

/// Looks at the log in `store`. Heads must be signed by `key`; `elsewhere` are heads that were kept
/// outside of the log. Where keys are [installed](has_keys), everything that is encrypted must open; where
/// there are none, its hashes are verified only.
///
/// # Errors
/// If files cannot be read: nothing is known then.
pub fn verify(store: &Path, key: &PublicKey, elsewhere: &[Head]) -> Result<Verification, LogError> {
    let path = store.join("log.id");
    let log = std::fs::read_to_string(&path).map_err(LogError::at(&path))?;
    let log = log.trim().to_owned();
    let mut findings = Vec::new();
    let heads = Heads::of(store).read()?;
    let heads = checked(heads, &mut findings);
    let count = heads.len();
    let mut signed = trusted(&log, key, heads, &mut findings);
    signed.extend(trusted(&log, key, elsewhere.to_vec(), &mut findings));
    signed.sort_by_key(|head| head.size);
    let covered = signed.last().map_or(0, |head| head.size);
    // Before the records, which may grow meanwhile.
    let hashes = Hashes::open(store)?;
    let scan = Scan::of(store, hashes, covered)?;
    if signed.is_empty() && scan.end > 0 {
        findings.push(Finding::NoHeads);
    }
    let size = scan.end;
    let (begin, unfinished) = (scan.begin, scan.unfinished);
    let mut compare = Compare::new(signed);
    let (found, said, locked) = scan.compare(&mut compare)?;
    let (root, of_heads) = compare.finish(size);
    // What the heads say decides what a difference between records and hashes means.
    findings.extend(judged(found, &of_heads));
    findings.extend(of_heads.into_iter().map(|(finding, _)| finding));
    // Without keys, what is encrypted may say so.
    if begin > said && (locked == 0 || has_keys()) {
        findings.push(Finding::Unsaid(said..begin));
    }
    Ok(Verification {
        log,
        size,
        begin,
        root,
        heads: count,
        covered,
        unfinished,
        locked,
        findings,
    })
}

/// The heads that can be read, and whether they only ever grow.
fn checked(heads: Vec<Result<Head, usize>>, findings: &mut Vec<Finding>) -> Vec<Head> {
    let mut checked: Vec<Head> = Vec::new();
    for head in heads {
        let head = match head {
            Ok(head) => head,
            Err(line) => {
                findings.push(Finding::NoHead(line));
                continue;
            }
        };
        if checked.last().is_some_and(|last| last.size > head.size) {
            let (size, time) = (head.size, head.time.clone());
            findings.push(Finding::Shrunk { size, time });
        }
        checked.push(head);
    }
    checked
}

/// The heads of this log that the key signed.
fn trusted(log: &str, key: &PublicKey, heads: Vec<Head>, findings: &mut Vec<Finding>) -> Vec<Head> {
    let mut trusted = Vec::new();
    for head in heads {
        if head.log != log {
            findings.push(Finding::OtherLog { log: head.log });
        } else if !head.is_signed_by(key) {
            let Head { size, time, .. } = head;
            findings.push(Finding::NotSigned { size, time });
        } else {
            trusted.push(head);
        }
    }
    trusted
}

/// A difference between records and hashes is the records' fault unless the heads say that the
/// records are right.
fn judged(found: Vec<Finding>, of_heads: &[(Finding, bool)]) -> Vec<Finding> {
    let hashes_are_wrong = |record: u64| {
        of_heads.iter().any(|(finding, records_fit)| match finding {
            Finding::Rewritten { among, .. } => *records_fit && among.contains(&record),
            _ => false,
        })
    };
    let judge = |finding| match finding {
        Finding::Changed(record) if hashes_are_wrong(record) => Finding::Hash(record),
        other => other,
    };
    found.into_iter().map(judge).collect()
}

/// Compares heads with the roots of the hashes and of the records, leaf by leaf.
struct Compare {
    heads: VecDeque<Head>,
    hashes: Peaks,
    /// As far as every place has its record.
    records: Option<Peaks>,
    /// The size of the last head that was right.
    right: u64,
    found: Vec<(Finding, bool)>,
    /// A head was wrong: those after it are wrong too, and say nothing more.
    wrong: bool,
}

impl Compare {
    fn new(heads: Vec<Head>) -> Self {
        Self {
            heads: heads.into(),
            hashes: Peaks::default(),
            records: Some(Peaks::default()),
            right: 0,
            found: Vec::new(),
            wrong: false,
        }
    }

    /// The next leaf: its hash in the file, and that of the record at its place.
    fn push(&mut self, hash: super::tree::Hash, record: Option<super::tree::Hash>) {
        self.look();
        self.hashes.push(hash);
        match (&mut self.records, record) {
            (Some(records), Some(record)) => records.push(record),
            (records, _) => *records = None,
        }
    }

    /// Compares the heads of the present size.
    fn look(&mut self) {
        let size = self.hashes.size();
        while self.heads.front().is_some_and(|head| head.size <= size)
            && let Some(head) = self.heads.pop_front()
        {
            let root = head.root_hash();
            if root == Some(self.hashes.root()) {
                self.right = size;
                self.wrong = false;
                continue;
            }
            let of_records = self.records.as_ref().map(Peaks::root);
            let records_fit = of_records.is_some() && of_records == root;
            if !self.wrong {
                let among = self.right..size;
                let signed = head.time;
                let finding = Finding::Rewritten { among, signed };
                self.found.push((finding, records_fit));
            }
            self.wrong = true;
        }
    }

    /// The root, and what was found of heads, with whether the records fit.
    fn finish(mut self, size: u64) -> (String, Vec<(Finding, bool)>) {
        self.look();
        debug_assert_eq!(self.hashes.size(), size);
        if let Some(head) = self.heads.pop_back() {
            self.found
                .push((Finding::Truncated(size..head.size), false));
        }
        (hex(&self.hashes.root()), self.found)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = |range: &Range<u64>| match range.end - range.start {
            1 => format!("record {}", range.start),
            _ => format!("records {} to {}", range.start, range.end - 1),
        };
        match self {
            Self::Changed(record) => write!(out, "record {record} was changed"),
            Self::Removed(range) => write!(out, "{}: removed", records(range)),
            Self::Truncated(range) => write!(out, "{}: missing at the end", records(range)),
            Self::Inserted { before, count: 1 } => {
                write!(out, "a record was inserted before record {before}")
            }
            Self::Inserted { before, count } => {
                write!(out, "{count} records were inserted before record {before}")
            }
            Self::Reordered { record, at } => {
                write!(
                    out,
                    "record {record} was moved: it stands at the place of record {at}"
                )
            }
            Self::Hash(record) => write!(
                out,
                "the hash of record {record} was changed; the record is as it was signed for"
            ),
            Self::Rewritten { among, signed } => write!(
                out,
                "{}: not what was signed for at {signed}",
                records(among)
            ),
            Self::Garbage { segment, at, bytes } => write!(
                out,
                "{bytes} bytes are no record, from byte {at} of the file that begins with record \
                 {segment}"
            ),
            Self::Locked { segment, why } => write!(
                out,
                "the file that begins with record {segment} cannot be opened, so its records are not \
                 verified: {why}"
            ),
            Self::Unsaid(range) => {
                write!(
                    out,
                    "{}: not there, and the log does not say that their time was over",
                    records(range)
                )
            }
            Self::NotSigned { size, time } => write!(
                out,
                "the head of {size} records of {time} is not signed by the key"
            ),
            Self::OtherLog { log } => write!(out, "a head is of another log, {log}"),
            Self::NoHead(line) => write!(out, "line {line} of the file of heads is no head"),
            Self::NoHeads => write!(out, "there is no signed head, so nothing is proven"),
            Self::Shrunk { size, time } => write!(
                out,
                "the head of {time} has {size} records, fewer than one before it"
            ),
        }
    }
}
