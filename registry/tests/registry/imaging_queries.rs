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
    AssociationType, Code, DocumentEntry, DocumentEntryType, EntryUuid, HomeCommunityId, PatientId,
    ReferenceId,
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
pub(crate) fn series(uid: u32, values: &[&str]) -> SeriesParameters {
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

/// The slots of a document of these series.
pub(crate) fn images_of(series: &[SeriesParameters]) -> Vec<Slot> {
    acquisition::to_slots(series)
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

pub(crate) fn cohort(
    acquisition: &[&str],
    measurements: &[&str],
    specimens: &[&str],
) -> FindImaging {
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

/// Every parameter of FindDocuments narrows our queries, too; without patients, all are meant.
pub(crate) async fn documents_are_narrowed_as_ever(site: Site) {
    let site = site.with_patients().await;
    let thin = [series(1, &["SliceThickness=1"])];
    let (mut ct, first) = images(&patient("P1"), &thin);
    ct.event_codes = vec![Code::new("CT", "1.2.3.8", "CT")];
    ct.reference_ids = vec![ReferenceId::study("1.2.3.4")];
    site.accept_document(&ct).await;
    let second = site.images("P2", &thin).await;
    let asked = cohort(&["SliceThickness le 1.5 mm"], &[], &[]);
    assert_eq!(site.found(&asked).await, names(&[&first, &second]));
    let of_first = FindImaging {
        patients: vec![patient("P1"), patient("Nobody")],
        ..asked.clone()
    };
    assert_eq!(site.found(&of_first).await, names(&[&first]));
    for (event, reference, found) in [
        ("CT^^1.2.3.8", "%", vec![&first]),
        ("MR^^1.2.3.8", "%", vec![]),
        ("CT^^1.2.3.8", "1.2.3.4%", vec![&first]),
        ("CT^^1.2.3.8", "1.2.3.5%", vec![]),
    ] {
        let mut narrowed = asked.clone();
        narrowed.filter.event_codes = AllOf(vec![AnyOf(vec![Pattern::exact(event)])]);
        narrowed.filter.reference_ids = AllOf(vec![AnyOf(vec![Pattern::like(reference)])]);
        assert_eq!(
            site.found(&narrowed).await,
            names(&found),
            "{event} {reference}"
        );
    }
    // The home community is in references as in those of other queries.
    let query = StoredQuery::FindDocumentsForCohort(of_first);
    let references = site.ask(&query, ReturnType::ObjectRef).await;
    assert_eq!(references.objects[0].home.as_deref(), Some("urn:oid:1.2.3"));
}

pub(crate) async fn our_queries_over_the_wire(site: Site) {
    let site = site.with_patients().await;
    let one = site
        .images("P1", &[series(1, &["RepetitionTime=2000"])])
        .await;
    let id = "urn:hilum:query:2026:FindDocumentsByAcquisition";
    let found = site
        .asked(id, &[("$HilumAcquisition", "('RepetitionTime ge 2 s')")])
        .await;
    assert_eq!(
        (found.status, &found.objects[0].id),
        (ResponseStatus::Success, &one.0)
    );
    for (slots, code, said) in [
        (
            vec![],
            ErrorCode::StoredQueryMissingParam,
            "$HilumAcquisition is missing",
        ),
        (
            vec![("$HilumAcquisition", "('RepetitionTme ge 2 s')")],
            ErrorCode::RegistryError,
            "condition 1: it names no acquisition parameter; the nearest one is RepetitionTime",
        ),
        (
            vec![("$HilumAcquisition", "('RepetitionTime ge 2 mm')")],
            ErrorCode::RegistryError,
            "RepetitionTime is not measured in this unit; values are in ms",
        ),
    ] {
        let answer = site.asked(id, &slots).await;
        assert_eq!(answer.status, ResponseStatus::Failure);
        assert_eq!(answer.errors[0].code, code);
        assert!(
            answer.errors[0].context.contains(said),
            "{:?}",
            answer.errors
        );
    }
    // One record for each patient that is named, with the query's id.
    let before = site.audit().len();
    let id = QueryKind::FindDocumentsByAcquisition.id();
    let two = "('P1^^^&1.2.3.9&ISO','P2^^^&1.2.3.9&ISO')";
    let slots = [
        ("$HilumAcquisition", "('RepetitionTime ge 2 s')"),
        ("$XDSDocumentEntryPatientId", two),
    ];
    let found = site.asked(id, &slots).await;
    assert_eq!(found.objects.len(), 1);
    let records = &site.audit()[before..];
    let patients = records.iter().filter_map(|it| it.patient.as_deref());
    let patients: Vec<&str> = patients.collect();
    assert_eq!(patients, ["P1^^^&1.2.3.9&ISO", "P2^^^&1.2.3.9&ISO"]);
    for record in records {
        assert_eq!(record.transaction.as_deref(), Some("ITI-18"));
        assert!(record.objects.iter().any(|it| it == id), "{record:?}");
    }
}

/// XDSTooManyResults, as for other queries.
pub(crate) async fn too_many_images_are_not_answered(site: Site) {
    let site = site
        .with_patients()
        .await
        .configured(|config| config.max_results = 2);
    for _ in 0..3 {
        site.images(
            "P1",
            &[
                series(1, &["SliceThickness=1"]),
                series(2, &["SliceThickness=2"]),
            ],
        )
        .await;
    }
    let query = |text| StoredQuery::FindDocumentsByAcquisition(cohort(&[text], &[], &[]));
    let refused = site.query(&query("SliceThickness le 2 mm")).await;
    assert_eq!(refused.errors[0].code, ErrorCode::TooManyResults);
    assert!(site.find(&query("SliceThickness gt 2 mm")).await.is_empty());
}

fn code(code: &str) -> Code {
    Code::new(code, SCT, "Something")
}

/// So much of a concept, in this unit.
fn measured(concept: &str, value: f64, unit: &str) -> Measurement {
    Measurement {
        concept: Some(code(concept)),
        value: Some(value),
        unit: Some(Code::new(unit, "2.16.840.1.113883.6.8", unit)),
        ..Measurement::default()
    }
}

impl Site {
    /// Registers a document with measured values; gives its name.
    async fn values(&self, of: &str, measured: &[Measurement]) -> EntryUuid {
        let uuid = new_uuid();
        let mut entry = document(&patient(of), uuid.as_str());
        entry.extra.slots.extend(measurement::to_slots(measured));
        self.accept_document(&entry).await;
        uuid
    }
}

pub(crate) async fn measured_values_are_found(site: Site) {
    let site = site.with_patients().await;
    let in_lung = Measurement {
        site: Some(code("lung")),
        laterality: Some(code("left")),
        finding: Some(code("nodule")),
        method: Some(code("by hand")),
        derivation: Some(code("maximum")),
        algorithm: Some(("LungCAD".to_owned(), "2.1".to_owned())),
        tracking_identifier: Some("lesion 1".to_owned()),
        tracking_uid: Some("1.2.3.77".to_owned()),
        source_series: vec!["1.2.3.5".to_owned(), "1.2.3.6".to_owned()],
        ..measured("volume", 1500.0, "mm3")
    };
    let in_liver = Measurement {
        site: Some(code("liver")),
        ..measured("volume", 0.2, "cm3")
    };
    let judgement = Measurement {
        concept: Some(code("category")),
        coded_value: Some(Code::new("4A", "1.2.3.8", "4A")),
        ..Measurement::default()
    };
    let uptake = measured("uptake", 4.0, "{SUVbw}g/ml");
    let lung = site.values("P1", &[in_lung, uptake]).await;
    let liver = site.values("P2", &[in_liver, judgement]).await;
    for (asked, found) in [
        (&["volume^^SCT gt 1 cm3"][..], &[&lung][..]),
        (&["volume^^SCT le 200 mm3"], &[&liver]),
        (&["volume^^SCT lt 200 mm3"], &[]),
        (&["volume^^SCT between 0.2 and 1.5 ml"], &[&lung, &liver]),
        (&["volume^^SCT eq 1.5 cm3"], &[&lung]),
        (&["volume^^SCT ne 1.5 cm3"], &[&liver]),
        // A length is no volume, and a number no range of volumes.
        (&["volume^^SCT gt 1 mm"], &[]),
        (&["volume^^SCT gt 1"], &[]),
        (&["volume^^1.2.3 gt 1 cm3"], &[]),
        (&["volume^^SCT"], &[&lung, &liver]),
        (&["volume^^SCT present; site lung^^SCT"], &[&lung]),
        // All of a condition is about one value; several conditions may be about several.
        (&["volume^^SCT lt 1 cm3; site lung^^SCT"], &[]),
        (&["volume^^SCT gt 1 cm3", "uptake^^SCT ge 4 g/ml"], &[&lung]),
        (&["volume^^SCT gt 1 cm3", "category^^SCT"], &[]),
        (
            &["volume^^SCT gt 1 cm3|category^^SCT eq 4A^^1.2.3.8"],
            &[&lung, &liver],
        ),
        (&["category^^SCT ne 4A^^1.2.3.8"], &[]),
        (&["category^^SCT ne 3^^1.2.3.8"], &[&liver]),
        (
            &["volume^^SCT; laterality left^^SCT; finding nodule^^SCT"],
            &[&lung],
        ),
        (&["volume^^SCT; laterality right^^SCT"], &[]),
        (
            &["volume^^SCT; method by hand^^SCT; derivation maximum^^SCT"],
            &[&lung],
        ),
        (&["volume^^SCT; algorithm LungCAD"], &[&lung]),
        (&["volume^^SCT; algorithm Lung%"], &[&lung]),
        (&["volume^^SCT; algorithm lungcad"], &[]),
        (&["volume^^SCT; tracking lesion 1"], &[&lung]),
        (&["volume^^SCT; tracking 1.2.3.77"], &[&lung]),
        (&["volume^^SCT; series 1.2.3.6"], &[&lung]),
        (&["volume^^SCT; series 1.2.3"], &[]),
        (&["uptake^^SCT ge 4 {SUVbw}g/ml"], &[&lung]),
        (&["uptake^^SCT ge 4 {SUVlbm}g/ml"], &[]),
    ] {
        assert_eq!(site.measured(asked).await, names(found), "{asked:?}");
    }
}

pub(crate) async fn everything_is_asked_at_once(site: Site) {
    let site = site.with_patients().await;
    let sharp = series(
        1,
        &[
            "SliceThickness=1.25",
            "ConvolutionKernel=B70f",
            "bodyPart=51185008",
        ],
    );
    let smooth = series(2, &["SliceThickness=1.25", "ConvolutionKernel=B30f"]);
    let specimen = ReferenceId::specimen("S-1", Some("1.2.3.4"));
    let mut documents = Vec::new();
    for (series, volume, specimens) in [
        (&sharp, 1500.0, vec![specimen.clone()]),
        (&smooth, 1500.0, vec![specimen.clone()]),
        (&sharp, 15.0, vec![specimen]),
        (&sharp, 1500.0, vec![]),
    ] {
        let (mut entry, uuid) = images(&patient("P1"), std::slice::from_ref(series));
        let values = [measured("volume", volume, "mm3")];
        entry.extra.slots.extend(measurement::to_slots(&values));
        entry.reference_ids = specimens;
        site.accept_document(&entry).await;
        documents.push(uuid);
    }
    let made = [
        "SliceThickness le 1.5 mm",
        "ConvolutionKernel eq B70f|ConvolutionKernel eq B60f",
        "bodyPart eq 51185008^^SCT",
    ];
    let measured = ["volume^^SCT gt 1 cm3"];
    let asked = |specimens: &[&str]| cohort(&made, &measured, specimens);
    assert_eq!(site.found(&asked(&["S-1"])).await, names(&[&documents[0]]));
    let both = names(&[&documents[0], &documents[3]]);
    assert_eq!(site.found(&asked(&[])).await, both);
    // What is rare narrows down what is not, whichever it is.
    let only = cohort(&[], &measured, &["S-1"]);
    assert_eq!(
        site.found(&only).await,
        names(&[&documents[0], &documents[1]])
    );
}

pub(crate) async fn specimens_are_found(site: Site) {
    let site = site.with_patients().await;
    let mut documents = Vec::new();
    for (of, references) in [
        ("P1", vec![ReferenceId::specimen("S-1", Some("1.2.3.4"))]),
        (
            "P2",
            vec![
                ReferenceId::specimen("S-1", Some("1.2.3.5")),
                ReferenceId::specimen("T-1", None),
            ],
        ),
        ("P2", vec![ReferenceId::accession("S-1", "1.2.3.4")]),
        ("P2", vec![ReferenceId::specimen_uid("1.2.3.99")]),
    ] {
        let uuid = new_uuid();
        let mut entry = document(&patient(of), uuid.as_str());
        entry.reference_ids = references;
        site.accept_document(&entry).await;
        documents.push(uuid);
    }
    let [a, b, _, d] = &documents[..] else {
        unreachable!()
    };
    for (asked, found) in [
        (&["S-1"][..], &[a, b][..]),
        (&["S-1^^^&1.2.3.5&ISO"], &[b]),
        (&["S-%"], &[a, b]),
        (&["s-1"], &[]),
        (&["S"], &[]),
        (&["%-1"], &[a, b]),
        (&["S-1", "T-1"], &[b]),
        (&["S-1^^^&1.2.3.4&ISO|T-1"], &[a, b]),
        (&["1.2.3.99"], &[d]),
    ] {
        let query = cohort(&[], &[], asked);
        assert_eq!(site.found(&query).await, names(found), "{asked:?}");
        let by_specimen = StoredQuery::FindDocumentsBySpecimen(query);
        assert_eq!(site.find(&by_specimen).await.len(), found.len());
    }
}

/// New versions are indexed, old ones are seen by those who know of versions; statuses and merges
/// are those of the documents.
pub(crate) async fn images_change_with_their_documents(site: Site) {
    let site = site.with_patients().await;
    let (entry, first) = images(&patient("P1"), &[series(1, &["SliceThickness=1"])]);
    site.accept_document(&entry).await;
    let mut update = crate::iti57::new_version(&entry, "Next", "1");
    let slots = acquisition::to_slots(&[series(1, &["SliceThickness=3"])]);
    update.document_entries[0].extra.slots = slots;
    succeeded(&site.update(&update).await);
    assert!(site.with(&["SliceThickness eq 1 mm"]).await.is_empty());
    let newer = site.with(&["SliceThickness eq 3 mm"]).await;
    assert_eq!(newer.len(), 1);
    let mut any = cohort(&["SliceThickness le 3 mm"], &[], &[]);
    any.statuses = vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated];
    assert_eq!(site.found(&any).await, newer);
    let query = StoredQuery::FindDocumentsByAcquisition(any.clone());
    let versions: Vec<String> = site
        .find_all(&query)
        .await
        .into_iter()
        .map(|it| it.id)
        .collect();
    assert_eq!(versions, [first.to_string(), newer[0].clone()]);
    // A correction by ITI-92 is a version, too.
    let mut corrected = update.document_entries[0].clone();
    corrected.entry_uuid = EntryUuid::from(newer[0].as_str());
    let mut correction = crate::iti57::new_version(&corrected, "Third", "2");
    let home = Some(HomeCommunityId::from("urn:oid:1.2.3"));
    correction
        .submission_set
        .home_community_id
        .clone_from(&home);
    correction.document_entries[0].home_community_id = home;
    let slots = acquisition::to_slots(&[series(1, &["SliceThickness=4"])]);
    correction.document_entries[0].extra.slots = slots;
    succeeded(&site.restricted_update(&correction).await);
    let third = site.with(&["SliceThickness eq 4 mm"]).await;
    assert_eq!(third.len(), 1);
    // What replaces it is found in its place.
    let (entry, replacement) = images(&patient("P1"), &[series(2, &["SliceThickness=4"])]);
    let mut submission = empty(&patient("P1"));
    submission.add_document(entry);
    let old = EntryUuid::from(third[0].as_str());
    submission.relate(replacement.clone(), AssociationType::Replace, old);
    site.accept(&submission).await;
    assert_eq!(
        site.with(&["SliceThickness eq 4 mm"]).await,
        names(&[&replacement])
    );
    any.acquisition = conditions(&["SliceThickness eq 4 mm"]);
    assert_eq!(site.found(&any).await.len(), 2);
    // A merge hides nothing, and the survivor is asked for.
    site.taken(&crate::iti8::merge("P1", "P2")).await;
    any.patients = vec![patient("P2")];
    assert_eq!(site.found(&any).await.len(), 2);
    any.patients = vec![patient("P1")];
    assert!(site.found(&any).await.is_empty());
}

/// Nothing is left in any table of what is removed.
pub(crate) async fn what_is_removed_leaves_no_index(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let of_series = [series(
        1,
        &["SliceThickness=1|2", "bodyPart=1", "ConvolutionKernel=a"],
    )];
    let (mut entry, _) = images(&p1, &of_series);
    let values = [measured("volume", 1.0, "ml")];
    entry.extra.slots.extend(measurement::to_slots(&values));
    entry.reference_ids = vec![ReferenceId::specimen("S-1", Some("1.2.3.4"))];
    site.accept_document(&entry).await;
    assert_eq!(site.with(&["SliceThickness eq 2 mm"]).await.len(), 1);
    let all = site.find_all(&crate::iti57::everything(&p1)).await;
    let all: Vec<EntryUuid> = all.into_iter().map(|it| EntryUuid(it.id)).collect();
    succeeded(&site.remove(&all).await);
    for table in [
        "acquisitions",
        "acquisition_numbers",
        "acquisition_words",
        "measurements",
        "specimens",
    ] {
        // A patient needs an identifier, so this fails if there is any row.
        site.sabotage(&format!(
            "INSERT INTO patients (patient_id, next_seq, known_since) SELECT NULL, 0, 0 FROM {table}"
        ));
    }
}

/// What an on-demand document says is asked for as on-demand documents are.
pub(crate) async fn on_demand_documents_with_images(site: Site) {
    let site = site.with_patients().await;
    let (mut entry, uuid) = images(&patient("P1"), &[series(1, &["SliceThickness=1"])]);
    entry.entry_type = DocumentEntryType::OnDemand;
    (entry.creation_time, entry.hash, entry.size) = (None, None, None);
    let mut submission = empty(&patient("P1"));
    submission.add_document(entry);
    assert_eq!(site.submit_on_demand(&submission).await.errors, []);
    let mut query = cohort(&["SliceThickness eq 1 mm"], &[], &[]);
    assert!(site.found(&query).await.is_empty());
    query.filter.entry_types.push(DocumentEntryType::OnDemand);
    assert_eq!(site.found(&query).await, names(&[&uuid]));
}

/// Slots some of which say something.
fn odd_slots() -> Vec<Slot> {
    let slot = |name: &str, values: &[&str]| Slot {
        name: name.to_owned(),
        slot_type: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![
        slot(
            "urn:hilum:acquisition:2026",
            &["Modality=CT", "KVP=120 V", "Nonsense=1", "KVP"],
        ),
        slot(
            "urn:hilum:acquisition:2026:1.2.3",
            &["SliceThickness=1 mm", "Modality="],
        ),
        slot("urn:hilum:acquisition:2026:Doe", &["SliceThickness=7 mm"]),
        slot("urn:hilum:measurement:2026:1", &["value=1"]),
        slot(
            "urn:hilum:measurement:2026:2",
            &["concept=1^One^1.2.3", "value=many"],
        ),
        slot("urn:hilum:acquisition:2027", &["anything"]),
    ]
}

/// Slots that are not understood are kept as they came, what is understood beside them is indexed,
/// and the sender is told.
pub(crate) async fn what_is_not_understood_is_kept(site: Site) {
    let site = site.with_patients().await;
    let slots = odd_slots();
    let uuid = new_uuid();
    let mut entry = document(&patient("P1"), uuid.as_str());
    entry.extra.slots.clone_from(&slots);
    let mut submission = empty(&patient("P1"));
    submission.add_document(entry);
    let response = site.submit(&submission).await;
    assert_eq!(response.status, ResponseStatus::Success);
    let [warning] = &response.errors[..] else {
        panic!("{:#?}", response.errors);
    };
    assert_eq!(warning.code, ErrorCode::RegistryMetadataError);
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.location.as_deref(), Some(uuid.as_str()));
    for said in [
        "urn:hilum:acquisition:2026 value 2 is not of the parameter's kind or unit",
        "urn:hilum:acquisition:2026 value 3 names no known parameter",
        "urn:hilum:acquisition:2026:Doe does not name a series",
        "urn:hilum:measurement:2026:1 does not say what was measured",
        "urn:hilum:measurement:2026:2 value 2 is not understood",
    ] {
        assert!(
            warning.context.contains(said),
            "{said}: {}",
            warning.context
        );
    }
    assert!(!warning.context.contains("2027"), "{}", warning.context);
    assert_eq!(
        site.with(&["SliceThickness le 1 mm"]).await,
        names(&[&uuid])
    );
    assert!(site.with(&["SliceThickness gt 1 mm"]).await.is_empty());
    assert!(site.with(&["KVP present"]).await.is_empty());
    assert_eq!(site.measured(&["1^^1.2.3"]).await, names(&[&uuid]));
    let query = StoredQuery::FindDocumentsForCohort(cohort(&["SliceThickness present"], &[], &[]));
    let kept = &site.find(&query).await[0];
    for slot in &slots {
        assert!(kept.slots.contains(slot), "{slot:?}");
    }
}

/// With extra_metadata = "drop" there is no index.
pub(crate) async fn what_is_dropped_is_not_indexed(site: Site) {
    let site = site.with_patients().await;
    let site = site.configured(|config| config.extra_metadata = ExtraMetadata::Drop);
    let (entry, _) = images(&patient("P2"), &[series(1, &["SliceThickness=1"])]);
    let mut submission = empty(&patient("P2"));
    submission.add_document(entry);
    let response = site.submit(&submission).await;
    assert_eq!(response.errors.len(), 1);
    assert_eq!(response.errors[0].code, ErrorCode::ExtraMetadataNotSaved);
    assert!(site.with(&["SliceThickness present"]).await.is_empty());
}
