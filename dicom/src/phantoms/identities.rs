//! Objects full of identities, and what must become of each: the measure of de-identification.
//!
//! People, hospitals and numbers are made up from a seed and planted wherever devices and people put
//! them: in attributes of all kinds and at all levels, in comments, private blocks, reports, pixels and
//! file names. Each object comes with an answer key in the words of the MIDI-B challenge (text removed,
//! date shifted, UID consistent, ...), for the profile that [`profile`] gives.

mod derived;
mod documents;
mod images;
mod letters;
mod people;
mod sheet;
mod subject;
mod volume;

use dicom_core::Tag;
use serde::Serialize;

use crate::deidentify::{DateShift, Options, Profile, Region, RegionRule};
use crate::write::WriteError;

use people::{Person, Random};

pub use volume::{PlantedVolume, volumes};

/// An object with planted identities.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Where a file of it would be; the path names the patient too.
    pub path: String,
    /// Number of the patient; all dates of one are shifted alike.
    pub patient: usize,
    /// The Part 10 file.
    pub bytes: Vec<u8>,
    /// Texts of which none may be left anywhere in the new file.
    pub identities: Vec<String>,
    /// What must become of it; `None` if it must be refused.
    pub required: Option<Vec<Required>>,
}

/// What must become of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Required {
    /// Sequences and the numbers of their items, from the outermost, then the attribute (with 0).
    #[serde(serialize_with = "written_path")]
    pub path: Vec<(Tag, usize)>,
    /// What must be so.
    pub action: Action,
}

/// An answer of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The attribute is there.
    TagRetained,
    /// The attribute has a value.
    TextNotnull,
    /// Its value still has this text.
    TextRetained(String),
    /// Its value, if there is one, has this text no more.
    TextRemoved(String),
    /// This date (or date and time) is as many days earlier or later as all of the patient's.
    DateShifted(String),
    /// This UID stands there no more.
    UidChanged(String),
    /// What stands there instead stands for this UID in all objects.
    UidConsistent(String),
    /// What stands there instead stands for this patient in all objects, and for no other.
    PatidConsistent(String),
    /// Nothing is to be seen in the rectangle.
    PixelsHidden(Region),
    /// Outside of the rectangles all pixels are what they were.
    PixelsRetained(Vec<Region>),
}

fn written_path<S: serde::Serializer>(
    path: &[(Tag, usize)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let steps: Vec<String> = path
        .iter()
        .map(|(tag, item)| format!("{tag}[{item}]"))
        .collect();
    serializer.collect_str(&steps.join("/"))
}

/// Where the made-up ultrasound device and the made-up frame grabber write the patient's name.
pub(super) const HEADLINE: Region = Region {
    x: 0,
    y: 0,
    width: 160,
    height: 16,
};

/// The profile for which the answer keys are.
pub fn profile() -> Profile {
    let rule = |modality: &str| RegionRule {
        manufacturer: Some("Hilum".to_owned()),
        modality: Some(modality.to_owned()),
        rows: Some(120),
        columns: Some(160),
        regions: vec![HEADLINE],
        ..RegionRule::default()
    };
    Profile {
        key: "measure".to_owned(),
        prefix: "M-".to_owned(),
        options: Options {
            retain_safe_private: true,
            retain_patient_characteristics: true,
            modified_dates: true,
            clean_descriptors: true,
            clean_structured_content: true,
            clean_graphics: true,
            clean_pixel_data: true,
            ..Options::default()
        },
        date_shift: DateShift::default(),
        regions: vec![rule("US"), rule("OT")],
        ..Profile::default()
    }
}

/// The objects of as many patients, twelve for each. The same seed gives the same bytes.
pub fn objects(seed: u64, patients: usize) -> Result<Vec<Planted>, WriteError> {
    let mut objects = Vec::new();
    for number in 0..patients {
        let mut random = Random::new(seed, number as u64);
        let person = Person::new(&mut random, number);
        objects.extend(images::of(&person, &mut random)?);
        objects.extend(derived::of(&person, &mut random)?);
    }
    Ok(objects)
}
