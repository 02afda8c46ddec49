//! ITI-18 as it is written: which parameters there are, how often, and in which form. The tables
//! are the framework's, written down here once more, so that a slip in ours is seen.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, Slot};
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;

use crate::site::Site;
use crate::words::{code, document, empty, patient, time};

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const STABLE: &str = "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')";
const P1: &str = "'P1^^^&1.2.3.9&ISO'";
const FIND_DOCUMENTS: &str = "14d4debf-8f97-4251-9a74-a90016b0af0d";

/// A parameter is `R`equired, `O`ptional, or one of a pair of which exactly one is (`P`); it has
/// one value (`1`), a list (`L`), or lists that are all to be satisfied (`A`).
type Table = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const TABLES: &[Table] = &[
    (
        "ITI TF-2 3.18.4.1.2.3.7.1",
        FIND_DOCUMENTS,
        &[
            ("$XDSDocumentEntryPatientId", "R1"),
            ("$XDSDocumentEntryClassCode", "OL"),
            ("$XDSDocumentEntryTypeCode", "OL"),
            ("$XDSDocumentEntryPracticeSettingCode", "OL"),
            ("$XDSDocumentEntryCreationTimeFrom", "O1"),
            ("$XDSDocumentEntryCreationTimeTo", "O1"),
            ("$XDSDocumentEntryServiceStartTimeFrom", "O1"),
            ("$XDSDocumentEntryServiceStartTimeTo", "O1"),
            ("$XDSDocumentEntryServiceStopTimeFrom", "O1"),
            ("$XDSDocumentEntryServiceStopTimeTo", "O1"),
            ("$XDSDocumentEntryHealthcareFacilityTypeCode", "OL"),
            ("$XDSDocumentEntryEventCodeList", "OA"),
            ("$XDSDocumentEntryConfidentialityCode", "OA"),
            ("$XDSDocumentEntryAuthorPerson", "OL"),
            ("$XDSDocumentEntryFormatCode", "OL"),
            ("$XDSDocumentEntryStatus", "RL"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.2",
        "f26abbcb-ac74-4422-8a30-edb644bbc1a9",
        &[
            ("$XDSSubmissionSetPatientId", "R1"),
            ("$XDSSubmissionSetSourceId", "OL"),
            ("$XDSSubmissionSetSubmissionTimeFrom", "O1"),
            ("$XDSSubmissionSetSubmissionTimeTo", "O1"),
            ("$XDSSubmissionSetAuthorPerson", "O1"),
            ("$XDSSubmissionSetContentType", "OL"),
            ("$XDSSubmissionSetStatus", "RL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.3",
        "958f3006-baad-4929-a4de-ff1114824431",
        &[
            ("$XDSFolderPatientId", "R1"),
            ("$XDSFolderLastUpdateTimeFrom", "O1"),
            ("$XDSFolderLastUpdateTimeTo", "O1"),
            ("$XDSFolderCodeList", "OA"),
            ("$XDSFolderStatus", "RL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.4",
        "10b545ea-725c-446d-9b95-8aeb444eddf3",
        &[
            ("$patientId", "R1"),
            ("$XDSDocumentEntryStatus", "RL"),
            ("$XDSSubmissionSetStatus", "RL"),
            ("$XDSFolderStatus", "RL"),
            ("$XDSDocumentEntryFormatCode", "OL"),
            ("$XDSDocumentEntryConfidentialityCode", "OA"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.5",
        "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
        &[
            ("$XDSDocumentEntryEntryUUID", "PL"),
            ("$XDSDocumentEntryUniqueId", "PL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.6",
        "5737b14c-8a1a-4539-b659-e03a34a5e1e4",
        &[("$XDSFolderEntryUUID", "PL"), ("$XDSFolderUniqueId", "PL")],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.7",
        "a7ae438b-4bc2-4642-93e9-be891f7bb155",
        &[("$uuid", "RL")],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.8",
        "bab9529a-4a10-40b3-a01f-f68a615d247a",
        &[
            ("$XDSDocumentEntryEntryUUID", "PL"),
            ("$XDSDocumentEntryUniqueId", "PL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.9",
        "51224314-5390-4169-9b91-b1980040715a",
        &[("$uuid", "RL")],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.10",
        "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
        &[
            ("$XDSSubmissionSetEntryUUID", "P1"),
            ("$XDSSubmissionSetUniqueId", "P1"),
            ("$XDSDocumentEntryFormatCode", "OL"),
            ("$XDSDocumentEntryConfidentialityCode", "OA"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.11",
        "b909a503-523d-4517-8acf-8e5834dfc4c7",
        &[
            ("$XDSFolderEntryUUID", "P1"),
            ("$XDSFolderUniqueId", "P1"),
            ("$XDSDocumentEntryFormatCode", "OL"),
            ("$XDSDocumentEntryConfidentialityCode", "OA"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.12",
        "10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
        &[
            ("$XDSDocumentEntryEntryUUID", "P1"),
            ("$XDSDocumentEntryUniqueId", "P1"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.13",
        "d90e5407-b356-4d91-a89f-873917b4b0e6",
        &[
            ("$XDSDocumentEntryEntryUUID", "P1"),
            ("$XDSDocumentEntryUniqueId", "P1"),
            ("$AssociationTypes", "RL"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
    (
        "ITI TF-2 3.18.4.1.2.3.7.14",
        "12941a89-e02e-4be5-967c-ce4bfc8fe492",
        &[
            ("$XDSDocumentEntryPatientId", "R1"),
            ("$XDSDocumentEntryReferenceIdList", "RA"),
            ("$XDSDocumentEntryClassCode", "OL"),
            ("$XDSDocumentEntryTypeCode", "OL"),
            ("$XDSDocumentEntryPracticeSettingCode", "OL"),
            ("$XDSDocumentEntryCreationTimeFrom", "O1"),
            ("$XDSDocumentEntryCreationTimeTo", "O1"),
            ("$XDSDocumentEntryServiceStartTimeFrom", "O1"),
            ("$XDSDocumentEntryServiceStartTimeTo", "O1"),
            ("$XDSDocumentEntryServiceStopTimeFrom", "O1"),
            ("$XDSDocumentEntryServiceStopTimeTo", "O1"),
            ("$XDSDocumentEntryHealthcareFacilityTypeCode", "OL"),
            ("$XDSDocumentEntryEventCodeList", "OA"),
            ("$XDSDocumentEntryConfidentialityCode", "OA"),
            ("$XDSDocumentEntryAuthorPerson", "OL"),
            ("$XDSDocumentEntryFormatCode", "OL"),
            ("$XDSDocumentEntryStatus", "RL"),
            ("$XDSDocumentEntryType", "OL"),
        ],
    ),
];

/// A value as this parameter has it, without the parentheses of a list.
fn value(name: &str) -> &'static str {
    match name {
        _ if name.ends_with("atientId") => P1,
        _ if name.ends_with("Status") => "'urn:oasis:names:tc:ebxml-regrep:StatusType:Approved'",
        _ if name.ends_with("From") || name.ends_with("To") => "2024",
        _ if name.ends_with("UUID") || name == "$uuid" => {
            "'urn:uuid:5655a680-1b6a-41dd-bd0b-0800200c9a66'"
        }
        "$XDSDocumentEntryType" => "'urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1'",
        "$AssociationTypes" => "'urn:ihe:iti:2007:AssociationType:RPLC'",
        _ if name.contains("Code") || name.ends_with("ContentType") => "'a code^^1.2.3.8'",
        _ => "'1.2.3'",
    }
}

fn written(name: &str, how: &str) -> String {
    match how.ends_with('1') {
        true => value(name).to_owned(),
        false => format!("({})", value(name)),
    }
}

type Slots = Vec<(String, String)>;

async fn ask(site: &Site, id: &str, slots: &[(String, String)]) -> AdhocQueryResponse {
    let slot = |(name, value): &(String, String)| Slot::single(name, value);
    send(
        site,
        &AdhocQueryRequest {
            return_type: ReturnType::LeafClass,
            id: format!("urn:uuid:{id}"),
            home: None,
            slots: slots.iter().map(slot).collect(),
        },
    )
    .await
}

async fn send(site: &Site, request: &AdhocQueryRequest) -> AdhocQueryResponse {
    let client = &site.client;
    let sent = client.send::<RegistryStoredQuery>(&site.url, request, Vec::new());
    sent.await.unwrap().response
}

/// Refused with this code alone, by the name of the parameter.
#[track_caller]
fn refused(answer: &AdhocQueryResponse, code: ErrorCode, name: &str, what: &str) {
    assert_eq!(answer.status, ResponseStatus::Failure, "{what}");
    assert_eq!(answer.objects, [], "{what}");
    for error in &answer.errors {
        assert_eq!(error.code, code, "{what}: {error:?}");
        assert!(error.context.contains(name), "{what}: {error:?}");
    }
    assert_eq!(answer.errors.len(), 1, "{what}: {:?}", answer.errors);
}

#[track_caller]
fn understood(answer: &AdhocQueryResponse, what: &str) {
    assert_eq!(answer.errors, [], "{what}");
    assert_eq!(answer.status, ResponseStatus::Success, "{what}");
}

/// ITI TF-2 3.18.4.1.2.3.7, tables .7.1 to .7.14: every query and every parameter is supported;
/// what is required must be there, of a pair one, and what has one value has one. 3.18.4.1.2.3.5:
/// the same slot again is for attributes with several values only.
pub(crate) async fn every_query_with_every_parameter(site: Site) {
    let site = site.with_patients().await;
    for (section, id, parameters) in TABLES {
        let slots = |wanted: &dyn Fn(&str, &str) -> bool| -> Slots {
            let wanted = parameters.iter().filter(|(name, how)| wanted(name, how));
            let slot = |(name, how): &(&str, &str)| ((*name).to_owned(), written(name, how));
            wanted.map(slot).collect()
        };
        let pair: Vec<&str> = parameters
            .iter()
            .filter(|(_, how)| how.starts_with('P'))
            .map(|(name, _)| *name)
            .collect();
        let given = |name: &str| !pair.contains(&name) || pair.first() == Some(&name);
        let least = slots(&|name, how| !how.starts_with('O') && given(name));
        understood(&ask(&site, id, &least).await, section);
        let most = slots(&|name, _| given(name));
        understood(&ask(&site, id, &most).await, section);
        if let [first, second] = pair[..] {
            let other = slots(&|name, how| how.starts_with('R') || name == second);
            understood(&ask(&site, id, &other).await, section);
            let both = slots(&|_, how| !how.starts_with('O'));
            let answer = ask(&site, id, &both).await;
            refused(&answer, ErrorCode::StoredQueryParamNumber, second, section);
            let neither = slots(&|_, how| how.starts_with('R'));
            let answer = ask(&site, id, &neither).await;
            refused(&answer, ErrorCode::StoredQueryMissingParam, first, section);
        }
        for (name, how) in *parameters {
            let what = format!("{section} {name}");
            if how.starts_with('R') {
                let rest = slots(&|other, how| how.starts_with('R') && other != *name);
                let rest = [rest, slots(&|it, how| how.starts_with('P') && given(it))].concat();
                let answer = ask(&site, id, &rest).await;
                refused(&answer, ErrorCode::StoredQueryMissingParam, name, &what);
            }
            if pair.contains(name) && !given(name) {
                continue;
            }
            let without = slots(&|it, how| !how.starts_with('O') && given(it) && it != *name);
            let with = |values: &[String]| -> Slots {
                let more = values
                    .iter()
                    .map(|value| ((*name).to_owned(), value.clone()));
                without.iter().cloned().chain(more).collect()
            };
            let number = ErrorCode::StoredQueryParamNumber;
            let list = format!("({0},{0})", value(name));
            let answer = ask(&site, id, &with(std::slice::from_ref(&list))).await;
            match how.ends_with('1') {
                true => refused(&answer, number.clone(), name, &what),
                false => understood(&answer, &what),
            }
            let again = [written(name, how), written(name, how)];
            let answer = ask(&site, id, &with(&again)).await;
            match how.ends_with('A') {
                true => understood(&answer, &what),
                false => refused(&answer, number, name, &what),
            }
        }
    }
}

/// A document of 2024-01-02 whose author has a quote and a comma in the name, with three events.
async fn fill(site: &Site) {
    let p1 = patient("P1");
    let mut submission = empty(&p1);
    let mut entry = document(&p1, "Document");
    entry.authors[0].person = Some("^O'Hara^Ann, MD".to_owned());
    entry.event_codes = vec![code("a"), code("b, or 'c'")];
    entry.service_start_time = Some(time("20240101"));
    submission.add_document(entry);
    site.accept(&submission).await;
}

/// FindDocuments with one more slot finds so many.
async fn finds(site: &Site, slots: &[(&str, &[&str])], expected: usize) {
    let mut request = AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: format!("urn:uuid:{FIND_DOCUMENTS}"),
        home: None,
        slots: vec![
            Slot::single("$XDSDocumentEntryPatientId", P1),
            Slot::single("$XDSDocumentEntryStatus", APPROVED),
        ],
    };
    let more = slots.iter().map(|(name, values)| Slot {
        name: (*name).to_owned(),
        slot_type: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    });
    request.slots.extend(more);
    let answer = send(site, &request).await;
    understood(&answer, &format!("{slots:?}"));
    assert_eq!(answer.objects.len(), expected, "{slots:?}");
}

/// ITI TF-2 3.18.4.1.2.3.5: numbers without quotes, strings in single quotes that are doubled
/// inside, lists in parentheses that may be split over several values; one slot is OR, several
/// slots are AND. 3.18.4.1.2.3.4: codes are `code^^scheme`.
pub(crate) async fn values_as_they_are_written(site: Site) {
    let site = site.with_patients().await;
    fill(&site).await;
    let author = "$XDSDocumentEntryAuthorPerson";
    let event = "$XDSDocumentEntryEventCodeList";
    let from = "$XDSDocumentEntryCreationTimeFrom";
    finds(&site, &[(author, &["('^O''Hara^Ann, MD')"])], 1).await;
    finds(&site, &[(author, &["('^O''Hara^Ann', ' MD')"])], 0).await;
    finds(&site, &[(author, &["('^O''Har_^%')"])], 1).await;
    finds(&site, &[(author, &["('^o''hara^%')"])], 0).await;
    let (a, b, c) = ("'a^^1.2.3.8'", "'b, or ''c''^^1.2.3.8'", "'c^^1.2.3.8'");
    let list = |values: &[&str]| format!("({})", values.join(","));
    finds(&site, &[(event, &[&list(&[a])])], 1).await;
    finds(&site, &[(event, &[&list(&[c])])], 0).await;
    finds(&site, &[(event, &[&list(&[c, b])])], 1).await;
    finds(&site, &[(event, &[&list(&[c]), &list(&[b])])], 1).await;
    finds(
        &site,
        &[(event, &[&list(&[a])]), (event, &[&list(&[b])])],
        1,
    )
    .await;
    finds(
        &site,
        &[(event, &[&list(&[a])]), (event, &[&list(&[c])])],
        0,
    )
    .await;
    let or_and = [list(&[a, c]), list(&[b])];
    finds(&site, &[(event, &[&or_and[0]]), (event, &[&or_and[1]])], 1).await;
    // The scheme is a part of the code.
    finds(&site, &[(event, &["('a^^1.2.3.9')"])], 0).await;
    for time in ["20240102030405", "'20240102030405'", "202401"] {
        finds(&site, &[(from, &[time])], 1).await;
    }
    finds(&site, &[(from, &["20240103"])], 0).await;
}

/// ITI TF-2 3.18.4.1.2.3.3.1: who has no service times is not judged by them; 3.18.4.1.2.3.7.1:
/// what is not asked for has no effect, and parameters that a registry does not know, `@home` among
/// them (3.18.4.1.2.3.8), do not disturb it.
pub(crate) async fn what_is_not_known_is_passed_over(site: Site) {
    let site = site.with_patients().await;
    fill(&site).await;
    finds(
        &site,
        &[("$XDSDocumentEntryServiceStopTimeFrom", &["2030"])],
        1,
    )
    .await;
    finds(
        &site,
        &[("$XDSDocumentEntryServiceStartTimeFrom", &["2030"])],
        0,
    )
    .await;
    finds(&site, &[("$SomethingOfTomorrow", &["('x')"])], 1).await;
    finds(
        &site,
        &[("$targetCommunityIdList", &["('urn:oid:1.2')"])],
        1,
    )
    .await;
    let request = AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: format!("urn:uuid:{FIND_DOCUMENTS}"),
        home: Some("urn:oid:1.2.3.99".to_owned()),
        slots: vec![
            Slot::single("$XDSDocumentEntryPatientId", P1),
            Slot::single("$XDSDocumentEntryStatus", APPROVED),
        ],
    };
    assert_eq!(send(&site, &request).await.objects.len(), 1);
}

/// ITI TF-2 3.18.4.1.2.3.6: a status that is not understood counts as not given, and if it is the
/// only one, a required parameter is missing.
pub(crate) async fn statuses_that_nobody_knows(site: Site) {
    let site = site.with_patients().await;
    fill(&site).await;
    let status = |value: &str| -> Slots {
        let value = value.replace("STATUS", "urn:oasis:names:tc:ebxml-regrep:StatusType");
        vec![
            ("$XDSDocumentEntryPatientId".to_owned(), P1.to_owned()),
            ("$XDSDocumentEntryStatus".to_owned(), value),
        ]
    };
    for (value, expected) in [
        ("('STATUS:Approved')", 1),
        ("('STATUS:Approved','STATUS:Submitted')", 1),
        ("('STATUS:Deprecated','Approved')", 0),
    ] {
        let answer = ask(&site, FIND_DOCUMENTS, &status(value)).await;
        understood(&answer, value);
        assert_eq!(answer.objects.len(), expected, "{value}");
    }
    let value = "('urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved')";
    let answer = ask(&site, FIND_DOCUMENTS, &status(value)).await;
    let missing = ErrorCode::StoredQueryMissingParam;
    refused(&answer, missing, "$XDSDocumentEntryStatus", value);
}

/// ITI TF-2 3.18.4.1.2.3.1: LeafClass tells everything of an object, ObjectRef its id; another
/// returnType is refused.
pub(crate) async fn what_is_returned(site: Site) {
    let site = site.with_patients().await;
    fill(&site).await;
    let request = |return_type: ReturnType| AdhocQueryRequest {
        return_type,
        id: format!("urn:uuid:{FIND_DOCUMENTS}"),
        home: None,
        slots: vec![
            Slot::single("$XDSDocumentEntryPatientId", P1),
            Slot::single("$XDSDocumentEntryStatus", APPROVED),
            Slot::single("$XDSDocumentEntryType", STABLE),
        ],
    };
    let whole = send(&site, &request(ReturnType::LeafClass)).await;
    assert!(matches!(
        whole.objects[0].body,
        Body::ExtrinsicObject { .. }
    ));
    let references = send(&site, &request(ReturnType::ObjectRef)).await;
    assert_eq!(references.objects[0].body, Body::ObjectRef);
    assert_eq!(references.objects[0].id, whole.objects[0].id);
    assert_eq!(references.objects[0].slots, []);
    let other = ReturnType::Other("RegistryObject".to_owned());
    let answer = send(&site, &request(other)).await;
    refused(
        &answer,
        ErrorCode::RegistryError,
        "returnType",
        "returnType",
    );
}

/// ITI TF-2 3.18.4.1.2.3.4 and 3.18.4.1.2.3.5: values that cannot be read are refused, by the name
/// of their parameter and without the value.
pub(crate) async fn values_that_cannot_be_read(site: Site) {
    let site = site.with_patients().await;
    for (name, value) in [
        ("$XDSDocumentEntryClassCode", "('secret')"),
        ("$XDSDocumentEntryClassCode", "('secret^^')"),
        ("$XDSDocumentEntryClassCode", "('secret^display^1.2')"),
        ("$XDSDocumentEntryTypeCode", "('secret^^1.2'"),
        ("$XDSDocumentEntryTypeCode", "('secret^^1.2"),
        ("$XDSDocumentEntryCreationTimeFrom", "secret"),
        ("$XDSDocumentEntryCreationTimeTo", "2024-01-02"),
        ("$XDSDocumentEntryType", "('secret')"),
        ("$XDSDocumentEntryPatientId", "'secret'"),
    ] {
        let mut slots: Slots = vec![("$XDSDocumentEntryStatus".to_owned(), APPROVED.to_owned())];
        if name != "$XDSDocumentEntryPatientId" {
            slots.push(("$XDSDocumentEntryPatientId".to_owned(), P1.to_owned()));
        }
        slots.push((name.to_owned(), value.to_owned()));
        let answer = ask(&site, FIND_DOCUMENTS, &slots).await;
        refused(&answer, ErrorCode::RegistryError, name, value);
        assert!(!answer.errors[0].context.contains("secret"), "{value}");
    }
}
