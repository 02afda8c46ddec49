//! Structured reports: measurement groups of TID 1500 with 1410, 1411, 1419 and 1501, and the numbers
//! of every other template (PS3.16 annex A).

use xds_schemas::imaging::measurement::Measurement;

use super::Values;
use super::codes::{DCM, UMLS};
use super::content::Item;
use super::inherited::Inherited;
use super::sources::{Evidence, Sources};
use dicom_dictionary_std::tags;

/// Reads the values of the document whose content tree has this root.
pub(super) fn read(root: Item<'_>, evidence: &Evidence, values: &mut Values) {
    let mut report = Report {
        root,
        evidence,
        library: Sources::default(),
        values,
    };
    // Of what the document as a whole says, only what is known to be of a value holds for values.
    let mut inherited = Inherited::default();
    for child in root.children().filter(|child| describes_values(*child)) {
        inherited.take(child);
    }
    report.find_library(root);
    report.visit_children(root, &inherited);
}

/// The value and unit of a number, or why there is none; `None` if it says neither.
pub(super) fn measured(item: Item<'_>, inherited: &Inherited) -> Option<Measurement> {
    let number = item.number();
    let qualifier = item.code_in(tags::NUMERIC_VALUE_QUALIFIER_CODE_SEQUENCE);
    if number.is_none() && qualifier.is_none() {
        return None;
    }
    let (value, unit) = number.unzip();
    Some(Measurement {
        value,
        unit,
        qualifier,
        ..inherited.value(item.name()?)
    })
}

struct Report<'a> {
    root: Item<'a>,
    evidence: &'a Evidence,
    /// Instances of the Image Library (TID 1600).
    library: Sources,
    values: &'a mut Values,
}

impl Report<'_> {
    fn visit_children(&mut self, item: Item<'_>, inherited: &Inherited) {
        for child in item.children() {
            self.visit(child, inherited);
        }
    }

    fn visit(&mut self, item: Item<'_>, inherited: &Inherited) {
        match item.value_type().as_str() {
            "CONTAINER" if item.is("111028", DCM) => {}
            "CONTAINER" if is_group(item) => {
                let inherited = inherited.measured_on(item, self.root, self.evidence);
                for child in item.children() {
                    if !self.judged(child, &inherited) {
                        self.visit(child, &inherited);
                    }
                }
            }
            "CONTAINER" => self.visit_children(item, &inherited.with_children(item)),
            "NUM" => self.number(item, inherited),
            "CODE" => {
                let mut inherited = inherited.clone();
                // A finding of CAD, whose properties are measured (TID 4006).
                if item.is("111059", DCM)
                    && let Some(finding) = item.code()
                {
                    inherited = inherited.measured_on(item, self.root, self.evidence);
                    inherited.found(finding);
                }
                self.visit_children(item, &inherited);
            }
            _ => self.visit_children(item, inherited),
        }
    }

    fn number(&mut self, item: Item<'_>, inherited: &Inherited) {
        let own = inherited.measured_on(item, self.root, self.evidence);
        if let Some(measured) = measured(item, &own) {
            self.add(measured);
        }
        // Properties of a number are ranges, percentiles and uncertainties (TID 310 to 312). From
        // what it is inferred was measured, too.
        for child in item.children() {
            if child.relationship() != "HAS PROPERTIES" {
                self.visit(child, inherited);
            }
        }
    }

    /// A qualitative evaluation: a code that a group contains and that describes nothing else there.
    fn judged(&mut self, child: Item<'_>, inherited: &Inherited) -> bool {
        let is_contained = child.value_type() == "CODE" && child.relationship() == "CONTAINS";
        if !is_contained || Inherited::default().take(child) {
            return false;
        }
        let (Some(concept), Some(code)) = (child.name(), child.code()) else {
            return false;
        };
        let own = inherited.measured_on(child, self.root, self.evidence);
        self.add(Measurement {
            coded_value: Some(code),
            ..own.value(concept)
        });
        true
    }

    /// Keeps a value. If it does not say on what it was measured, that was in the series of the
    /// image library, or else of what the report names as its evidence.
    fn add(&mut self, mut measured: Measurement) {
        if measured.source_series.is_empty() && measured.source_instances.is_empty() {
            let sources = if self.library.is_empty() {
                &self.values.evidence
            } else {
                &self.library
            };
            measured.source_series = sources.named().0;
        }
        self.values.add(measured);
    }

    /// The instances of the image library, wherever it stands below the root.
    fn find_library(&mut self, root: Item<'_>) {
        let libraries = root.children().filter(|item| item.is("111028", DCM));
        for entry in libraries.flat_map(Item::children) {
            let grouped = entry.children();
            for image in std::iter::once(entry).chain(grouped) {
                if let Some((instance, _)) = image.instance() {
                    self.library.add_instance(&instance, self.evidence);
                }
            }
        }
    }
}

/// A group of measurements of one thing, or of judgements without one (TID 1500 row 10).
fn is_group(item: Item<'_>) -> bool {
    item.is("125007", DCM) || item.is("C0034375", UMLS)
}

/// Site, laterality and the like at the root of a document.
fn describes_values(item: Item<'_>) -> bool {
    use super::codes::SCT;
    item.is("363698007", SCT) || item.is("272741003", SCT) || item.is("11951-1", super::codes::LN)
}
