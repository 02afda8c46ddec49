//! Private elements by private creator (PS3.5 section 7.8): what manufacturers say in them of the
//! parameters of the standard.

use dicom_core::{Tag, VR};
use xds_schemas::imaging::acquisition::{Kind, Parameter};

use super::derived::parameter;
use super::elements::Element;
use super::{Acquired, csa, reading};
use crate::walk::{DataSet, Value};

/// Blocks that are read: a file that reserves more is not a device's, and each element is compared
/// with all of them.
const MAX_BLOCKS: usize = 32;

/// An element of a private block.
struct Private {
    creator: &'static str,
    group: u16,
    /// Its last two digits.
    element: u8,
    /// What it is, for files that do not say: implicit VR, or UN.
    vr: VR,
    keyword: &'static str,
    rule: Rule,
}

/// How its value becomes that of the parameter.
#[derive(Clone, Copy)]
enum Rule {
    /// The first value, times this.
    Times(f64),
    /// One over the first value: GE's reduction factors.
    Inverse,
    /// A b-value to which GE adds 1,000,000,000 for its own use.
    GeBValue,
    /// 0 to 3 for the component of the complex image.
    GeComponent,
    /// A pitch, in text after which `:1` may stand. Larger ones are in another definition, over the
    /// width of one row.
    Pitch,
    /// Seconds, or else milliseconds.
    Seconds,
    /// Siemens' `p2` for an acceleration of 2.
    Acceleration,
    /// More than one slice in the image.
    Mosaic,
    /// Text as it stands.
    Text,
}

use Rule::*;

const SIEMENS_MR: &str = "SIEMENS MR HEADER";
const SIEMENS_CT: &str = "SIEMENS CT VA0  COAD";
const GE_PARM: &str = "GEMS_PARM_01";
const GE_ACQU: &str = "GEMS_ACQU_01";
const PHILIPS: &str = "Philips Imaging DD 001";
const PHILIPS_MR: &str = "Philips MR Imaging DD 001";
const CANON_CT: &str = "TOSHIBA_MEC_CT3";

const fn at(
    (creator, group, element): (&'static str, u16, u8),
    vr: VR,
    keyword: &'static str,
    rule: Rule,
) -> Private {
    Private {
        creator,
        group,
        element,
        vr,
        keyword,
        rule,
    }
}

#[rustfmt::skip]
const PRIVATE: [Private; 36] = [
    at((SIEMENS_MR, 0x0019, 0x0A), VR::US, "sliceCount", Mosaic),
    at((SIEMENS_MR, 0x0019, 0x0C), VR::IS, "diffusionBValue", Times(1.0)),
    at((SIEMENS_MR, 0x0019, 0x0D), VR::CS, "DiffusionDirectionality", Text),
    at((SIEMENS_MR, 0x0019, 0x28), VR::FD, "pixelBandwidthPhaseEncode", Times(1.0)),
    at((SIEMENS_MR, 0x0051, 0x0F), VR::LO, "ReceiveCoilName", Text),
    at((SIEMENS_MR, 0x0051, 0x11), VR::LO, "ParallelReductionFactorInPlane", Acceleration),
    at((SIEMENS_CT, 0x0019, 0x54), VR::DS, "RevolutionTime", Seconds),
    at((SIEMENS_CT, 0x0019, 0xB0), VR::DS, "TableFeedPerRotation", Times(1.0)),
    at((GE_PARM, 0x0043, 0x27), VR::SH, "SpiralPitchFactor", Pitch),
    // Microseconds.
    at((GE_PARM, 0x0043, 0x2C), VR::SS, "echoSpacing", Times(1e-3)),
    at((GE_PARM, 0x0043, 0x2F), VR::SS, "ComplexImageComponent", GeComponent),
    at((GE_PARM, 0x0043, 0x39), VR::IS, "diffusionBValue", GeBValue),
    at((GE_PARM, 0x0043, 0x83), VR::DS, "ParallelReductionFactorInPlane", Inverse),
    at((GE_ACQU, 0x0019, 0x1E), VR::DS, "ReconstructionDiameter", Times(1.0)),
    at((GE_ACQU, 0x0019, 0x23), VR::DS, "TableFeedPerRotation", Times(1.0)),
    at((GE_ACQU, 0x0019, 0x27), VR::DS, "RevolutionTime", Seconds),
    // Microseconds.
    at((GE_ACQU, 0x0019, 0x5A), VR::FL, "AcquisitionDuration", Times(1e-6)),
    at((GE_ACQU, 0x0019, 0x9C), VR::LO, "PulseSequenceName", Text),
    at(("GEMS_PETD_01", 0x0009, 0x36), VR::LO, "Radiopharmaceutical", Text),
    at(("GEMS_PETD_01", 0x0009, 0x3F), VR::FL, "RadionuclideHalfLife", Times(1.0)),
    at((PHILIPS, 0x2001, 0x03), VR::FL, "diffusionBValue", Times(1.0)),
    at((PHILIPS, 0x2001, 0x20), VR::LO, "PulseSequenceName", Text),
    at((PHILIPS, 0x2001, 0x22), VR::FL, "waterFatShift", Times(1.0)),
    at((PHILIPS, 0x2001, 0x23), VR::DS, "FlipAngle", Times(1.0)),
    at((PHILIPS, 0x2001, 0x81), VR::IS, "NumberOfTemporalPositions", Times(1.0)),
    at((PHILIPS, 0x2001, 0x82), VR::IS, "EchoTrainLength", Times(1.0)),
    at((PHILIPS, 0x2005, 0x33), VR::FL, "AcquisitionDuration", Times(1.0)),
    at((PHILIPS_MR, 0x2005, 0x33), VR::FL, "AcquisitionDuration", Times(1.0)),
    at(("ELSCINT1", 0x00E1, 0x21), VR::DS, "doseLengthProduct", Times(1.0)),
    at(("ELSCINT1", 0x01F1, 0x26), VR::DS, "SpiralPitchFactor", Pitch),
    at(("ELSCINT1", 0x01F1, 0x27), VR::DS, "RevolutionTime", Seconds),
    at((CANON_CT, 0x7005, 0x08), VR::DS, "SingleCollimationWidth", Times(1.0)),
    at((CANON_CT, 0x7005, 0x0A), VR::DS, "TableFeedPerRotation", Times(1.0)),
    at((CANON_CT, 0x7005, 0x23), VR::DS, "SpiralPitchFactor", Pitch),
    at((CANON_CT, 0x7005, 0x40), VR::FD, "doseLengthProduct", Times(1.0)),
    // United Imaging.
    at(("Image Private Header", 0x0065, 0x09), VR::FD, "diffusionBValue", Times(1.0)),
];

/// Adds what the private elements of a data set say. One pass over its elements, as their creators
/// are there once for each block: to look each one up by [`DataSet::private`] would read every
/// element of the file forty times.
pub(super) fn add(acquired: &mut Acquired, data: &DataSet) {
    // Creators by the group and the block that they reserve.
    let mut blocks: Vec<(u16, u16, &str)> = Vec::new();
    for (tag, _, value) in data.elements() {
        if let Value::Bytes(name) = value
            && tag.group() % 2 == 1
            && (0x10..=0xFF).contains(&tag.element())
            && let Ok(name) = std::str::from_utf8(name)
        {
            let name = name.trim_matches([' ', '\0']);
            if is_known(tag.group(), name) && blocks.len() < MAX_BLOCKS {
                blocks.push((tag.group(), tag.element(), name));
            }
        }
    }
    if blocks.is_empty() {
        return;
    }
    for (tag, vr, value) in data.elements() {
        let Value::Bytes(bytes) = value else {
            continue;
        };
        let Some(creator) = creator(&blocks, tag) else {
            continue;
        };
        let [_, element] = tag.element().to_be_bytes();
        if csa::is_header(creator, tag.group(), element) {
            csa::add(acquired, bytes);
        }
        let known = PRIVATE
            .iter()
            .filter(|it| it.group == tag.group() && it.element == element && it.creator == creator);
        for known in known {
            let vr = if vr == VR::UN { known.vr } else { vr };
            if let Some(parameter) = parameter(known.keyword) {
                known.rule.keep(acquired, parameter, (vr, bytes));
            }
        }
    }
}

fn is_known(group: u16, creator: &str) -> bool {
    let known = |it: &Private| it.group == group && it.creator == creator;
    PRIVATE.iter().any(known) || csa::is_header(creator, group, csa::ELEMENT)
}

fn creator<'a>(blocks: &[(u16, u16, &'a str)], tag: Tag) -> Option<&'a str> {
    let block = tag.element() >> 8;
    let of_tag =
        |(group, reserved, _): &&(u16, u16, _)| *group == tag.group() && *reserved == block;
    blocks.iter().find(of_tag).map(|(.., creator)| *creator)
}

impl Rule {
    fn keep(
        self,
        acquired: &mut Acquired,
        parameter: &'static Parameter,
        (vr, bytes): (VR, &[u8]),
    ) {
        let text = || {
            String::from_utf8_lossy(bytes)
                .trim_matches([' ', '\0'])
                .to_owned()
        };
        if parameter.kind == Kind::Text {
            let text = match self {
                Self::GeComponent => component(&reading::numbers(vr, bytes)).to_owned(),
                _ => text(),
            };
            return acquired.text(parameter, &text);
        }
        let number = match self {
            Self::Acceleration => text().strip_prefix('p').and_then(|it| it.parse().ok()),
            Self::Pitch if vr != VR::FD => text()
                .split(':')
                .next()
                .and_then(|it| it.trim().parse().ok()),
            _ => reading::numbers(vr, bytes).first().copied(),
        };
        let number = number.and_then(|number| self.number(number));
        if let Some(number) = number {
            let element = Element {
                parameter,
                factor: 1.0,
            };
            reading::number_of(acquired, element, number);
        }
    }

    fn number(self, number: f64) -> Option<f64> {
        Some(match self {
            Self::Times(factor) => reading::scaled(number, factor),
            Self::Inverse if number > 0.0 => reading::rounded(1.0 / number),
            Self::GeBValue if number >= 100_000_000.0 => number % 100_000.0,
            Self::Pitch => Some(number).filter(|pitch| *pitch < 10.0)?,
            Self::Seconds if number > 20.0 => reading::scaled(number, 1e-3),
            Self::Mosaic => Some(number).filter(|slices| *slices > 1.0)?,
            Self::Seconds | Self::GeBValue | Self::Acceleration => number,
            Self::Inverse | Self::GeComponent | Self::Text => return None,
        })
    }
}

fn component(numbers: &[f64]) -> &'static str {
    let components = ["MAGNITUDE", "PHASE", "REAL", "IMAGINARY"];
    let index = numbers
        .first()
        .and_then(|it| (0.0..4.0).contains(it).then_some(*it as usize));
    index
        .and_then(|index| components.get(index))
        .map_or("", |it| *it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_says_a_parameter_of_its_kind() {
        for (at, it) in PRIVATE.iter().enumerate() {
            let parameter = parameter(it.keyword).unwrap();
            let text = matches!(it.rule, Text | GeComponent);
            assert_eq!(text, parameter.kind == Kind::Text, "{}", it.keyword);
            let place = (it.creator, it.group, it.element);
            let known = |other: &Private| (other.creator, other.group, other.element) == place;
            assert!(!PRIVATE[..at].iter().any(known), "{place:?}");
        }
    }
}
