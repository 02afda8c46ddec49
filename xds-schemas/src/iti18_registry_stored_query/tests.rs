use proptest::prelude::*;

use super::bounds::{MOST_CHARACTERS, MOST_PATTERNS, MOST_SLOTS, MOST_VALUES};
use super::*;
use crate::codes::ebrim_uuids::object_type;
use crate::codes::error_code::ErrorCode;
use crate::codes::status::APPROVED;
use crate::ebrim::Slot;
use crate::ebrs::{RegistryError, ReturnType};

const PATIENT: &str = "'P1^^^&1.2.3&ISO'";

fn request(kind: QueryKind, slots: &[(&str, &[&str])]) -> AdhocQueryRequest {
    let slot = |(name, values): &(&str, &[&str])| Slot {
        name: (*name).to_owned(),
        slot_type: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: kind.id().to_owned(),
        home: None,
        slots: slots.iter().map(slot).collect(),
    }
}

/// FindDocuments for a patient, with further slots.
fn find(slots: &[(&str, &[&str])]) -> Result<DocumentFilter, Vec<RegistryError>> {
    let status = format!("('{APPROVED}')");
    let mut all: Vec<(&str, &[&str])> = vec![("$XDSDocumentEntryPatientId", &[PATIENT])];
    let status = [status.as_str()];
    all.push(("$XDSDocumentEntryStatus", &status));
    all.extend(slots);
    match StoredQuery::read(&request(QueryKind::FindDocuments, &all))? {
        StoredQuery::FindDocuments(query) => Ok(query.filter),
        other => panic!("{other:?}"),
    }
}

fn codes(errors: Vec<RegistryError>) -> Vec<ErrorCode> {
    errors.into_iter().map(|error| error.code).collect()
}

fn texts(any: &AnyOf) -> Vec<&str> {
    any.0.iter().map(Pattern::as_str).collect()
}

#[test]
fn there_may_be_so_many_slots_and_values() {
    let code = "$XDSDocumentEntryEventCodeList";
    // The patient and the status are two of each.
    let slots = |count: usize| vec![(code, &["('a^^s')"][..]); count - 2];
    assert!(find(&slots(MOST_SLOTS)).is_ok());
    assert_eq!(
        codes(find(&slots(MOST_SLOTS + 1)).unwrap_err()),
        [ErrorCode::StoredQueryParamNumber]
    );
    let unknown = vec![("$Unknown", &["'x'"][..]); MOST_SLOTS];
    assert_eq!(
        codes(find(&unknown).unwrap_err()),
        [ErrorCode::StoredQueryParamNumber]
    );
    let values = |count: usize| format!("({})", vec!["'a^^s'"; count - 2].join(","));
    for (count, is_read) in [(MOST_VALUES, true), (MOST_VALUES + 1, false)] {
        let values = values(count);
        for name in [code, "$Unknown"] {
            let read = find(&[(name, &[&*values])]);
            assert_eq!(read.is_ok(), is_read, "{count} of {name}");
        }
    }
}

#[test]
fn patterns_are_few_and_values_are_short() {
    let author = "$XDSDocumentEntryAuthorPerson";
    let list = |value: &str, count| format!("({})", vec![value; count].join(","));
    let long = format!("'{}'", "é".repeat(MOST_CHARACTERS));
    let longer = format!("'{}'", "é".repeat(MOST_CHARACTERS + 1));
    for (values, is_read) in [
        (list("'%a_'", MOST_PATTERNS), true),
        (list("'%a_'", MOST_PATTERNS + 1), false),
        (list("'abc'", MOST_PATTERNS + 1), true),
        (long, true),
        (longer, false),
    ] {
        let read = find(&[(author, &[&*values])]);
        assert_eq!(read.is_ok(), is_read, "{}", &values[..20]);
    }
}

#[test]
fn values_are_read_as_senders_write_them() {
    let name = "$XDSDocumentEntryClassCode";
    for (written, read) in [
        (&["('a^^s','b^^s')"][..], &["a^^s", "b^^s"][..]),
        (&["('a^^s')", "('b^^s')"], &["a^^s", "b^^s"]),
        (&["('a^^s' , 'b^^s' )"], &["a^^s", "b^^s"]),
        (&["'a^^s'"], &["a^^s"]),
        (&["a^^s"], &["a^^s"]),
        (&["(a^^s,b^^s)"], &["a^^s", "b^^s"]),
        (&["(\"a^^s\")"], &["a^^s"]),
        (&["('it''s, (one)^^s')"], &["it's, (one)^^s"]),
        (&[" ( 'a^^s' ) "], &["a^^s"]),
        (&["()"], &[]),
        (&[""], &[]),
        (&[], &[]),
    ] {
        let filter = find(&[(name, written)]).unwrap();
        assert_eq!(texts(&filter.class_codes), read, "{written:?}");
    }
    for written in [
        "('a^^s'",
        "('a^^s",
        "'a^^s','b^^s'",
        "('a^^s','b^^s') x",
        "('a^^s' 'b^^s')",
        "(,)",
    ] {
        let errors = find(&[(name, &[written])]).unwrap_err();
        assert_eq!(
            codes(errors.clone()),
            [ErrorCode::RegistryError],
            "{written}"
        );
        assert!(errors[0].context.contains(name) && !errors[0].context.contains("a^^s"));
    }
}

#[test]
fn one_slot_is_or_and_several_are_and() {
    let filter = find(&[
        ("$XDSDocumentEntryEventCodeList", &["('ct^^d','mr^^d')"]),
        ("$XDSDocumentEntryEventCodeList", &["('chest^^s')"]),
    ])
    .unwrap();
    assert!(filter.event_codes.accepts(["mr^^d", "chest^^s"]));
    assert!(!filter.event_codes.accepts(["mr^^d", "ct^^d"]));
    assert!(!filter.event_codes.accepts(["chest^^s"]));
    let twice = [("$XDSDocumentEntryClassCode", &["('a^^s')"][..]); 2];
    assert_eq!(
        codes(find(&twice).unwrap_err()),
        [ErrorCode::StoredQueryParamNumber]
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let asked = request(
        QueryKind::FindDocuments,
        &[
            (
                "$XDSDocumentEntryPatientId",
                &["('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')"],
            ),
            (
                "$XDSDocumentEntryStatus",
                &["('urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved')"],
            ),
            ("$XDSDocumentEntryCreationTimeFrom", &["yesterday"]),
            ("$XDSDocumentEntryFormatCode", &["('PDF')"]),
            ("$XDSDocumentEntryType", &["('urn:uuid:0')"]),
            ("$NobodyKnowsThis", &["((("]),
        ],
    );
    let mut found = codes(StoredQuery::read(&asked).unwrap_err());
    found.sort_by_key(|code| code.as_str().to_owned());
    assert_eq!(
        found,
        [
            ErrorCode::RegistryError,
            ErrorCode::RegistryError,
            ErrorCode::RegistryError,
            ErrorCode::StoredQueryMissingParam,
            ErrorCode::StoredQueryParamNumber,
        ]
    );
}

#[test]
fn what_is_needed_must_be_there() {
    for kind in QueryKind::ALL {
        let nothing = request(*kind, &[]);
        let (right, wrong) = match kind.is_of_several_patients() {
            false => (
                StoredQuery::read(&nothing),
                StoredQuery::read_of_several_patients(&nothing),
            ),
            true => (
                StoredQuery::read_of_several_patients(&nothing),
                StoredQuery::read(&nothing),
            ),
        };
        assert_eq!(
            codes(wrong.unwrap_err()),
            [ErrorCode::UnknownStoredQuery],
            "{kind:?}"
        );
        let errors = right.unwrap_err();
        assert!(!errors.is_empty());
        for error in errors {
            assert_eq!(error.code, ErrorCode::StoredQueryMissingParam, "{kind:?}");
            assert!(error.context.contains(kind.name()), "{}", error.context);
        }
    }
    let both = request(
        QueryKind::GetDocuments,
        &[
            ("$XDSDocumentEntryEntryUUID", &["('urn:uuid:1')"]),
            ("$XDSDocumentEntryUniqueId", &["('1.2')"]),
        ],
    );
    assert_eq!(
        codes(StoredQuery::read(&both).unwrap_err()),
        [ErrorCode::StoredQueryParamNumber]
    );
    let unknown = AdhocQueryRequest {
        id: "urn:uuid:0".to_owned(),
        ..both
    };
    assert_eq!(
        codes(StoredQuery::read(&unknown).unwrap_err()),
        [ErrorCode::UnknownStoredQuery]
    );
}

/// Metadata update 3.18.4.1.2.3.5.1: `$MetadataLevel` is 1 or 2, and 1 if nothing is said.
#[test]
fn how_much_a_consumer_sees() {
    let uuid: (&str, &[&str]) = ("$uuid", &["('urn:uuid:1')"]);
    let level = |level: &[&str]| {
        let asked = request(
            QueryKind::GetAssociations,
            &[uuid, ("$MetadataLevel", level)],
        );
        StoredQuery::read_visible(&asked).map(|(_, visibility)| visibility.level)
    };
    assert_eq!(level(&[]), Ok(MetadataLevel::One));
    assert_eq!(level(&["1"]), Ok(MetadataLevel::One));
    assert_eq!(level(&["2"]), Ok(MetadataLevel::Two));
    assert_eq!(level(&["'2'"]), Ok(MetadataLevel::Two));
    for wrong in ["0", "3", "two", ""] {
        let found = level(&[wrong]);
        match wrong {
            "" => assert_eq!(found, Ok(MetadataLevel::One)),
            _ => assert_eq!(codes(found.unwrap_err()), [ErrorCode::RegistryError]),
        }
    }
    let status = format!("('{APPROVED}','urn:x:unknown')");
    let asked = request(
        QueryKind::GetAssociations,
        &[uuid, ("$XDSAssociationStatus", &[&status])],
    );
    let (query, visibility) = StoredQuery::read_visible(&asked).unwrap();
    assert_eq!(
        visibility.association_statuses,
        [AvailabilityStatus::Approved]
    );
    let again = query.to_visible_request(ReturnType::LeafClass, &visibility);
    assert_eq!(
        StoredQuery::read_visible(&again).unwrap(),
        (query, visibility)
    );
}

/// ITI TF-2 3.51.4.1.2.1: patients are optional and several, if something narrows the query down.
#[test]
fn several_patients_or_all() {
    let status = format!("('{APPROVED}')");
    let status: (&str, &[&str]) = ("$XDSDocumentEntryStatus", &[&status]);
    let kind = QueryKind::FindDocumentsForMultiplePatients;
    let read =
        |slots: &[(&str, &[&str])]| StoredQuery::read_of_several_patients(&request(kind, slots));
    let two = "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')";
    let query = read(&[status, ("$XDSDocumentEntryPatientId", &[two])]).unwrap();
    assert_eq!(query.patients().len(), 2);
    assert_eq!(
        StoredQuery::read_of_several_patients(&query.to_request(ReturnType::ObjectRef)),
        Ok(query)
    );
    for narrow in ["ClassCode", "EventCodeList", "HealthcareFacilityTypeCode"] {
        let name = format!("$XDSDocumentEntry{narrow}");
        let query = read(&[status, (&name, &["('a^^s')"])]).unwrap();
        assert_eq!(query.patients(), []);
    }
    let missing = read(&[status, ("$XDSDocumentEntryTypeCode", &["('a^^s')"])]);
    assert_eq!(
        codes(missing.unwrap_err()),
        [ErrorCode::StoredQueryMissingParam]
    );
    let garbled = read(&[status, ("$XDSDocumentEntryPatientId", &["('P1')"])]);
    assert_eq!(codes(garbled.unwrap_err()), [ErrorCode::RegistryError]);
}

/// CP-ITI-1323, 3.18.4.1.2.3.7.15: what is wanted and what is not exclude each other.
#[test]
fn documents_that_are_not_wanted() {
    let status = format!("('{APPROVED}')");
    let all: [(&str, &[&str]); 2] = [
        ("$XDSDocumentEntryPatientId", &[PATIENT]),
        ("$XDSDocumentEntryStatus", &[&status]),
    ];
    let read = |slots: &[(&str, &[&str])]| {
        let slots: Vec<_> = all.iter().chain(slots).copied().collect();
        StoredQuery::read(&request(QueryKind::FindDocumentsExclude, &slots))
    };
    let query = read(&[
        ("$XDSDocumentEntryClassCodeExclude", &["('a^^s')"]),
        ("$XDSDocumentEntryEventCodeListExclude", &["('b^^s')"]),
        ("$XDSDocumentEntryEventCodeListExclude", &["('c^^s')"]),
    ])
    .unwrap();
    let StoredQuery::FindDocumentsExclude(_, unwanted) = &query else {
        panic!("{query:?}")
    };
    assert_eq!(texts(&unwanted.class_codes), ["a^^s"]);
    assert_eq!(unwanted.event_codes.0.len(), 2);
    let again = StoredQuery::read(&query.to_request(ReturnType::LeafClass));
    assert_eq!(again, Ok(query));
    let both = read(&[
        ("$XDSDocumentEntryClassCodeExclude", &["('a^^s')"]),
        ("$XDSDocumentEntryClassCode", &["('a^^s')"]),
    ]);
    assert_eq!(
        codes(both.unwrap_err()),
        [ErrorCode::StoredQueryParamNumber]
    );
    let stable = format!("('{}')", object_type::STABLE);
    let query = read(&[("$XDSDocumentEntryTypeExclude", &[&stable])]).unwrap();
    let StoredQuery::FindDocumentsExclude(query, _) = query else {
        panic!("{query:?}")
    };
    assert_eq!(query.filter.entry_types, [DocumentEntryType::OnDemand]);
}

/// ITI TF-2 3.18.4.1.2.3.6.2.
#[test]
fn defaults_and_leniency() {
    let filter = find(&[]).unwrap();
    assert_eq!(filter.entry_types, [DocumentEntryType::Stable]);
    let both = format!("('{}','{}')", object_type::ON_DEMAND, object_type::STABLE);
    let filter = find(&[("$XDSDocumentEntryType", &[&both])]).unwrap();
    assert_eq!(
        filter.entry_types,
        [DocumentEntryType::OnDemand, DocumentEntryType::Stable]
    );
    for time in ["2024", "'2024'", "('2024')"] {
        let filter = find(&[("$XDSDocumentEntryCreationTimeTo", &[time])]).unwrap();
        assert_eq!(filter.creation_time.to.unwrap().as_str(), "2024");
    }
    let related = request(
        QueryKind::GetRelatedDocuments,
        &[
            ("$XDSDocumentEntryUniqueId", &["'1.2'"]),
            (
                "$AssociationTypes",
                &["('RPLC','urn:ihe:iti:2007:AssociationType:APND')"],
            ),
        ],
    );
    let StoredQuery::GetRelatedDocuments(query) = StoredQuery::read(&related).unwrap() else {
        panic!();
    };
    assert_eq!(
        query.association_types,
        [AssociationType::Replace, AssociationType::Append]
    );
}

/// ITI TF-2 3.18.4.1.2.3.5.
#[test]
fn wildcards() {
    for (pattern, value, expected) in [
        ("%", "", true),
        ("%Smith%", "^Smith^John", true),
        ("%Smith", "^Smith^John", false),
        ("^Sm_th%", "^Smith^John", true),
        ("_", "", false),
        ("_", "ü", true),
        ("%ü_%", "xüy", true),
        ("%%a", "ba", true),
        ("a%b%c", "a-b-b-c", true),
        ("a%b%c", "a-b-b-d", false),
        ("smith", "Smith", false),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(
            Pattern::like(pattern).matches(value),
            expected,
            "{pattern} {value}"
        );
    }
    assert!(!Pattern::exact("%").matches("a"));
    let hostile = "%a".repeat(100) + "b";
    assert!(!Pattern::like(hostile).matches(&"a".repeat(2_000)));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äé]{1,12}".prop_filter("values have no blanks around", |text| text.trim() == text)
}

fn coded() -> impl Strategy<Value = AnyOf> {
    prop::collection::vec("[A-Za-z',() -]{1,6}\\^\\^[0-9.]{1,6}", 0..3)
        .prop_map(|codes| AnyOf(codes.into_iter().map(Pattern::exact).collect()))
}

proptest! {
    #[test]
    fn a_query_survives_the_wire(
        id in text(),
        codes in coded(),
        events in prop::collection::vec(coded(), 0..3),
        people in prop::collection::vec(text(), 0..3),
        on_demand: bool,
    ) {
        let mut entry_types = vec![DocumentEntryType::Stable];
        entry_types.extend(on_demand.then_some(DocumentEntryType::OnDemand));
        let query = StoredQuery::FindDocuments(FindDocuments {
            patient: PatientId { id, authority: "1.2.3".to_owned() },
            statuses: vec![AvailabilityStatus::Approved],
            filter: DocumentFilter {
                entry_types,
                class_codes: codes,
                event_codes: AllOf(events.into_iter().filter(|any| !any.is_empty()).collect()),
                author_persons: AnyOf(people.into_iter().map(Pattern::like).collect()),
                ..DocumentFilter::default()
            },
        });
        prop_assert_eq!(StoredQuery::read(&query.to_request(ReturnType::LeafClass)), Ok(query));
    }

    #[test]
    fn nothing_makes_reading_panic(values in prop::collection::vec("[a-z'\"(), ^é]{0,12}", 0..4)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        for kind in QueryKind::ALL {
            let slots: Vec<(&str, &[&str])> =
                kind.all_parameters().map(|parameter| (parameter.name, &values[..])).collect();
            drop(StoredQuery::read(&request(*kind, &slots)));
        }
    }
}
