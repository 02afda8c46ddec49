//! What an imaging summary says: which of a patient's documents are about imaging, and which of
//! them belong to one study.

use std::collections::{BTreeMap, HashMap};

use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::patient_id::id_type;
use xds_schemas::metadata::{
    DocumentEntry, PatientId, ReferenceId, SubmissionSet, Timestamp, UniqueId,
};
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;

/// How the format codes of IHE Radiology begin.
const RADIOLOGY_FORMATS: &str = "urn:ihe:rad:";

/// What an imaging summary says.
#[derive(Debug)]
pub(super) struct Summary<'a> {
    /// The on-demand document entry.
    pub(super) entry: &'a DocumentEntry,
    /// The uniqueId of the on-demand document: that of every edition of this summary.
    pub(super) unique_id: &'a UniqueId,
    pub(super) patient: &'a PatientId,
    /// What the newest document that says anything about the patient says: PID fields.
    pub(super) patient_info: &'a [String],
    /// The studies, newest first.
    pub(super) studies: Vec<Study<'a>>,
    /// Imaging documents that do not say to which study they belong.
    pub(super) others: Vec<&'a DocumentEntry>,
    /// Since when what it says may have been so: when the newest document in it was made, or the
    /// summary itself was registered. What has not changed is as old as it was.
    pub(super) made: Timestamp,
}

/// A study, as its documents describe it.
#[derive(Debug)]
pub(super) struct Study<'a> {
    /// Study Instance UID.
    pub(super) uid: String,
    /// Its manifests and reports.
    pub(super) documents: Vec<&'a DocumentEntry>,
}

impl<'a> Summary<'a> {
    /// The summary of what is registered. The order of `documents` does not matter.
    pub(super) fn of(
        entry: &'a DocumentEntry,
        set: &'a SubmissionSet,
        patient: &'a PatientId,
        documents: &'a [DocumentEntry],
    ) -> Self {
        let mut by_uid = BTreeMap::<String, Vec<&DocumentEntry>>::new();
        let mut without = Vec::new();
        // What has no name cannot be referred to.
        let named = documents
            .iter()
            .filter(|it| !it.unique_id.as_str().trim().is_empty());
        for document in named {
            let mut uids = studies_of(document).peekable();
            if uids.peek().is_none() {
                without.push(document);
            }
            for uid in uids {
                by_uid.entry(uid.to_owned()).or_default().push(document);
            }
        }
        let by_order = by_order(&by_uid);
        let mut others = Vec::new();
        for document in without {
            let mut references = document.reference_ids.iter();
            match references.find_map(|it| by_order.get(it)) {
                Some(uid) => by_uid.entry(uid.clone()).or_default().push(document),
                None if is_imaging(document) && !is_summary(document, entry) => {
                    others.push(document)
                }
                None => {}
            }
        }
        let study = |(uid, mut documents): (String, Vec<&'a DocumentEntry>)| {
            documents.sort_by_key(|it| (!is_manifest(it), order(it)));
            documents.dedup_by_key(|it| &it.entry_uuid);
            Study { uid, documents }
        };
        let mut studies: Vec<Study> = by_uid.into_iter().map(study).collect();
        studies.sort_by(|one, other| {
            let newest_first = other.started().cmp(&one.started());
            newest_first.then_with(|| one.uid.cmp(&other.uid))
        });
        others.sort_by_key(|it| order(it));
        let listed = studies.iter().flat_map(|study| &study.documents);
        let listed: Vec<&DocumentEntry> = listed.chain(&others).copied().collect();
        let mut summary = Self {
            entry,
            unique_id: &entry.unique_id,
            patient,
            patient_info: &[],
            studies,
            others,
            made: made(set, &listed),
        };
        let says = |it: &&&DocumentEntry| !it.source_patient_info.is_empty();
        let newest = listed.iter().filter(says).max_by_key(|it| order(it));
        if let Some(newest) = newest {
            summary.patient_info = &newest.source_patient_info;
        }
        summary
    }
}

impl<'a> Study<'a> {
    /// The document that describes it: its newest manifest, or else its first report.
    pub(super) fn description(&self) -> &'a DocumentEntry {
        let manifests = self.documents.iter().filter(|it| is_manifest(it));
        let newest = manifests.max_by_key(|it| order(it));
        newest.unwrap_or(&self.documents[0])
    }

    /// When it began.
    pub(super) fn started(&self) -> Option<&'a str> {
        let started = self.description().service_start_time.as_ref();
        started.map(Timestamp::as_str)
    }

    /// Its accession numbers, each with the authority that gave it if that is an OID.
    pub(super) fn accessions(&self) -> Vec<(&'a str, Option<&'a str>)> {
        let references = self.documents.iter().flat_map(|it| &it.reference_ids);
        let mut accessions: Vec<(&str, Option<&str>)> = references
            .filter(|it| it.id_type == id_type::ACCESSION && !it.id.trim().is_empty())
            .map(|it| (it.id.as_str(), it.authority.as_deref().and_then(oid_of)))
            .collect();
        accessions.sort_unstable();
        accessions.dedup();
        accessions
    }
}

/// The OID in `&OID&ISO`.
fn oid_of(authority: &str) -> Option<&str> {
    authority.split('&').nth(1).filter(|oid| is_oid(oid))
}

/// Whether the document lists the images of a study.
pub(super) fn is_manifest(document: &DocumentEntry) -> bool {
    let format = document.format_code.as_ref();
    document.mime_type == rad68::MIME_TYPE
        && format.is_some_and(|format| format.code == rad68::FORMAT_CODE)
}

/// Whether a document that names no study is about imaging all the same: its format is one of
/// radiology or of DICOM.
fn is_imaging(document: &DocumentEntry) -> bool {
    document.format_code.as_ref().is_some_and(|format| {
        format.code.starts_with(RADIOLOGY_FORMATS) || format.scheme == rad68::FORMAT_CODE_SCHEME
    })
}

/// Whether a document looks like an edition of this summary that was kept. A summary does not speak
/// of itself, or it would be another one each time.
fn is_summary(document: &DocumentEntry, summary: &DocumentEntry) -> bool {
    let format = |entry: &DocumentEntry| {
        let format = entry.format_code.as_ref();
        format.map(|format| (format.code.clone(), format.scheme.clone()))
    };
    document.mime_type == summary.mime_type && format(document) == format(summary)
}

/// The studies by the orders for which they were made, as far as their documents tell. Laboratories
/// have accession numbers too: one that leads to no study says nothing.
fn by_order<'a>(
    by_uid: &BTreeMap<String, Vec<&'a DocumentEntry>>,
) -> HashMap<&'a ReferenceId, String> {
    let mut by_order = HashMap::new();
    for (uid, documents) in by_uid {
        let references = documents.iter().flat_map(|it| &it.reference_ids);
        for accession in references.filter(|it| it.id_type == id_type::ACCESSION) {
            by_order.entry(accession).or_insert_with(|| uid.clone());
        }
    }
    by_order
}

/// The studies that a document names. DICOM has nothing but OIDs for them.
fn studies_of(document: &DocumentEntry) -> impl Iterator<Item = &str> {
    let references = document.reference_ids.iter();
    let of_studies = references.filter(|it| it.id_type == id_type::STUDY_INSTANCE_UID);
    of_studies.map(|it| it.id.as_str()).filter(|id| is_oid(id))
}

/// By when documents were made, and the same each time.
fn order(document: &DocumentEntry) -> (Option<&str>, &str, &str) {
    (
        document.creation_time.as_ref().map(Timestamp::as_str),
        document.unique_id.as_str(),
        document.entry_uuid.as_str(),
    )
}

fn made(set: &SubmissionSet, listed: &[&DocumentEntry]) -> Timestamp {
    let times = listed.iter().filter_map(|it| it.creation_time.as_ref());
    let times = times.chain(&set.submission_time).map(Timestamp::earliest);
    let newest = times
        .max()
        .and_then(|newest| Timestamp::parse(&newest).ok());
    // A registry answers with the submissionTime of every set (ITI TF-3 4.3.1).
    newest.unwrap_or_else(|| Timestamp::from_unix(0))
}
