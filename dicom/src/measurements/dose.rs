//! Radiation dose reports: of X-rays (TID 10001 and 10011) and of radiopharmaceuticals (TID 10021).
//!
//! What is accumulated is read whole. Of an irradiation event its dose is read, with its region,
//! kind and phantom; how the machine was set for it is told by the images.

use xds_schemas::imaging::measurement::ContextValue;

use super::Values;
use super::codes::{DCM, SCT, key};
use super::content::Item;
use super::inherited::Inherited;
use super::report::measured;

/// Accumulated X-Ray Dose Data, CT Accumulated Dose Data.
const ACCUMULATED: [&str; 2] = ["113702", "113811"];
/// CT Acquisition, Irradiation Event X-Ray Data, Radiopharmaceutical Administration.
const EVENTS: [&str; 3] = ["113819", "113706", "113502"];

/// What is a dose in an event: Mean CTDIvol, DLP, SSDE, Effective Dose; Dose Area Product, Dose (RP),
/// Entrance Exposure at RP, Average Glandular Dose; Administered activity, Organ Dose.
const DOSES: [&str; 10] = [
    "113830", "113838", "113930", "113839", "122130", "113738", "111636", "111631", "113507",
    "113518",
];

/// What is said of an event in codes: CT Acquisition Type, CTDIw Phantom Type, Acquisition Plane,
/// Irradiation Event Type; Procedure Context, Radiopharmaceutical, Radioactive isotope, Route.
const CONTEXT: [(&str, &str); 9] = [
    ("113820", DCM),
    ("113835", DCM),
    ("113764", DCM),
    ("113721", DCM),
    ("408730004", SCT),
    ("349358000", SCT),
    // The agent in SNOMED RT, which has no concept of its own.
    ("F-61FDB", SCT),
    ("89457008", SCT),
    ("410675002", SCT),
];

/// Whether this is the title of a dose report: X-Ray, Radiopharmaceutical.
pub(super) fn is_report(root: Item<'_>) -> bool {
    root.is("113701", DCM) || root.is("113500", DCM)
}

/// Reads the doses of the report whose content tree has this root.
pub(super) fn read(root: Item<'_>, values: &mut Values) {
    for item in root
        .children()
        .filter(|item| item.value_type() == "CONTAINER")
    {
        let name = item.name();
        match name.as_ref().map(key) {
            Some((name, DCM)) if ACCUMULATED.contains(&name) => {
                numbers(item, &Inherited::default(), values, &|_| true);
            }
            Some((name, DCM)) if EVENTS.contains(&name) => {
                numbers(item, &Inherited::default(), values, &is_dose);
            }
            _ => {}
        }
    }
}

fn is_dose(item: Item<'_>) -> bool {
    DOSES.iter().any(|code| item.is(code, DCM))
}

/// The numbers in a container and in those inside it.
fn numbers(
    container: Item<'_>,
    inherited: &Inherited,
    values: &mut Values,
    wanted: &dyn Fn(Item<'_>) -> bool,
) {
    let mut inherited = inherited.clone();
    for child in container.children() {
        take(&mut inherited, child);
    }
    for child in container.children() {
        match child.value_type().as_str() {
            "CONTAINER" => numbers(child, &inherited, values, wanted),
            "NUM" if wanted(child) => {
                let mut own = inherited.clone();
                for modifier in child.children() {
                    take(&mut own, modifier);
                }
                if let Some(measured) = measured(child, &own) {
                    values.add(measured);
                }
            }
            _ => {}
        }
    }
}

/// In dose reports, what describes an event is mostly contained in it beside its numbers.
fn take(inherited: &mut Inherited, child: Item<'_>) {
    let (Some(name), code) = (child.name(), child.code()) else {
        return;
    };
    match code {
        Some(code) if CONTEXT.contains(&key(&name)) => {
            inherited.say(name, ContextValue::Code(code));
            // The isotope of an agent stands below it.
            for property in child.children() {
                take(inherited, property);
            }
        }
        _ => {
            inherited.take(child);
        }
    }
}
