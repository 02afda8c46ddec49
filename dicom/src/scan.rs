//! A folder of DICOM files as studies.
//!
//! Every file that is left out is named with the reason. The result does not depend on the order in
//! which a file system lists its files, nor on how many threads read them.

mod grouping;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::acquisition::Acquired;
use super::instance::{
    self, Accession, ImageSize, Instance, Order, Patient, SeriesFacts, StudyFacts,
};
use super::manifest::KeyObjects;
use super::measurements::Measured;
use super::moment::UtcOffset;
use super::opened;
use super::quality::InstanceFacts;
use super::rejection::{Note, Title};
use super::specimens::Specimen;
use super::uid::Uid;
use super::walk::{self, Part10};

use grouping::Grouping;
use listing::Listing;

/// More threads bring nothing: reading headers soon waits for the disk.
const MAX_THREADS: usize = 4;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Its studies, by Study Instance UID.
    pub studies: Vec<Study>,
    /// Files that are in no study.
    pub left_out: Vec<LeftOut>,
    /// What is worth saying and no failure, such as a DICOMDIR that was not needed.
    pub notes: Vec<String>,
    /// Files that did not pass.
    pub kept_back: Vec<KeptBack>,
    /// What its rejection notes take back, also of studies that it does not hold.
    pub taken_back: Vec<TakenBack>,
}

/// An instance that did not pass.
#[derive(Debug)]
pub struct KeptBack {
    /// The file.
    pub path: PathBuf,
    /// What it says about itself.
    pub instance: Instance,
    /// Why: sentences for a person.
    pub reasons: Vec<String>,
}

/// Looks at a file that was walked whole, may note something in what is known of it, and says why it
/// does not pass; nothing if it passes.
pub type Inspect<'a> = dyn Fn(&Part10, &mut Instance) -> Vec<String> + Sync + 'a;

/// A file that is in no study, and why.
#[derive(Debug)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// A sentence for a person.
    pub reason: String,
}

/// How the reasons begin of files and folders of which nobody knows what they hold.
const UNREADABLE: [&str; 2] = ["cannot be read: ", "folder cannot be listed: "];

impl LeftOut {
    /// Whether it could not be read, so that it may belong to a study: a disk that fails, or a file that others may not
    /// read.
    pub fn is_unreadable(&self) -> bool {
        UNREADABLE.iter().any(|it| self.reason.starts_with(it))
    }
}

/// The instances that carry one Study Instance UID.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Study Instance UID.
    pub uid: Uid,
    /// The patient, as its first instance has them.
    pub patient: Patient,
    /// The study, as its first instance has it.
    pub facts: StudyFacts,
    /// Every accession number in it.
    pub accessions: Vec<Accession>,
    /// Every order in it.
    #[serde(default)]
    pub orders: Vec<Order>,
    /// By series number, then UID.
    pub series: Vec<Series>,
    /// SOP Instance UIDs that rejection notes take back. None of them is in `series`.
    #[serde(default)]
    pub rejected: BTreeSet<Uid>,
    /// Why, for those of `rejected` whose note was in the same scan: the strictest of their notes.
    #[serde(default)]
    pub rejected_as: BTreeMap<Uid, Title>,
}

/// The instances of a study that carry one Series Instance UID.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Series Instance UID.
    pub uid: Uid,
    /// The series, as its first instance has it.
    pub facts: SeriesFacts,
    /// How it was made, as all its instances say.
    #[serde(default, skip_serializing_if = "Acquired::is_empty")]
    pub acquired: Acquired,
    /// By instance number, then UID.
    pub instances: Vec<StoredInstance>,
}

/// An instance and the file that holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredInstance {
    /// SOP Instance UID.
    pub sop_instance_uid: Uid,
    /// SOP Class UID.
    pub sop_class_uid: Uid,
    /// Transfer syntax as stored.
    pub transfer_syntax_uid: Uid,
    /// Instance Number.
    pub number: Option<i64>,
    /// Where it is.
    pub place: Place,
    /// Rows, Columns and Number of Frames, of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ImageSize>,
    /// What a key object selection selects its instances as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_objects: Option<KeyObjects>,
    /// What was measured, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// The specimens that it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specimens: Vec<Specimen>,
    /// The collection into which it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// What rules for the whole study need of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Box<InstanceFacts>>,
}

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In a file.
    File {
        /// Absolute.
        path: PathBuf,
        /// The file as it was when it was read.
        stamp: Stamp,
    },
    /// In another archive, which is known by this name.
    Archive(String),
}

impl Place {
    /// The file, if it is in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Archive(_) => None,
        }
    }
}

/// Size and modification time of a file: enough to notice that it is no longer the file it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: u64,
}

impl Stamp {
    /// The stamp of a file as it is now.
    pub fn of(metadata: &fs::Metadata) -> io::Result<Self> {
        let modified = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            size: metadata.len(),
            modified: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The stamp of a file as it is now. Its size is that of its content, however it is kept.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let size = opened::open(path)?.length()?;
        let metadata = fs::metadata(path)?;
        Ok(Self {
            size,
            ..Self::of(&metadata)?
        })
    }
}

impl Series {
    /// The series of an instance, without any instance.
    pub fn of(first: &Instance) -> Self {
        Self {
            uid: first.series_instance_uid.clone(),
            facts: first.series.clone(),
            acquired: Acquired::default(),
            instances: Vec::new(),
        }
    }
}

impl Study {
    /// The study of an instance, without any instance.
    pub fn of(first: &Instance) -> Self {
        Self {
            uid: first.study_instance_uid.clone(),
            patient: first.patient.clone(),
            facts: first.study.clone(),
            accessions: Vec::new(),
            orders: Vec::new(),
            series: Vec::new(),
            rejected: BTreeSet::new(),
            rejected_as: BTreeMap::new(),
        }
    }

    /// Adds an instance that is not in it. Series and instances are brought into their order by
    /// [`sort`](Self::sort).
    pub fn add(&mut self, instance: Instance, place: Place) -> &StoredInstance {
        for accession in instance.accessions {
            if !self.accessions.contains(&accession) {
                self.accessions.push(accession);
            }
        }
        for order in instance.orders {
            if !self.orders.contains(&order) {
                self.orders.push(order);
            }
        }
        let uid = instance.series_instance_uid;
        // Instances of one series come one after the other.
        let at = self.series.iter().rposition(|it| it.uid == uid);
        let at = at.unwrap_or_else(|| {
            self.series.push(Series {
                uid,
                facts: instance.series,
                acquired: Acquired::default(),
                instances: Vec::new(),
            });
            self.series.len() - 1
        });
        let series = &mut self.series[at];
        series.acquired.add(&instance.acquired);
        let instances = &mut series.instances;
        instances.push(StoredInstance {
            sop_instance_uid: instance.sop_instance_uid,
            sop_class_uid: instance.sop_class_uid,
            transfer_syntax_uid: instance.transfer_syntax_uid,
            number: instance.instance_number,
            place,
            size: instance.size,
            key_objects: instance.key_objects,
            measured: instance.measured,
            specimens: instance.specimens,
            collection: instance.collection,
            judged: instance.judged.map(Box::new),
        });
        &instances[instances.len() - 1]
    }

    /// Its instances, series by series.
    pub fn instances(&self) -> impl Iterator<Item = &StoredInstance> {
        self.series.iter().flat_map(|series| &series.instances)
    }

    /// Notes that an instance is taken back.
    pub fn reject(&mut self, instance: Uid, title: Title) {
        let known = self.rejected_as.entry(instance.clone()).or_insert(title);
        *known = known.stricter(title);
        self.rejected.insert(instance);
    }

    /// Takes away what was rejected, and series of which nothing is left.
    pub fn drop_rejected(&mut self) {
        let Self {
            series, rejected, ..
        } = self;
        for series in &mut *series {
            series
                .instances
                .retain(|instance| !rejected.contains(&instance.sop_instance_uid));
        }
        series.retain(|series| !series.instances.is_empty());
    }

    /// Brings series and instances into their order.
    pub fn sort(&mut self) {
        self.series
            .sort_by(|a, b| (a.facts.number, &a.uid).cmp(&(b.facts.number, &b.uid)));
        for series in &mut self.series {
            let order =
                |instance: &StoredInstance| (instance.number, instance.sop_instance_uid.clone());
            series.instances.sort_by_key(order);
        }
    }

    /// Its own offset from UTC, or else the one that is usual in its department.
    pub fn utc_offset(&self, usual: UtcOffset) -> UtcOffset {
        self.facts
            .utc_offset
            .as_deref()
            .and_then(|text| UtcOffset::parse(text).ok())
            .unwrap_or(usual)
    }
}

/// The files below a folder, by name. What cannot be listed is left out.
pub fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut listing = Listing::default();
    listing.root(root)?;
    listing.files.sort();
    Ok(listing.files)
}

/// Scans folders and single files. `progress` is told after every file how many of how many are
/// read. Fails only if one of them itself cannot be listed.
pub fn scan(roots: &[PathBuf], progress: &(dyn Fn(usize, usize) + Sync)) -> io::Result<Scan> {
    scan_and_inspect(roots, &|_, _| Vec::new(), progress)
}

/// As [`scan()`], with somebody who looks at every instance.
pub fn scan_and_inspect(
    roots: &[PathBuf],
    inspect: &Inspect<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> io::Result<Scan> {
    let mut listing = Listing::default();
    for root in roots {
        listing.root(root)?;
    }
    listing.files.sort();
    listing.files.dedup();
    let found = read_all(&listing.files, inspect, progress);
    let mut scan = Scan {
        left_out: listing.left_out,
        notes: listing.notes,
        ..Scan::default()
    };
    let mut grouping = Grouping::default();
    for (path, found) in listing.files.into_iter().zip(found) {
        let found = match found {
            Ok((found, reasons)) if reasons.is_empty() => Ok(found),
            Ok((found, reasons)) => {
                let instance = found.instance;
                scan.kept_back.push(KeptBack {
                    path,
                    instance,
                    reasons,
                });
                continue;
            }
            Err(reason) => Err(reason),
        };
        if let Err(reason) = found.and_then(|found| grouping.add(found, &path)) {
            scan.left_out.push(LeftOut { path, reason });
        }
    }
    scan.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    if grouping.copies > 0 {
        scan.notes.push(format!(
            "{} identical copies of instances were ignored",
            grouping.copies
        ));
    }
    scan.taken_back = std::mem::take(&mut grouping.rejected);
    scan.studies = grouping.finished(&scan.taken_back);
    Ok(scan)
}

/// What a file says, and why it does not pass.
type Header = Result<(Found, Vec<String>), String>;

/// What was read of a file.
#[derive(Debug)]
pub struct Found {
    /// What it says about itself.
    pub instance: Instance,
    /// The file as it was.
    pub stamp: Stamp,
    /// What it takes back, if it is a rejection note.
    pub rejects: Option<TakenBack>,
}

/// Reads the headers on a few threads; the answers are in the order of the files.
fn read_all(
    files: &[PathBuf],
    inspect: &Inspect<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Header> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS));
    let share = files.len().div_ceil(threads).max(1);
    let done = AtomicUsize::new(0);
    let read_share = |share: &[PathBuf]| -> Vec<Header> {
        let one = |path: &PathBuf| {
            // A file that makes a library fail is a bad file like others.
            let found = catch_unwind(AssertUnwindSafe(|| inspected(path, inspect)))
                .unwrap_or_else(|_| Err("reading it failed unexpectedly".to_owned()));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
            found
        };
        share.iter().map(one).collect()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(share)
            .map(|share| scope.spawn(move || read_share(share)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("panics of readers were caught"))
            .collect()
    })
}

fn inspected(path: &Path, inspect: &Inspect<'_>) -> Header {
    let stamp = Stamp::of_file(path);
    let stamp = stamp.map_err(|error| format!("cannot be read: {error}"))?;
    let file = walk::whole_file(path).map_err(|error| error.to_string())?;
    let mut found = found(&file, stamp)?;
    let reasons = inspect(&file, &mut found.instance);
    Ok((found, reasons))
}

/// What a rejection note takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// Why.
    pub title: Title,
    /// Study and SOP Instance UIDs.
    pub instances: Vec<(Uid, Uid)>,
}

/// Reads one file, or says in a sentence why it is no instance.
pub fn read_one(path: &Path) -> Result<Found, String> {
    inspected(path, &|_, _| Vec::new()).map(|(found, _)| found)
}

/// What a file that was walked whole says.
pub fn found(file: &Part10, stamp: Stamp) -> Result<Found, String> {
    let instance = instance::of(file).map_err(|error| error.to_string())?;
    let note = match instance.key_objects {
        Some(_) => Note::of(file).map_err(|error| error.to_string())?,
        None => None,
    };
    let rejects = note.map(|note| TakenBack {
        title: note.title,
        instances: note
            .instances()
            .map(|(study, it)| (study.clone(), it.clone()))
            .collect(),
    });
    Ok(Found {
        instance,
        stamp,
        rejects,
    })
}
