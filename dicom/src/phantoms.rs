//! Studies of people who do not exist: drawn, not recorded, so that they may be shown to anybody.
//!
//! Anna has two CT examinations of the thorax, three months apart, in which a nodule grows, and a
//! report that measures it; Bernhard an MR examination of the head; Clara an ultrasound image of the
//! liver. Modules and attributes are those of the real IODs (PS3.3), so every viewer shows them.
//! The same seed and time give the same bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use uuid::Uuid;

use super::moment::{UtcOffset, date_and_time};
use super::uid::Uid;
use super::write::Builder;

pub(crate) mod content;
mod head;
pub mod identities;
mod liver;
mod noise;
mod report;
mod stack;
mod thorax;

/// Under which the UIDs of phantoms are derived; any fixed UUID would do.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d1f_7a52_93c8_4f1e_8a7c_1b0e_64d2_9f30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How fine the images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// 256 x 256 pixels, 40 slices of a CT: what a demonstration shows.
    Full,
    /// 64 x 64 pixels, 8 slices: for tests.
    Small,
}

impl Detail {
    fn pixels(self) -> u16 {
        if self == Self::Full { 256 } else { 64 }
    }

    fn slices(self) -> u16 {
        if self == Self::Full { 40 } else { 8 }
    }
}

/// A study that was written.
#[derive(Debug, Clone)]
pub struct Phantom {
    /// What it is, for a person.
    pub title: &'static str,
    /// The folder that holds its files.
    pub folder: PathBuf,
    /// Patient ID in the files.
    pub patient_id: &'static str,
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// How many files there are.
    pub instances: usize,
}

/// Writes the studies into folders below `dir`. The latest is dated the day before `now`.
pub fn write(dir: &Path, seed: &str, now: SystemTime, detail: Detail) -> io::Result<Vec<Phantom>> {
    let uids = Uids(seed);
    let [first, second, head, liver] = examinations(now);
    let mut followed_up = thorax::slices(&second, uids, detail, thorax::NODULE_GROWN_MM)?;
    followed_up.push(report::measurements(&second, uids, detail)?);
    let studies = [
        (
            first,
            thorax::slices(&first, uids, detail, thorax::NODULE_MM)?,
        ),
        (second, followed_up),
        (head, head::slices(&head, uids, detail)?),
        (liver, vec![liver::image(&liver, uids)?]),
    ];
    studies
        .into_iter()
        .map(|(examination, files)| store(dir, &examination, uids, &files))
        .collect()
}

/// Who is examined when, and for what.
fn examinations(now: SystemTime) -> [Examination; 4] {
    let anna = Person {
        id: "HIL-1001",
        name: "Hilum^Anna",
        birth_date: "19610412",
        sex: "F",
    };
    let bernhard = Person {
        id: "HIL-1002",
        name: "Hilum^Bernhard",
        birth_date: "19480930",
        sex: "M",
    };
    let clara = Person {
        id: "HIL-1003",
        name: "Hilum^Clara",
        birth_date: "19890217",
        sex: "F",
    };
    let first = Examination {
        key: "ct-thorax-1",
        title: "CT of the thorax",
        person: anna,
        at: now - 92 * DAY,
        accession: "HA-24-0117",
        description: "CT thorax without contrast",
        procedure: ("169069000", "SCT", "CT of chest"),
        region: ("51185008", "SCT", "Chest"),
    };
    let second = Examination {
        key: "ct-thorax-2",
        title: "CT of the thorax, follow-up",
        at: now - DAY,
        accession: "HA-24-0388",
        ..first
    };
    let head = Examination {
        key: "mr-head",
        title: "MR of the head",
        person: bernhard,
        at: now - 10 * DAY,
        accession: "HA-24-0352",
        description: "MR head T1",
        procedure: ("816077007", "SCT", "MRI of brain"),
        region: ("69536005", "SCT", "Head"),
    };
    let liver = Examination {
        key: "us-liver",
        title: "Ultrasound of the liver",
        person: clara,
        at: now - 3 * DAY,
        accession: "HA-24-0379",
        description: "Ultrasound upper abdomen",
        procedure: ("45036003", "SCT", "Ultrasonography of abdomen"),
        region: ("113345001", "SCT", "Abdomen"),
    };
    [first, second, head, liver]
}

fn store(
    dir: &Path,
    examination: &Examination,
    uids: Uids<'_>,
    files: &[Vec<u8>],
) -> io::Result<Phantom> {
    let folder = dir.join(examination.key);
    fs::create_dir_all(&folder)?;
    for (index, file) in files.iter().enumerate() {
        fs::write(folder.join(format!("IM{:04}.dcm", index + 1)), file)?;
    }
    Ok(Phantom {
        title: examination.title,
        folder,
        patient_id: examination.person.id,
        study_instance_uid: examination.study_uid(uids),
        instances: files.len(),
    })
}

/// UIDs by what they identify.
#[derive(Clone, Copy)]
struct Uids<'a>(&'a str);

impl Uids<'_> {
    fn of(self, what: &str) -> Uid {
        Uid::from_uuid(Uuid::new_v5(
            &NAMESPACE,
            format!("{}/{what}", self.0).as_bytes(),
        ))
    }
}

#[derive(Clone, Copy)]
struct Person {
    id: &'static str,
    name: &'static str,
    birth_date: &'static str,
    sex: &'static str,
}

/// One visit of one person to the department.
#[derive(Clone, Copy)]
struct Examination {
    key: &'static str,
    title: &'static str,
    person: Person,
    at: SystemTime,
    accession: &'static str,
    description: &'static str,
    procedure: (&'static str, &'static str, &'static str),
    region: (&'static str, &'static str, &'static str),
}

/// What a series of an examination is.
struct SeriesWords<'a> {
    modality: &'a str,
    number: &'a str,
    description: &'a str,
    model: &'a str,
}

impl Examination {
    fn study_uid(&self, uids: Uids<'_>) -> Uid {
        uids.of(&format!("{}/study", self.key))
    }

    fn series_uid(&self, uids: Uids<'_>, modality: &str) -> Uid {
        uids.of(&format!("{}/{modality}", self.key))
    }

    fn instance_uid(&self, uids: Uids<'_>, modality: &str, number: usize) -> Uid {
        uids.of(&format!("{}/{modality}/{number}", self.key))
    }

    /// Patient, General Study, General Series, General Equipment and SOP Common modules.
    fn common(
        &self,
        uids: Uids<'_>,
        sop_class: &str,
        series: &SeriesWords<'_>,
        number: usize,
    ) -> Builder {
        let (date, time) = date_and_time(self.at, UtcOffset::default());
        Builder::new()
            .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
            .text(tags::INSTANCE_CREATION_DATE, VR::DA, &date)
            .text(tags::INSTANCE_CREATION_TIME, VR::TM, &time)
            .text(tags::SOP_CLASS_UID, VR::UI, sop_class)
            .text(
                tags::SOP_INSTANCE_UID,
                VR::UI,
                self.instance_uid(uids, series.modality, number).as_str(),
            )
            .text(tags::STUDY_DATE, VR::DA, &date)
            .text(tags::SERIES_DATE, VR::DA, &date)
            .text(tags::CONTENT_DATE, VR::DA, &date)
            .text(tags::STUDY_TIME, VR::TM, &time)
            .text(tags::SERIES_TIME, VR::TM, &time)
            .text(tags::CONTENT_TIME, VR::TM, &time)
            .text(tags::ACCESSION_NUMBER, VR::SH, self.accession)
            .text(tags::MODALITY, VR::CS, series.modality)
            .text(tags::MANUFACTURER, VR::LO, "Hilum")
            .text(
                tags::INSTITUTION_NAME,
                VR::LO,
                "Hilum Demonstration Hospital",
            )
            .text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Sender^Dora^^Dr")
            .text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "+0000")
            .text(tags::STUDY_DESCRIPTION, VR::LO, self.description)
            .code(tags::PROCEDURE_CODE_SEQUENCE, self.procedure)
            .text(tags::SERIES_DESCRIPTION, VR::LO, series.description)
            .text(tags::MANUFACTURER_MODEL_NAME, VR::LO, series.model)
            .text(tags::PATIENT_NAME, VR::PN, self.person.name)
            .text(tags::PATIENT_ID, VR::LO, self.person.id)
            .text(tags::PATIENT_BIRTH_DATE, VR::DA, self.person.birth_date)
            .text(tags::PATIENT_SEX, VR::CS, self.person.sex)
            .text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "0001")
            .text(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"))
            .text(
                tags::STUDY_INSTANCE_UID,
                VR::UI,
                self.study_uid(uids).as_str(),
            )
            .text(
                tags::SERIES_INSTANCE_UID,
                VR::UI,
                self.series_uid(uids, series.modality).as_str(),
            )
            .text(tags::STUDY_ID, VR::SH, self.accession)
            .text(tags::SERIES_NUMBER, VR::IS, series.number)
            .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
    }

    /// General Image and what else an image of a body part says.
    fn image(&self, body_part: &str, image_type: &str) -> Builder {
        Builder::new()
            .text(tags::IMAGE_TYPE, VR::CS, image_type)
            .code(tags::ANATOMIC_REGION_SEQUENCE, self.region)
            .text(tags::BODY_PART_EXAMINED, VR::CS, body_part)
            .text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO")
            .text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00")
    }
}
