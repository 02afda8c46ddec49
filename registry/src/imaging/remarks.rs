//! What is said of slots that are kept, but could not be understood.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::imaging::acquisition;
use xds_schemas::imaging::measurement::{self, Measurement};

/// So many places are named; more of them are counted.
const NAMED: usize = 8;

/// One warning about all slots of an entry. They are saved, so that it is not
/// XDSExtraMetadataNotSaved: what they say breaks a rule of ours (XDSRegistryMetadataError), but the
/// entry is registered all the same.
pub(super) fn of(slots: &[Slot]) -> Option<RegistryError> {
    let mut problems = Vec::new();
    for slot in slots {
        match rest_of(&slot.name, acquisition::SLOT) {
            Some(_) => acquisition_slot(slot, &mut problems),
            None if rest_of(&slot.name, measurement::SLOT).is_some() => {
                measurement_slot(slot, &mut problems);
            }
            None => {}
        }
    }
    if problems.is_empty() {
        return None;
    }
    let more = problems.len().saturating_sub(NAMED);
    problems.truncate(NAMED);
    let mut context = format!("kept, but not indexed: {}", problems.join("; "));
    if more > 0 {
        context.push_str(&format!("; and {more} more"));
    }
    Some(RegistryError::warning(
        ErrorCode::RegistryMetadataError,
        context,
    ))
}

/// What stands behind the colon in the name of one of our slots.
fn rest_of<'n>(name: &'n str, ours: &str) -> Option<&'n str> {
    match name.strip_prefix(ours)? {
        "" => Some(""),
        rest => rest.strip_prefix(':'),
    }
}

fn acquisition_slot(slot: &Slot, problems: &mut Vec<String>) {
    let name = &slot.name;
    let sound = Slot::single(name.as_str(), "Modality=CT");
    if acquisition::from_slots(&[sound]).is_empty() {
        problems.push(format!("{name} does not name a series by its UID"));
        return;
    }
    for (value, place) in slot.values.iter().zip(1..) {
        let (keyword, value) = value.split_once('=').unwrap_or((value, ""));
        let problem = match acquisition::parameter(keyword) {
            None => "names no known parameter",
            // Without a value, the series does not have it.
            Some(_) if value.is_empty() => continue,
            Some(parameter) if parameter.read(value).is_none() => {
                "is not of the parameter's kind or unit"
            }
            Some(_) => continue,
        };
        problems.push(format!("{name} value {place} {problem}"));
    }
}

fn measurement_slot(slot: &Slot, problems: &mut Vec<String>) {
    let name = &slot.name;
    if name == measurement::LEFT_OUT {
        return;
    }
    let measured = measurement::from_slots(std::slice::from_ref(slot));
    if measured.first().is_none_or(|it| it.concept.is_none()) {
        problems.push(format!("{name} does not say what was measured"));
        return;
    }
    // A line that goes on in others is one with them.
    let goes_on = |line: &String| {
        line.split_once('=')
            .is_some_and(|(it, _)| it.ends_with('+'))
    };
    let mut place = 1;
    for line in slot.values.chunk_by(|_, next| goes_on(next)) {
        if Measurement::from_values(line).is_none() {
            problems.push(format!("{name} value {place} is not understood"));
        }
        place += line.len();
    }
}
