//! What the items around a value say about it: they hold for every value below them.

use xds_schemas::imaging::measurement::{ContextValue, Measurement};
use xds_schemas::metadata::Code;

use super::codes::{DCM, LN, NCIT, SCT, key};
use super::content::Item;
use super::sources::{Evidence, Sources};

/// So many things are said of a value in its context; more are passed over.
const MAX_CONTEXT: usize = 16;

/// Codes that say nothing about a value: language, who observes, for which procedure, that the
/// subject is the patient.
const NOT_CONTEXT: [&str; 7] = [
    "121005", "121011", "121023", "121024", "121046", "121049", "121058",
];

/// Texts that are context: fetus, time point, session, protocol. Others may name somebody.
const TEXT_CONTEXT: [(&str, &str); 7] = [
    ("11951-1", LN),
    ("C67447", NCIT),
    ("C2348792", "2.16.840.1.113883.6.86"),
    ("126070", DCM),
    ("126071", DCM),
    ("126073", DCM),
    ("125203", DCM),
];

/// What is known of a value before it is read.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    said: Measurement,
    sources: Sources,
}

impl Inherited {
    /// A value about which all of this holds.
    pub(super) fn value(&self, concept: Code) -> Measurement {
        let (source_series, source_instances) = self.sources.named();
        Measurement {
            concept: Some(concept),
            source_series,
            source_instances,
            ..self.said.clone()
        }
    }

    /// What holds for one item's own value: this, and what its children say.
    pub(super) fn with_children(&self, item: Item<'_>) -> Self {
        let mut inner = self.clone();
        for child in item.children() {
            inner.take(child);
        }
        inner
    }

    /// As [`with_children`](Self::with_children), with what the item refers to as measured on.
    pub(super) fn measured_on(&self, item: Item<'_>, root: Item<'_>, evidence: &Evidence) -> Self {
        let mut inner = self.with_children(item);
        let mut sources = Sources::default();
        for child in item.children() {
            inner.refer(child, root, evidence, &mut sources);
        }
        if !sources.is_empty() {
            inner.sources = sources;
        }
        inner
    }

    /// What is known so far, without a concept.
    pub(super) fn said(self) -> Measurement {
        self.said
    }

    pub(super) fn found(&mut self, finding: Code) {
        self.said.finding = Some(finding);
    }

    /// What one child says, if it is one of those that describe what stands beside or above them.
    /// Whether it was.
    pub(super) fn take(&mut self, child: Item<'_>) -> bool {
        let Some(name) = child.name() else {
            return false;
        };
        match child.value_type().as_str() {
            "CODE" => child
                .code()
                .is_some_and(|code| self.take_code(child, name, code)),
            "TEXT" => child.text().is_some_and(|text| self.take_text(name, text)),
            "UIDREF" => child.uid().is_some_and(|uid| self.take_uid(&name, uid)),
            _ => false,
        }
    }

    fn take_code(&mut self, child: Item<'_>, name: Code, code: Code) -> bool {
        let said = &mut self.said;
        match key(&name) {
            ("121071", DCM) => said.finding = Some(code),
            ("363698007", SCT) | ("123014", DCM) => {
                said.site = Some(code);
                // Laterality and modifiers stand below the site.
                for modifier in child.children() {
                    self.take(modifier);
                }
            }
            ("272741003", SCT) => said.laterality = Some(code),
            ("370129005", SCT) => said.method = Some(code),
            ("121401", DCM) => said.derivation = Some(code),
            ("276214006", SCT) => self.say(name, ContextValue::Code(code)),
            (other, scheme) => {
                let describes = !matches!(
                    child.relationship().as_str(),
                    "CONTAINS" | "INFERRED FROM" | "SELECTED FROM"
                );
                if !describes || (scheme == DCM && NOT_CONTEXT.contains(&other)) {
                    return false;
                }
                self.say(name, ContextValue::Code(code));
            }
        }
        true
    }

    fn take_text(&mut self, name: Code, text: String) -> bool {
        let said = &mut self.said;
        let version = |it: &Option<(String, String)>| it.clone().unwrap_or_default();
        match key(&name) {
            ("112039", DCM) => said.tracking_identifier = Some(text),
            ("111001", DCM) => said.algorithm = Some((text, version(&said.algorithm).1)),
            ("111003", DCM) => said.algorithm = Some((version(&said.algorithm).0, text)),
            other if TEXT_CONTEXT.contains(&other) => self.say(name, ContextValue::Text(text)),
            _ => return false,
        }
        true
    }

    fn take_uid(&mut self, name: &Code, uid: String) -> bool {
        match key(name) {
            ("112040", DCM) => self.said.tracking_uid = Some(uid),
            // Irradiation Event UID has two codes; the third is of a radiopharmaceutical.
            ("113769" | "113853" | "113503", DCM) => self.said.irradiation_event_uid = Some(uid),
            _ => return false,
        }
        true
    }

    /// Says something in the context; the last word counts.
    pub(super) fn say(&mut self, name: Code, value: ContextValue) {
        let context = &mut self.said.context;
        if let Some(known) = context.iter_mut().find(|(known, _)| known.means(&name)) {
            known.1 = value;
        } else if context.len() < MAX_CONTEXT {
            context.push((name, value));
        }
    }

    /// Instances, series or a segment that a child refers to.
    fn refer(
        &mut self,
        child: Item<'_>,
        root: Item<'_>,
        evidence: &Evidence,
        sources: &mut Sources,
    ) {
        let Some(child) = child.resolved(root) else {
            return;
        };
        match child.value_type().as_str() {
            "IMAGE" | "WAVEFORM" | "COMPOSITE" => {
                let name = child.name();
                let Some((instance, segment)) = child.instance() else {
                    return;
                };
                match name.as_ref().map(key) {
                    Some(("121191" | "121214", DCM)) => {
                        self.said.segment = segment.map(|number| (instance, number));
                    }
                    // By which real world values were made of pixels.
                    Some(("126100", DCM)) => {}
                    _ => sources.add_instance(&instance, evidence),
                }
            }
            "SCOORD" | "SCOORD3D" | "TCOORD" => {
                // Many items may refer to the same shape, so that its own are counted first.
                let selected = child.children().take(super::MAX_SOURCES + 1);
                let selected = selected.filter_map(|it| it.resolved(root));
                for (instance, _) in selected.filter_map(Item::instance) {
                    sources.add_instance(&instance, evidence);
                }
            }
            "UIDREF" if child.is("121232", DCM) => {
                if let Some(series) = child.uid() {
                    sources.add_series(&series);
                }
            }
            _ => {}
        }
    }
}
