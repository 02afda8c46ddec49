//! An imaging summary as a FHIR document: a Bundle whose Composition has a section for each study.
//!
//! The same summary gives the same bytes: nothing here knows a clock or chance, and resources are
//! named by what they stand for.

mod resources;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use bytes::Bytes;
use xds_schemas::metadata::{DocumentEntry, UniqueId};
use xds_schemas::xml::escape;

use super::fhir::{
    Bundle, Composition, Concept, Entry, Identifier, Narrative, Reference, Resource, Section, URI,
    date_time, instant,
};
use super::names;
use super::summary::{Study, Summary, is_manifest};

use resources::{device, imaging_study, modalities, patient, reference, text};

/// What a summary is called whose entry has no title.
pub(super) const TITLE: &str = "Imaging summary";

/// A document that was made.
#[derive(Debug)]
pub(super) struct Document {
    /// What it is called: the same for the same content, and another for every other.
    pub(super) unique_id: UniqueId,
    pub(super) bytes: Bytes,
}

/// Writes the summary.
pub(super) fn document(summary: &Summary<'_>) -> Document {
    let mut bundle = bundle(summary);
    let unique_id = names::of_content(&json(&bundle));
    bundle.identifier = Some(Identifier::of_oid(URI, unique_id.as_str()));
    Document {
        unique_id,
        bytes: json(&bundle).into(),
    }
}

fn json(bundle: &Bundle) -> Vec<u8> {
    serde_json::to_vec_pretty(bundle).expect("keys are text, and nothing fails to be written")
}

fn bundle(summary: &Summary<'_>) -> Bundle {
    let mut resources = Resources::default();
    let subject = resources.reference("Patient", &summary.patient.to_string());
    let author = resources.reference("Device", "On-Demand Document Source");
    let mut sections: Vec<Section> = summary
        .studies
        .iter()
        .map(|study| resources.section_of_study(study, &subject))
        .collect();
    if !summary.others.is_empty() {
        sections.push(resources.section_of_others(&summary.others, &subject));
    }
    if sections.is_empty() {
        sections.push(nothing());
    }
    let title = summary.entry.title.as_ref().and_then(text);
    let composition = Composition {
        identifier: Identifier::of_oid(URI, summary.unique_id.as_str()),
        status: "final",
        kind: kind(summary),
        subject,
        date: date_time(&summary.made),
        author: vec![author],
        title: title.unwrap_or_else(|| TITLE.to_owned()),
        section: sections,
    };
    let first = [
        (
            names::of_part("Composition", summary.unique_id.as_str()),
            Resource::Composition(Box::new(composition)),
        ),
        (
            names::of_part("Patient", &summary.patient.to_string()),
            Resource::Patient(patient(summary.patient, summary.patient_info)),
        ),
        (
            names::of_part("Device", "On-Demand Document Source"),
            Resource::Device(device()),
        ),
    ];
    let entry = |(full_url, resource)| Entry { full_url, resource };
    Bundle {
        resource_type: "Bundle",
        identifier: None,
        kind: "document",
        timestamp: instant(&summary.made),
        entry: first
            .into_iter()
            .chain(resources.written)
            .map(entry)
            .collect(),
    }
}

/// The type of the on-demand document, or what it is in LOINC.
fn kind(summary: &Summary<'_>) -> Concept {
    let kind = summary.entry.type_code.as_ref().and_then(Concept::of);
    kind.unwrap_or_else(|| Concept::new("http://loinc.org", "18748-4", "Diagnostic imaging study"))
}

/// The resources behind the Composition, each once.
#[derive(Debug, Default)]
struct Resources {
    names: HashSet<String>,
    written: Vec<(String, Resource)>,
}

impl Resources {
    fn reference(&self, kind: &str, id: &str) -> Reference {
        Reference::Reference(names::of_part(kind, id))
    }

    /// Adds a resource unless it is there, and refers to it.
    fn add(&mut self, kind: &str, id: &str, resource: impl FnOnce() -> Resource) -> Reference {
        let name = names::of_part(kind, id);
        if self.names.insert(name.clone()) {
            self.written.push((name.clone(), resource()));
        }
        Reference::Reference(name)
    }

    fn section_of_study(&mut self, study: &Study<'_>, subject: &Reference) -> Section {
        let described = study.description();
        let imaging = self.add("ImagingStudy", &study.uid, || {
            Resource::ImagingStudy(Box::new(imaging_study(study, subject)))
        });
        let mut entry = vec![imaging.clone()];
        for document in &study.documents {
            entry.push(self.document(document, subject, Some(&imaging)));
        }
        let title = described.title.as_ref().and_then(text);
        let title = title.unwrap_or_else(|| "Imaging study".to_owned());
        let mut lines = vec![title.clone()];
        let started = described.service_start_time.as_ref();
        lines.extend(started.map(|it| format!("Started {}", date_time(it))));
        let modalities: Vec<String> = modalities(described).map(|it| it.code).collect();
        if !modalities.is_empty() {
            lines.push(format!("Modality {}", modalities.join(", ")));
        }
        lines.push(format!("Study Instance UID {}", study.uid));
        lines.extend(study.documents.iter().map(|it| line(it)));
        Section {
            title,
            text: narrative(&lines),
            entry,
            empty_reason: None,
        }
    }

    fn section_of_others(&mut self, others: &[&DocumentEntry], subject: &Reference) -> Section {
        let entry = others.iter().map(|it| self.document(it, subject, None));
        let entry = entry.collect();
        let lines: Vec<String> = others.iter().map(|it| line(it)).collect();
        Section {
            title: "Imaging documents of no particular study".to_owned(),
            text: narrative(&lines),
            entry,
            empty_reason: None,
        }
    }

    fn document(
        &mut self,
        document: &DocumentEntry,
        subject: &Reference,
        study: Option<&Reference>,
    ) -> Reference {
        self.add("DocumentReference", document.entry_uuid.as_str(), || {
            Resource::DocumentReference(Box::new(reference(document, subject, study)))
        })
    }
}

fn nothing() -> Section {
    let lines = ["There are no imaging studies and no imaging reports.".to_owned()];
    let system = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
    Section {
        title: "Imaging studies".to_owned(),
        text: narrative(&lines),
        entry: Vec::new(),
        empty_reason: Some(Concept::new(system, "unavailable", "Unavailable")),
    }
}

/// A document in one line, for people.
fn line(document: &DocumentEntry) -> String {
    let what = match is_manifest(document) {
        true => "Manifest",
        false => "Document",
    };
    let made = document.creation_time.as_ref().map(date_time);
    let made = made.map_or_else(String::new, |made| format!(" of {made}"));
    let title = document.title.as_ref().and_then(text);
    let title = title.map_or_else(String::new, |title| format!(": {title}"));
    format!("{what}{made} ({}){title}", document.mime_type)
}

fn narrative(lines: &[String]) -> Narrative {
    let mut div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">".to_owned();
    for line in lines {
        div.push_str("<p>");
        escape(&mut div, line, false);
        div.push_str("</p>");
    }
    div.push_str("</div>");
    Narrative {
        status: "generated",
        div,
    }
}
