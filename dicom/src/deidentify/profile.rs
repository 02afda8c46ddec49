//! What a collection asks for: options, device rules for pixels, private attributes that may stay.

use std::sync::LazyLock;

use dicom_core::Tag;
use serde::{Deserialize, Serialize};

use super::Refused;

/// How objects are de-identified on their way into a collection. Written by an operator, in TOML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The name under which the operator keeps the [`Key`](super::Key); its bytes are never here.
    pub key: String,
    /// What begins every pseudonym of a patient.
    pub prefix: String,
    /// Options of PS3.15 annex E.3.
    pub options: Options,
    /// By how many days dates may be shifted, if they are.
    pub date_shift: DateShift,
    /// Private attributes that may stay, beside those of the standard's list.
    pub safe_private: Vec<SafePrivate>,
    /// Where devices burn text into pixels.
    pub regions: Vec<RegionRule>,
    /// SOP Class UIDs of objects that are taken although nobody can look into what they carry
    /// (documents, video, sound): only where it is known that no patient is in there.
    pub accepted_unseen: Vec<String>,
    /// Burned In Annotation (0028,0301) = NO is believed of ultrasound and secondary captures too.
    pub trust_burned_in_no: bool,
}

/// The options of PS3.15 annex E.3; without any of them it is the basic profile alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// 113111: private attributes that are known to be safe stay.
    pub retain_safe_private: bool,
    /// 113110: UIDs stay.
    pub retain_uids: bool,
    /// 113109: serial numbers, station names and calibration dates of devices stay.
    pub retain_device_identity: bool,
    /// 113112: names and addresses of institutions stay.
    pub retain_institution_identity: bool,
    /// 113108: sex, age (at most 90), size, weight, ethnic group and the like stay.
    pub retain_patient_characteristics: bool,
    /// 113106: dates and times stay.
    pub full_dates: bool,
    /// 113107: dates are shifted by a number of days that is the patient's own; times stay.
    pub modified_dates: bool,
    /// 113105: descriptions and comments are cleaned instead of removed.
    pub clean_descriptors: bool,
    /// 113104: text in structured reports is cleaned instead of replaced.
    pub clean_structured_content: bool,
    /// 113103: text of graphic annotations is cleaned instead of replaced.
    pub clean_graphics: bool,
    /// 113101: text burned into pixels is blanked where [`Profile::regions`] say it is.
    pub clean_pixel_data: bool,
    /// 113102: nothing here can do that, so only objects which say that it has been done are taken.
    pub clean_recognizable_visual_features: bool,
}

impl Options {
    /// By the letter of the column in the table.
    pub(super) const fn has(&self, letter: char) -> bool {
        match letter {
            'u' => self.retain_uids,
            'd' => self.retain_device_identity,
            'i' => self.retain_institution_identity,
            'c' => self.retain_patient_characteristics,
            'f' => self.full_dates,
            'm' => self.modified_dates,
            'e' => self.clean_descriptors,
            's' => self.clean_structured_content,
            'g' => self.clean_graphics,
            _ => false,
        }
    }

    /// Codes of PS3.16 CID 7050 that say what was done, in the order of their numbers.
    pub fn codes(&self) -> Vec<(&'static str, &'static str)> {
        let all = [
            (true, "113100", "Basic Application Confidentiality Profile"),
            (self.clean_pixel_data, "113101", "Clean Pixel Data Option"),
            (
                self.clean_recognizable_visual_features,
                "113102",
                "Clean Recognizable Visual Features Option",
            ),
            (self.clean_graphics, "113103", "Clean Graphics Option"),
            (
                self.clean_structured_content,
                "113104",
                "Clean Structured Content Option",
            ),
            (self.clean_descriptors, "113105", "Clean Descriptors Option"),
            (
                self.full_dates,
                "113106",
                "Retain Longitudinal Temporal Information Full Dates Option",
            ),
            (
                self.modified_dates,
                "113107",
                "Retain Longitudinal Temporal Information Modified Dates Option",
            ),
            (
                self.retain_patient_characteristics,
                "113108",
                "Retain Patient Characteristics Option",
            ),
            (
                self.retain_device_identity,
                "113109",
                "Retain Device Identity Option",
            ),
            (self.retain_uids, "113110", "Retain UIDs Option"),
            (
                self.retain_safe_private,
                "113111",
                "Retain Safe Private Option",
            ),
            (
                self.retain_institution_identity,
                "113112",
                "Retain Institution Identity Option",
            ),
        ];
        let used = all.into_iter().filter(|(used, ..)| *used);
        used.map(|(_, code, meaning)| (code, meaning)).collect()
    }
}

/// Dates are shifted by at least and at most this many days; negative is into the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateShift {
    /// The earliest.
    pub from_days: i32,
    /// The latest.
    pub to_days: i32,
}

impl Default for DateShift {
    /// Into the past, so that nothing happens in the future.
    fn default() -> Self {
        Self {
            from_days: -3_650,
            to_days: -30,
        }
    }
}

/// Private attributes of one block, which stay under the Retain Safe Private Option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafePrivate {
    /// Private creator.
    pub creator: String,
    /// Group, odd.
    pub group: u16,
    /// Elements within the block, 0x00 to 0xFF.
    pub elements: Vec<u8>,
}

/// Where a device burns text into its images. A rule without regions says that somebody looked, and
/// that there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionRule {
    /// Manufacturer (0008,0070). Text is compared without regard to case; a final `*` stands for
    /// any rest. What is not stated matches anything.
    pub manufacturer: Option<String>,
    /// Manufacturer's Model Name (0008,1090).
    pub model: Option<String>,
    /// Modality (0008,0060).
    pub modality: Option<String>,
    /// SOP Class UID (0008,0016).
    pub sop_class: Option<String>,
    /// Rows (0028,0010).
    pub rows: Option<u16>,
    /// Columns (0028,0011).
    pub columns: Option<u16>,
    /// What is blanked, in every frame.
    pub regions: Vec<Region>,
}

/// A rectangle of pixels. The first pixel of an image is 0, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Profile {
    /// Reads a profile and refuses what contradicts itself.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let profile: Self =
            toml::from_str(text).map_err(|error| Refused::BadProfile(error.to_string()))?;
        profile.check()?;
        Ok(profile)
    }

    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<(), Refused> {
        let bad = |why: &str| Err(Refused::BadProfile(why.to_owned()));
        if self.options.full_dates && self.options.modified_dates {
            return bad("dates can be retained in full or modified, not both");
        }
        let shift = self.date_shift;
        if shift.from_days > shift.to_days || (shift.from_days == 0 && shift.to_days == 0) {
            return bad("date_shift: no number of days lies between from_days and to_days");
        }
        if shift.from_days < -36_500 || shift.to_days > 36_500 {
            return bad("date_shift: more than a hundred years");
        }
        if self.safe_private.iter().any(|safe| safe.group % 2 == 0) {
            return bad("safe_private: an even group is not private");
        }
        let unnamed = |rule: &RegionRule| {
            rule.manufacturer.is_none()
                && rule.model.is_none()
                && rule.sop_class.is_none()
                && rule.modality.is_none()
        };
        if self.regions.iter().any(unnamed) {
            return bad("regions: a rule names no manufacturer, model, modality or SOP class");
        }
        if self.prefix.len() > 32 || !self.prefix.bytes().all(is_plain) {
            return bad("prefix: at most 32 letters, digits, points, underscores or hyphens");
        }
        Ok(())
    }

    /// Whether a private attribute may stay.
    pub(super) fn is_safe_private(&self, creator: &str, tag: Tag) -> bool {
        let element = tag.element() as u8;
        let creator = creator.trim();
        let listed = STANDARD_SAFE_PRIVATE.iter().chain(&self.safe_private);
        self.options.retain_safe_private
            && listed.into_iter().any(|safe| {
                safe.group == tag.group()
                    && safe.creator.eq_ignore_ascii_case(creator)
                    && safe.elements.contains(&element)
            })
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// PS3.15 Table E.3.10-1.
static STANDARD_SAFE_PRIVATE: LazyLock<Vec<SafePrivate>> = LazyLock::new(|| {
    let lines = include_str!("safe_private.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| safe_private(line).expect("a test reads the whole list"));
    rows.collect()
});

fn safe_private(line: &str) -> Option<SafePrivate> {
    let mut columns = line.splitn(3, ' ');
    let group = u16::from_str_radix(columns.next()?, 16).ok()?;
    let byte = |digits| u8::from_str_radix(digits, 16).ok();
    let mut elements = Vec::new();
    for range in columns.next()?.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        elements.extend(byte(first)?..=byte(last)?);
    }
    Some(SafePrivate {
        creator: columns.next()?.to_owned(),
        group,
        elements,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_as_an_operator_writes_it() {
        let profile = Profile::parse(
            r#"
            key = "lung-2026"
            prefix = "LUNG-"
            accepted_unseen = ["1.2.840.10008.5.1.4.1.1.104.3"]
            [options]
            modified_dates = true
            clean_descriptors = true
            retain_safe_private = true
            [date_shift]
            from_days = -400
            to_days = -1
            [[safe_private]]
            creator = "ACME 1.1"
            group = 0x0019
            elements = [0x10, 0x11]
            [[regions]]
            manufacturer = "ACME*"
            modality = "US"
            rows = 480
            columns = 640
            regions = [{ x = 0, y = 0, width = 640, height = 40 }]
            "#,
        )
        .unwrap();
        let codes: Vec<_> = profile.options.codes().iter().map(|code| code.0).collect();
        assert_eq!(codes, ["113100", "113105", "113107", "113111"]);
        assert!(profile.is_safe_private("acme 1.1 ", Tag(0x0019, 0x1211)));
        assert!(!profile.is_safe_private("ACME 1.1", Tag(0x0019, 0x1212)));
        assert!(profile.is_safe_private("SIEMENS MR HEADER", Tag(0x0019, 0x100C)));
        assert!(!profile.is_safe_private("SIEMENS CSA HEADER", Tag(0x0029, 0x1010)));
        assert!(!Profile::default().is_safe_private("SIEMENS MR HEADER", Tag(0x0019, 0x100C)));
        assert_eq!(STANDARD_SAFE_PRIVATE.len(), 34);
    }

    #[test]
    fn a_profile_that_contradicts_itself_is_refused() {
        for bad in [
            "options = { full_dates = true, modified_dates = true }",
            "date_shift = { from_days = 5, to_days = -5 }",
            "date_shift = { from_days = 0, to_days = 0 }",
            "[[regions]]\nrows = 5",
            "[[safe_private]]\ncreator = 'x'\ngroup = 16\nelements = []",
            "prefix = 'A B'",
            "retain = true",
        ] {
            let refused = Profile::parse(bad);
            assert!(matches!(refused, Err(Refused::BadProfile(_))), "{bad}");
        }
    }
}
