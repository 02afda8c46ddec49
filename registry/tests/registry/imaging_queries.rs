//! Queries of our own: by acquisition parameters, measured values and specimens
//! (`docs/imaging-queries.md`).

use std::collections::BTreeMap;

use hilum_registry::ExtraMetadata;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus, Severity};
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, ReturnType};
use xds_schemas::imaging::acquisition::{self, Kind, SeriesParameters, Value};
use xds_schemas::imaging::measurement::{self, Measurement};
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindImaging, Pattern, QueryKind, RegistryStoredQuery, StoredQuery,
};
use xds_schemas::metadata::{
    AssociationType, Code, DocumentEntry, DocumentEntryType, EntryUuid, PatientId, ReferenceId,
    SubmissionSetStatus,
};

use crate::site::{Site, succeeded};
use crate::words::{document, empty, new_uuid, one, patient};

const SCT: &str = "2.16.840.1.113883.6.96";

/// Values of a parameter, by their keyword.
fn parameter(keyword: &'static str, values: &[&str]) -> (&'static str, Vec<Value>) {
    let kind = acquisition::parameter(keyword).unwrap().kind;
    let value = |text: &&str| match kind {
        Kind::Number(_) => Value::Number(text.parse().unwrap()),
        Kind::Text => Value::Text((*text).to_owned()),
        Kind::Code => Value::Code(Code::new(*text, SCT, "Something")),
    };
    (keyword, values.iter().map(value).collect())
}

/// A series in which this occurs: `KVP=120`, several values with `|` between them.
fn series(uid: u32, values: &[&str]) -> SeriesParameters {
    let values = values.iter().map(|text| {
        let (keyword, values) = text.split_once('=').unwrap();
        let keyword = acquisition::parameter(keyword).unwrap().keyword;
        parameter(keyword, &values.split('|').collect::<Vec<_>>())
    });
    SeriesParameters {
        series_instance_uid: format!("1.2.3.{uid}"),
        values: values.collect::<BTreeMap<_, _>>(),
    }
}

/// A document of these series, by its name.
fn images(of: &PatientId, series: &[SeriesParameters]) -> (DocumentEntry, EntryUuid) {
    let uuid = new_uuid();
    let mut entry = document(of, uuid.as_str());
    entry.extra.slots.extend(acquisition::to_slots(series));
    (entry, uuid)
}

impl Site {
    /// Registers a document.
    async fn accept_document(&self, entry: &DocumentEntry) {
        let mut submission = empty(entry.patient_id.as_ref().unwrap());
        submission.add_document(entry.clone());
        self.accept(&submission).await;
    }

    /// Registers a document of these series; gives its name.
    async fn images(&self, of: &str, series: &[SeriesParameters]) -> EntryUuid {
        let (entry, uuid) = images(&patient(of), series);
        self.accept_document(&entry).await;
        uuid
    }

    /// The documents for which this is so; the conditions of a line are alternatives, divided by |.
    async fn with(&self, acquisition: &[&str]) -> Vec<String> {
        self.found(&cohort(acquisition, &[], &[])).await
    }

    /// The documents with these measured values.
    async fn measured(&self, measurements: &[&str]) -> Vec<String> {
        self.found(&cohort(&[], measurements, &[])).await
    }

    /// What a cohort query finds for all patients, which must be what it finds for both of them.
    async fn found(&self, query: &FindImaging) -> Vec<String> {
        let found = self.names(query).await;
        if query.patients.is_empty() {
            let named = FindImaging {
                patients: vec![patient("P1"), patient("P2")],
                ..query.clone()
            };
            assert_eq!(self.names(&named).await, found, "{query:?}");
        }
        found
    }

    async fn names(&self, query: &FindImaging) -> Vec<String> {
        let query = StoredQuery::FindDocumentsForCohort(query.clone());
        let found = self.find(&query).await;
        found.into_iter().map(|object| object.id).collect()
    }

    /// Asks for a query of ours by slots.
    async fn asked(&self, id: &str, slots: &[(&str, &str)]) -> AdhocQueryResponse {
        let status = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
        let slots = [&[("$XDSDocumentEntryStatus", status)], slots].concat();
        let request = AdhocQueryRequest {
            return_type: ReturnType::LeafClass,
            id: id.to_owned(),
            home: None,
            slots: slots
                .into_iter()
                .map(|(name, value)| Slot::single(name, value))
                .collect(),
        };
        self.call::<RegistryStoredQuery>(&request).await
    }
}

fn conditions<T: std::str::FromStr<Err = String>>(lists: &[&str]) -> Vec<Vec<T>> {
    let list = |list: &&str| {
        let conditions = list.split('|').map(|text| text.parse());
        conditions.collect::<Result<_, _>>().unwrap()
    };
    lists.iter().map(list).collect()
}

fn cohort(acquisition: &[&str], measurements: &[&str], specimens: &[&str]) -> FindImaging {
    let specimen = |list: &&str| AnyOf(list.split('|').map(Pattern::like).collect());
    FindImaging {
        patients: Vec::new(),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
        acquisition: conditions(acquisition),
        measurements: conditions(measurements),
        specimens: AllOf(specimens.iter().map(specimen).collect()),
    }
}

fn names(uuids: &[&EntryUuid]) -> Vec<String> {
    uuids.iter().map(ToString::to_string).collect()
}

pub(crate) async fn conditions_hold_for_one_series(site: Site) {
    let site = site.with_patients().await;
    let thin = series(
        1,
        &["Modality=CT", "SliceThickness=1", "ConvolutionKernel=B70f"],
    );
    let thick = series(
        2,
        &["Modality=CT", "SliceThickness=5", "ConvolutionKernel=B30f"],
    );
    let sharp = series(
        3,
        &["Modality=CT", "SliceThickness=5", "ConvolutionKernel=B60f"],
    );
    let both = site.images("P1", &[thin.clone(), thick.clone()]).await;
    let one = site.images("P1", &[thick.clone(), sharp]).await;
    let other = site.images("P2", &[thick]).await;
    let plain = one_document(&site).await;
    let all = names(&[&both, &one, &other]);
    assert_eq!(site.with(&["Modality eq CT"]).await, all);
    assert!(!all.contains(&plain.to_string()));
    // Of one slot any, of several all, but in the same series.
    for (asked, found) in [
        (&["SliceThickness le 1.5 mm"][..], &[&both][..]),
        (
            &["SliceThickness le 1.5 mm", "ConvolutionKernel eq B70f"],
            &[&both],
        ),
        (
            &["SliceThickness le 1.5 mm", "ConvolutionKernel eq B30f"],
            &[],
        ),
        (
            &[
                "SliceThickness eq 5 mm",
                "ConvolutionKernel eq B70f|ConvolutionKernel eq B60f",
            ],
            &[&one],
        ),
        (
            &["ConvolutionKernel eq B70f|ConvolutionKernel eq B60f"],
            &[&both, &one],
        ),
        (
            &["ConvolutionKernel like B_0f", "SliceThickness gt 1 mm"],
            &[&both, &one, &other],
        ),
        (&["ConvolutionKernel like B7%"], &[&both]),
        (&["ConvolutionKernel like b7%"], &[]),
        (
            &[
                "SliceThickness between 0.4 and 0.5 cm",
                "ConvolutionKernel ne B30f",
            ],
            &[&one],
        ),
        (&["ConvolutionKernel ne B30f"], &[&both, &one]),
        (&["KVP absent", "ConvolutionKernel eq B70f"], &[&both]),
        (&["KVP absent"], &[&both, &one, &other]),
        (&["KVP present"], &[]),
        (&["KVP ne 120 kV"], &[]),
        (&["KVP eq 120 kV|SliceThickness lt 1001 um"], &[&both]),
    ] {
        assert_eq!(site.with(asked).await, names(found), "{asked:?}");
    }
}

/// A document that says nothing of images.
async fn one_document(site: &Site) -> EntryUuid {
    let (submission, uuid) = one(&patient("P1"));
    site.accept(&submission).await;
    uuid
}
