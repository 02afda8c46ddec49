//! De-identification: from an object that names a patient to one that does not.
//!
//! DICOM PS3.15 annex E, the basic profile and its options, as data (`table.txt`). What no rule covers
//! is refused, not guessed: the caller puts it aside for a person to decide. The old file is walked
//! first and never changed; the new one is written beside it, with large values copied as a stream.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part15.html#chapter_E>

mod collect;
mod content;
mod identity;
mod kept;
pub mod nifti;
mod objects;
mod origin;
mod output;
mod patterns;
mod pixels;
mod plan;
mod private;
mod profile;
mod pseudonym;
mod rewrite;
mod statement;
mod table;
mod terms;
#[cfg(test)]
mod tests;
mod uids;
mod unknown;
mod value;
mod verdict;

use std::io::{self, Write};
use std::path::Path;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use collect::Collecting;
use identity::Identity;
use origin::{Input, Origin};
use output::{EXPLICIT_VR_LITTLE_ENDIAN, Writer};
use pixels::Blanking;
use plan::{Element, Planned, in_order};
use rewrite::{Place, Rewriting};

use super::text::CharacterSet;
use super::walk::{self, DataSet, Part10, WalkError};

pub use plan::Actions;
pub use profile::{DateShift, Options, Profile, Region, RegionRule, SafePrivate};
pub use pseudonym::{Key, Pseudonyms, WeakKey};
pub use statement::Report;

const DEFLATED: [&str; 2] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"];
const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Why an object was not de-identified. None of the texts repeats a value of the object.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file is broken or hostile.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The file could not be read, or the new one not be written.
    #[error("cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// An attribute for which there is no rule, or whose value the rule cannot be applied to.
    #[error("{tag} {name}: {why}")]
    Attribute {
        /// Which one.
        tag: Tag,
        /// Its keyword in the dictionary, `Private` or `Unknown`.
        name: &'static str,
        /// For the person who decides.
        why: &'static str,
    },
    /// An object into which nobody here can look.
    #[error("refused: {0}")]
    Closed(&'static str),
    /// The profile cannot be used.
    #[error("the profile cannot be used: {0}")]
    BadProfile(String),
}

impl Refused {
    fn attribute(tag: Tag, why: &'static str) -> Self {
        let entry = StandardDataDictionary.by_tag(tag);
        let name = match entry {
            _ if tag.group() % 2 == 1 => "Private",
            Some(entry) => entry.alias(),
            None => "Unknown",
        };
        Self::Attribute { tag, name, why }
    }

    /// Whether it is the object that is refused, and a person may decide otherwise; `false` if the
    /// disk, the profile or the file's bytes are at fault.
    pub const fn is_a_decision(&self) -> bool {
        matches!(self, Self::Attribute { .. } | Self::Closed(_))
    }
}

/// De-identifies a Part 10 file. What has been written when it is refused is to be thrown away. The
/// same file, profile and key give the same bytes.
pub fn file(
    path: &Path,
    output: &mut impl Write,
    profile: &Profile,
    key: &Key,
) -> Result<Report, Refused> {
    profile.check()?;
    let old = walk::whole_file(path)?;
    rewritten(&old, Input::File(path), output, profile, key)
}

/// As [`file()`], for a file that is in memory.
pub fn bytes(bytes: &[u8], profile: &Profile, key: &Key) -> Result<(Vec<u8>, Report), Refused> {
    profile.check()?;
    let old = walk::whole(bytes)?;
    let mut output = Vec::with_capacity(bytes.len());
    let report = rewritten(&old, Input::Bytes(bytes), &mut output, profile, key)?;
    Ok((output, report))
}

fn rewritten(
    old: &Part10,
    input: Input<'_>,
    output: &mut impl Write,
    profile: &Profile,
    key: &Key,
) -> Result<Report, Refused> {
    objects::refuse_closed(old, profile)?;
    objects::refuse_faces(&old.data, profile)?;
    let regions = objects::regions(&old.data, profile)?;
    let blanked = regions.is_some();
    let blanking = match regions {
        Some(regions) if !regions.is_empty() => Some(Blanking::of(&old.data, regions)?),
        _ => None,
    };
    let pseudonyms = Pseudonyms::new(key, profile);
    let characters = characters(&old.data)?;
    let subject = subject(&old.data, &characters)?;
    let signed = old.data.number(tags::PIXEL_REPRESENTATION) == Some(1.0);
    let identity = identity(&old.data, &characters, profile, signed)?;
    let patient = pseudonyms.patient(&subject);
    let mut rewriting = Rewriting {
        profile,
        pseudonyms: &pseudonyms,
        identity: &identity,
        patient: &patient,
        days: pseudonyms.days(&subject),
        signed,
        done: Actions::default(),
    };
    let place = Place::top(&characters);
    let mut elements = statement::elements(profile, blanked);
    elements.extend(rewriting.data_set(&old.data, place)?);
    in_order(&mut elements);
    if blanking.is_some() {
        // They point to where compressed frames were.
        elements.retain(|it| {
            !matches!(
                it.tag,
                tags::EXTENDED_OFFSET_TABLE | tags::EXTENDED_OFFSET_TABLE_LENGTHS
            )
        });
    }
    rewriting.done.regions = blanking.as_ref().map_or(0, Blanking::regions);
    let transfer_syntax = transfer_syntax(old, &elements)?;
    let report = statement::report(
        &elements,
        &patient,
        profile,
        transfer_syntax,
        rewriting.done,
    )?;
    let mut writer = Writer {
        out: output,
        origin: Origin::open(input, old)?,
        rewriting: &rewriting,
        characters: &characters,
        big_endian: old.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN,
        pixel_bytes: (old.data.number(tags::BITS_ALLOCATED).unwrap_or_default() / 8.0) as usize,
        transfer_syntax,
        blanking,
    };
    writer.beginning(&report.sop_class_uid, &report.sop_instance_uid)?;
    writer.data_set(elements)?;
    Ok(report)
}

/// What is said about the patient goes by this: Patient ID, or if there is none, the study.
fn subject(data: &DataSet, characters: &CharacterSet) -> Result<String, Refused> {
    let text = |tag| characters.text(data, tag);
    let found = text(tags::PATIENT_ID)
        .or_else(|| text(tags::STUDY_INSTANCE_UID))
        .or_else(|| text(tags::SOP_INSTANCE_UID));
    found.ok_or_else(|| Refused::attribute(tags::PATIENT_ID, "nothing says whose object this is"))
}

/// The character set of an object; refused if it is one that cannot be read, because names in it
/// could not be found.
fn characters(data: &DataSet) -> Result<CharacterSet, Refused> {
    let set = CharacterSet::of(data);
    if CharacterSet::is_known(data) {
        Ok(set)
    } else {
        Err(Refused::attribute(
            tags::SPECIFIC_CHARACTER_SET,
            "an unknown character set",
        ))
    }
}

fn identity(
    data: &DataSet,
    characters: &CharacterSet,
    profile: &Profile,
    signed: bool,
) -> Result<Identity, Refused> {
    let mut collecting = Collecting {
        options: &profile.options,
        signed,
        identity: Identity::default(),
    };
    collecting.data_set(data, characters, None)?;
    Ok(collecting.identity)
}

/// Compressed pixels stay as they are; everything else is written in one way.
fn transfer_syntax<'a>(old: &'a Part10, elements: &[Element]) -> Result<&'a str, Refused> {
    let mut values = elements.iter().map(|element| &element.value);
    let native = [
        "1.2.840.10008.1.2",
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED[0],
    ];
    let is_native = native.contains(&old.transfer_syntax_uid.as_str());
    let encapsulated = values.any(|value| matches!(value, Planned::Fragments(_)));
    match (encapsulated, is_native) {
        (true, true) => Err(Refused::attribute(
            tags::PIXEL_DATA,
            "compressed in a transfer syntax that is not",
        )),
        (true, false) => Ok(&old.transfer_syntax_uid),
        (false, false) if old.data.get(tags::PIXEL_DATA).is_some() => Err(Refused::attribute(
            tags::PIXEL_DATA,
            "not compressed in a transfer syntax that is",
        )),
        _ => Ok(EXPLICIT_VR_LITTLE_ENDIAN),
    }
}
