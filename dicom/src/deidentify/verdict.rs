//! What an attribute is, and what becomes of it: the rule of the table, or what its value
//! representation allows where the table has none.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::Refused;
use super::profile::Options;
use super::table::{Action, rule};
use crate::walk::Value;

/// An attribute in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    /// The VR by which its value is read and written.
    pub(super) vr: VR,
    pub(super) action: Action,
    /// Its value names somebody or something, and must not be left in any text.
    pub(super) identifies: bool,
}

/// Attributes whose values the profile removes, but which are no names: taken out of other text they
/// would leave holes in it.
const NO_NAMES: [Tag; 12] = [
    Tag(0x0010, 0x2160),
    tags::PATIENT_RELIGIOUS_PREFERENCE,
    tags::COUNTRY_OF_RESIDENCE,
    tags::REGION_OF_RESIDENCE,
    tags::MILITARY_RANK,
    tags::BRANCH_OF_SERVICE,
    tags::PRE_MEDICATION,
    tags::SPECIAL_NEEDS,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::CLINICAL_TRIAL_TIME_POINT_ID,
    tags::TREATMENT_SITE,
    Tag(0x0088, 0x0912),
];

/// Judges an attribute of the standard.
pub(super) fn verdict(
    tag: Tag,
    file_vr: VR,
    value: &Value,
    signed: bool,
    options: &Options,
) -> Result<Verdict, Refused> {
    let known = StandardDataDictionary.by_tag(tag).map(|entry| entry.vr());
    let vr = representation(file_vr, value, known, signed);
    let Some(rule) = rule(tag) else {
        let action = without_rule(tag, vr, known.is_some(), options)?;
        readable(tag, file_vr, vr, value)?;
        return Ok(Verdict {
            vr,
            action,
            identifies: matches!(vr, VR::PN),
        });
    };
    let action = rule.action(vr, options);
    if !matches!(action, Action::Remove | Action::Empty) {
        readable(tag, file_vr, vr, value)?;
    }
    let taken = !matches!(action, Action::Keep | Action::Clean);
    let identifies = taken && !rule.is_descriptor() && !NO_NAMES.contains(&tag);
    Ok(Verdict {
        vr,
        action,
        identifies: identifies || vr == VR::PN || (vr == VR::DA && action == Action::Clean),
    })
}

/// The VR of the file, unless it says that it does not know: then that of the dictionary.
fn representation(file_vr: VR, value: &Value, known: Option<VirtualVr>, signed: bool) -> VR {
    if matches!(value, Value::Items(_)) {
        return VR::SQ;
    }
    let number = if signed { VR::SS } else { VR::US };
    match (file_vr, known) {
        // In implicit VR what depends on other elements has been read as OW.
        (VR::UN | VR::OW, Some(VirtualVr::Xs)) => number,
        (VR::UN, Some(VirtualVr::Exact(vr))) => vr,
        (VR::UN, Some(_)) => VR::OW,
        (vr, _) => vr,
    }
}

/// Whether the value can be understood as far as it must be.
fn readable(tag: Tag, file_vr: VR, vr: VR, value: &Value) -> Result<(), Refused> {
    if vr == VR::SQ && !matches!(value, Value::Items(_)) && !is_empty(value) {
        return Err(Refused::attribute(
            tag,
            "a sequence whose items cannot be read",
        ));
    }
    let Some(exact) = dictionary_vr(tag) else {
        return Ok(());
    };
    if is_text(exact) && !is_text(vr) && file_vr != VR::UN && !is_empty(value) {
        return Err(Refused::attribute(tag, "text that is not written as text"));
    }
    Ok(())
}

/// The VR of the dictionary, if it does not depend on anything.
pub(super) fn dictionary_vr(tag: Tag) -> Option<VR> {
    match StandardDataDictionary.by_tag(tag)?.vr() {
        VirtualVr::Exact(vr) => Some(vr),
        _ => None,
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Items(items) => items.is_empty(),
        Value::Apart(apart) => apart.length == 0,
        Value::Fragments(fragments) => fragments.is_empty(),
    }
}

/// What the table does not name is kept (PS3.15 E.1.1), if the dictionary knows it: then the table's
/// authors have seen it. What is newer is kept only if its VR cannot hold a name.
fn without_rule(tag: Tag, vr: VR, known: bool, options: &Options) -> Result<Action, Refused> {
    use VR::*;
    Ok(match vr {
        SQ | US | SS | UL | SL | FL | FD | SV | UV | AT | TM => Action::Keep,
        DS | IS => Action::Keep,
        UI => Action::NewUid,
        DA | DT if options.full_dates => Action::Keep,
        DA | DT if options.modified_dates => Action::Clean,
        DA | DT => Action::Dummy,
        AS => Action::Clean,
        _ if !known => return Err(Refused::attribute(tag, "no rule covers this attribute")),
        PN => Action::Empty,
        AE | UR => Action::Remove,
        LT | ST | UT => Action::Clean,
        _ => Action::Keep,
    })
}

/// VRs whose values are text in some character set, or in ASCII.
pub(super) const fn is_text(vr: VR) -> bool {
    use VR::*;
    matches!(
        vr,
        AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT
    )
}
