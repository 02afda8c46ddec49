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

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use uuid::Uuid;

use super::moment::{UtcOffset, date_and_time};
use super::uid::Uid;
use super::write::Builder;

mod head;
mod liver;
mod noise;
mod report;
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
    followed_up.push(report::nodule(&second, uids, detail)?);
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

/// An axial stack: Frame of Reference, Image Plane and VOI LUT modules.
struct Stack {
    pixels: u16,
    slices: u16,
    field_mm: f64,
    spacing_mm: f64,
    window: (i32, i32),
}

impl Stack {
    fn pixel_mm(&self) -> f64 {
        self.field_mm / f64::from(self.pixels)
    }

    /// Height of a slice above the middle of the stack; the first is the lowest.
    fn z(&self, slice: u16) -> f64 {
        (f64::from(slice) - (f64::from(self.slices) - 1.0) / 2.0) * self.spacing_mm
    }

    /// Centre of the first pixel, from the middle of the image, in both directions.
    fn origin(&self) -> f64 {
        (self.pixel_mm() - self.field_mm) / 2.0
    }

    /// The slice's values, row by row from the front left corner (the patient's right).
    fn draw(&self, slice: u16, value: impl Fn(Point) -> f64) -> Vec<u16> {
        let (origin, step, z) = (self.origin(), self.pixel_mm(), self.z(slice));
        let mut values = Vec::with_capacity(usize::from(self.pixels) * usize::from(self.pixels));
        for row in 0..self.pixels {
            for column in 0..self.pixels {
                let at = Point {
                    x: origin + f64::from(column) * step,
                    y: origin + f64::from(row) * step,
                    z,
                };
                values.push(value(at).clamp(0.0, 4095.0).round() as u16);
            }
        }
        values
    }

    fn plane(&self, uids: Uids<'_>, examination: &Examination, slice: u16) -> Builder {
        let (origin, z, step) = (self.origin(), self.z(slice), self.pixel_mm());
        Builder::new()
            .text(tags::SLICE_THICKNESS, VR::DS, &self.spacing_mm.to_string())
            .text(
                tags::SPACING_BETWEEN_SLICES,
                VR::DS,
                &self.spacing_mm.to_string(),
            )
            .text(tags::PATIENT_POSITION, VR::CS, "HFS")
            .text(tags::ACQUISITION_NUMBER, VR::IS, "1")
            .text(
                tags::IMAGE_POSITION_PATIENT,
                VR::DS,
                &format!("{origin}\\{origin}\\{z}"),
            )
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
            .text(
                tags::FRAME_OF_REFERENCE_UID,
                VR::UI,
                uids.of(&format!("{}/frame", examination.key)).as_str(),
            )
            .text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "")
            .text(tags::SLICE_LOCATION, VR::DS, &z.to_string())
            .text(tags::PIXEL_SPACING, VR::DS, &format!("{step}\\{step}"))
            .text(tags::WINDOW_CENTER, VR::DS, &self.window.0.to_string())
            .text(tags::WINDOW_WIDTH, VR::DS, &self.window.1.to_string())
    }
}

/// Draws the slices of a stack on as many threads as there are processors.
fn drawn_in_parallel(
    slices: u16,
    slice: impl Fn(u16) -> io::Result<Vec<u8>> + Sync,
) -> io::Result<Vec<Vec<u8>>> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8) as u16);
    let share = slices.div_ceil(threads).max(1);
    let slice = &slice;
    std::thread::scope(|scope| {
        let draw =
            |from: u16| scope.spawn(move || (from..slices.min(from + share)).map(slice).collect());
        let workers: Vec<_> = (0..slices).step_by(usize::from(share)).map(draw).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, io::Result<Vec<_>>>| {
            worker.join().expect("drawing does not panic")
        };
        let shares: Vec<Vec<_>> = workers.into_iter().map(join).collect::<io::Result<_>>()?;
        Ok(shares.into_iter().flatten().collect())
    })
}

/// A place in the patient in millimetres: to the left, to the back, to the head.
#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
    z: f64,
}

impl Point {
    /// Below one inside the ellipsoid.
    fn in_ellipsoid(self, centre: [f64; 3], axes: [f64; 3]) -> f64 {
        let part = |value: f64, index: usize| ((value - centre[index]) / axes[index]).powi(2);
        part(self.x, 0) + part(self.y, 1) + part(self.z, 2)
    }

    /// Below one inside the upright cylinder.
    fn in_column(self, centre: [f64; 2], axes: [f64; 2]) -> f64 {
        ((self.x - centre[0]) / axes[0]).powi(2) + ((self.y - centre[1]) / axes[1]).powi(2)
    }
}

/// Image Pixel module of a grey image with 12 bits in 16.
fn twelve_bits(pixels: u16, values: Vec<u16>) -> Builder {
    grey(pixels, pixels, 16, 12).value(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into()))
}

fn grey(rows: u16, columns: u16, allocated: u16, stored: u16) -> Builder {
    let number = |number: u16| PrimitiveValue::from(number);
    Builder::new()
        .value(tags::SAMPLES_PER_PIXEL, VR::US, number(1))
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .value(tags::ROWS, VR::US, number(rows))
        .value(tags::COLUMNS, VR::US, number(columns))
        .value(tags::BITS_ALLOCATED, VR::US, number(allocated))
        .value(tags::BITS_STORED, VR::US, number(stored))
        .value(tags::HIGH_BIT, VR::US, number(stored - 1))
        .value(tags::PIXEL_REPRESENTATION, VR::US, number(0))
}
