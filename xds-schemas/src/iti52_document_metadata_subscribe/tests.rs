//! What is understood of a Subscribe, and with which fault the rest is refused.

use super::filter::FilterKind;
use super::*;
use crate::ebrim::Slot;
use crate::iti18_registry_stored_query::StoredQuery;
use crate::soap::{self, About, Header};
use crate::xml::{Reader, ToXml, Writer};

/// 2024-01-31T12:00:00Z.
const NOW: u64 = 1_706_702_400;
const LIFETIMES: Lifetimes = Lifetimes {
    usual: 3_600,
    longest: 86_400,
};
const PATIENT: &str = "'st3498702^^^&1.3.6.1.4.1.21367.2005.3.7&ISO'";

fn query(kind: FilterKind, slots: &[(&str, &str)]) -> AdhocQuery {
    AdhocQuery {
        id: kind.id().to_owned(),
        slots: slots
            .iter()
            .map(|(name, value)| Slot::single(*name, *value))
            .collect(),
    }
}

fn of_patient() -> AdhocQuery {
    query(
        FilterKind::DocumentEntry,
        &[("$XDSDocumentEntryPatientId", PATIENT)],
    )
}

fn subscribe() -> Subscribe {
    Subscribe::new("https://a/b", Topic::FullDocumentEntry, of_patient())
}

fn name(namespace: &str, name: &str) -> QName {
    QName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// The name of the fault, and its reason.
fn refused(subscribe: &Subscribe) -> (String, String) {
    let fault = subscribe.judge(NOW, LIFETIMES).unwrap_err();
    let name = fault.subcodes.last().unwrap().name.clone();
    (name, fault.reason)
}

fn is_refused(subscribe: &Subscribe, with: &str, because: &str) {
    let (name, reason) = refused(subscribe);
    assert_eq!(name, with, "{reason}");
    assert!(reason.contains(because), "{reason}");
}

#[test]
fn messages_are_read_as_they_were_written() {
    let mut request = subscribe();
    request.initial_termination_time = Some(TerminationTime::At("PT1H".to_owned()));
    request.policies.push(name(ns::WSNT, "UseRaw"));
    request.filter.others.push(name("urn:x", "Other"));
    let header = Header::request("urn:x", "urn:uuid:1".to_owned(), "http://x");
    let read: Subscribe = soap::read_body(soap::write(&header, &request).as_bytes()).unwrap();
    assert_eq!(read, request);
    request.initial_termination_time = Some(TerminationTime::Never);
    let read: Subscribe = soap::read_body(soap::write(&header, &request).as_bytes()).unwrap();
    assert_eq!(read, request);
    let response = SubscribeResponse {
        subscription: "https://a/subscriptions/1?x&y".to_owned(),
        current_time: None,
        termination_time: Some("2024-01-31T12:00:00Z".to_owned()),
    };
    let read: SubscribeResponse =
        soap::read_body(soap::write(&header, &response).as_bytes()).unwrap();
    assert_eq!(read, response);
}

/// ITI TF-2 3.52.4.1.4, with the ampersands of a message.
#[test]
fn the_example_of_the_framework_is_understood() {
    let message = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
        xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"
        xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">
      <s:Header><a:Action>x</a:Action></s:Header><s:Body><wsnt:Subscribe>
        <!-- where the notification is to be sent -->
        <wsnt:ConsumerReference><a:Address>https://recipient/notification</a:Address></wsnt:ConsumerReference>
        <wsnt:Filter>
          <wsnt:TopicExpression Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">ihe:MinimalDocumentEntry</wsnt:TopicExpression>
          <rim:AdhocQuery id="urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66">
            <rim:Slot name="$XDSDocumentEntryPatientId"><rim:ValueList>
              <rim:Value>'st3498702^^^&amp;1.3.6.1.4.1.21367.2005.3.7&amp;ISO'</rim:Value></rim:ValueList></rim:Slot>
            <rim:Slot name="$XDSDocumentEntryHealthcareFacilityTypeCode"><rim:ValueList>
              <rim:Value>('Emergency Department^^healthcareFacilityCodingScheme')</rim:Value></rim:ValueList></rim:Slot>
          </rim:AdhocQuery>
        </wsnt:Filter>
        <wsnt:InitialTerminationTime>2024-01-31T13:00:00.00000Z</wsnt:InitialTerminationTime>
      </wsnt:Subscribe></s:Body></s:Envelope>"#;
    let read: Subscribe = soap::read_body(message.as_bytes()).unwrap();
    let subscription = read.judge(NOW, LIFETIMES).unwrap();
    assert_eq!(subscription.consumer, "https://recipient/notification");
    assert_eq!(subscription.topic, Topic::MinimalDocumentEntry);
    assert_eq!(subscription.terminates, NOW + 3_600);
    let patient = subscription.filter.patient.unwrap();
    assert_eq!(patient.id, "st3498702");
    let StoredQuery::FindDocuments(query) = subscription.filter.query else {
        panic!("FindDocuments was expected")
    };
    let codes = query.filter.healthcare_facility_type_codes;
    assert!(codes.accepts(["Emergency Department^^healthcareFacilityCodingScheme"]));
    assert!(!codes.accepts(["Ward^^healthcareFacilityCodingScheme"]));
}

/// ITI TF-2 3.52.4.1.3: each fault for what it is meant for.
#[test]
fn each_mistake_has_its_fault() {
    let mut it = subscribe();
    it.filter.topics.clear();
    is_refused(&it, "InvalidFilterFault", "one wsnt:TopicExpression");
    let mut it = subscribe();
    it.filter.topics.push(it.filter.topics[0].clone());
    is_refused(&it, "InvalidFilterFault", "one wsnt:TopicExpression");
    let mut it = subscribe();
    it.filter.others.push(name(ns::WSNT, "MessageContent"));
    is_refused(&it, "InvalidFilterFault", "MessageContent");
    let mut it = subscribe();
    it.filter.queries.clear();
    is_refused(&it, "InvalidFilterFault", "one rim:AdhocQuery");
    let mut it = subscribe();
    it.filter.topics[0].dialect.push_str("/other");
    is_refused(&it, "TopicExpressionDialectUnknownFault", "dialect");
    for text in [
        "",
        "ihe:Full Document",
        "ihe:Full/Document",
        "*",
        "a:b:c",
        "1",
    ] {
        let mut it = subscribe();
        it.filter.topics[0] = TopicExpression::simple(text);
        is_refused(&it, "InvalidTopicExpressionFault", "qualified name");
    }
    let mut it = subscribe();
    it.filter.topics[0] = TopicExpression::simple("ihe:Weather");
    is_refused(&it, "TopicNotSupportedFault", "ihe:FolderMetadata");
    let mut it = subscribe();
    it.policies.push(name(ns::WSNT, "UseRaw"));
    is_refused(&it, "UnsupportedPolicyRequestFault", "UseRaw");
    it.policies[0].name = "Gently".to_owned();
    is_refused(&it, "UnrecognizedPolicyRequestFault", "Gently");
    let mut it = subscribe();
    it.consumer.parameters = true;
    is_refused(&it, "SubscribeCreationFailedFault", "reference parameters");
}

/// ITI TF-2 3.52.4.1.3: moments and durations; WS-BaseNotification 1.3, 4.2.
#[test]
fn a_subscription_ends_when_it_is_asked_to() {
    let judged = |time: Option<TerminationTime>| {
        let mut it = subscribe();
        it.initial_termination_time = time;
        it.judge(NOW, LIFETIMES)
            .map(|subscription| subscription.terminates)
    };
    let at = |text: &str| judged(Some(TerminationTime::At(text.to_owned())));
    assert_eq!(judged(None), Ok(NOW + 3_600));
    assert_eq!(at("PT1S"), Ok(NOW + 1));
    assert_eq!(at("2024-02-01T13:00:00+01:00"), Ok(NOW + 86_400));
    for wrong in [
        "PT0S",
        "-PT1S",
        "1960-01-01T00:00:00Z",
        "2024-01-31T12:00:00Z",
        "P1DT1S",
        "soon",
    ] {
        let fault = at(wrong).unwrap_err();
        assert!(
            fault.is("UnacceptableInitialTerminationTimeFault"),
            "{wrong}"
        );
        let Some(About::Notification(detail)) = fault.about else {
            panic!("a detail was expected")
        };
        let mut writer = Writer::default();
        detail.to_xml(&mut writer);
        let detail = writer.finish();
        assert!(
            detail.contains("MinimumTime>2024-01-31T12:00:01Z<"),
            "{detail}"
        );
        assert!(
            detail.contains("MaximumTime>2024-02-01T12:00:00Z<"),
            "{detail}"
        );
    }
    assert!(judged(Some(TerminationTime::Never)).is_err());
}

fn filter(
    topic: Topic,
    kind: FilterKind,
    slots: &[(&str, &str)],
) -> Result<SubscriptionFilter, String> {
    SubscriptionFilter::read(topic, &query(kind, slots))
}

/// ITI TF-2 3.52.5.2.1, and table 3.52.5.3-1.
#[test]
fn filters_of_documents() {
    let patient = ("$XDSDocumentEntryPatientId", PATIENT);
    let read =
        |slots: &[(&str, &str)]| filter(Topic::FullDocumentEntry, FilterKind::DocumentEntry, slots);
    let everything = read(&[
        patient,
        ("$XDSDocumentEntryClassCode", "('a^^s','b^^s')"),
        ("$XDSDocumentEntryTypeCode", "('a^^s')"),
        ("$XDSDocumentEntryReferenceIdList", "('%^^^^urn:x')"),
        ("$XDSDocumentEntryReferenceIdList", "('y%')"),
        ("$XDSDocumentEntryPracticeSettingCode", "('a^^s')"),
        ("$XDSDocumentEntryHealthcareFacilityTypeCode", "('a^^s')"),
        ("$XDSDocumentEntryEventCodeList", "('a^^s')"),
        ("$XDSDocumentEntryEventCodeList", "('b^^s')"),
        ("$XDSDocumentEntryConfidentialityCode", "('a^^s')"),
        ("$XDSDocumentEntryFormatCode", "('a^^s')"),
        ("$XDSDocumentEntryAuthorPerson", "('%Welby%')"),
        ("$XDSDocumentEntryCreationTimeFrom", "2024"),
    ])
    .unwrap();
    let StoredQuery::FindDocumentsByReferenceId(found) = everything.query else {
        panic!("FindDocumentsByReferenceId was expected")
    };
    assert_eq!(found.filter.event_codes.0.len(), 2);
    assert_eq!(found.filter.reference_ids.0.len(), 2);
    assert!(found.filter.creation_time.from.is_some());
    let problem = |slots: &[(&str, &str)]| read(slots).unwrap_err();
    assert!(problem(&[]).contains("PatientId is missing"));
    assert!(problem(&[patient, ("$Unheard", "1")]).contains("$Unheard is not known"));
    let twice = [
        patient,
        ("$XDSDocumentEntryClassCode", "('a^^s')"),
        ("$XDSDocumentEntryClassCode", "('a^^s')"),
    ];
    assert!(problem(&twice).contains("only once"));
    assert!(
        problem(&[patient, ("$XDSDocumentEntryClassCode", "('a')")]).contains("code^^codingScheme")
    );
    assert!(problem(&[("$XDSDocumentEntryPatientId", "'x'")]).contains("PatientId"));
    for topic in [Topic::SubmissionSetMetadata, Topic::FolderMetadata] {
        let mixed = filter(topic, FilterKind::DocumentEntry, &[patient]);
        assert!(mixed.unwrap_err().contains("does not go with the topic"));
    }
    let mut unknown = of_patient();
    unknown.id = "urn:uuid:00000000-0000-4000-8000-000000000000".to_owned();
    assert!(SubscriptionFilter::read(Topic::FullDocumentEntry, &unknown).is_err());
}

/// Objects that are out of force are told of only on topics that tell of more than what is new.
#[test]
fn statuses_go_with_the_topic() {
    let statuses = |topic: Topic| {
        let filter = SubscriptionFilter::read(topic, &of_patient()).unwrap();
        match filter.query {
            StoredQuery::FindDocuments(query) => query.statuses.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(statuses(Topic::FullDocumentEntry), 1);
    assert_eq!(statuses(Topic::ExtendedMinimalDocumentEntry), 2);
}

/// ITI TF-2 3.52.5.2.2: several authors and recipients.
#[test]
fn filters_of_submission_sets() {
    let read = |slots: &[(&str, &str)]| {
        filter(
            Topic::SubmissionSetMetadata,
            FilterKind::SubmissionSet,
            slots,
        )
    };
    let patient = ("$XDSSubmissionSetPatientId", PATIENT);
    let found = read(&[
        patient,
        ("$XDSSubmissionSetSourceId", "('1.2','1.3')"),
        ("$XDSSubmissionSetAuthorPerson", "('%Welby%','%Kildare%')"),
        (
            "$XDSSubmissionSetIntendedRecipient",
            "('Some Hospital%','|%Welby%')",
        ),
        ("$XDSSubmissionSetSubmissionTimeFrom", "2024"),
    ])
    .unwrap();
    assert!(found.intended_recipients.accepts(["Some Hospital^^^"]));
    assert!(!found.intended_recipients.accepts([]));
    let StoredQuery::FindSubmissionSets(query) = found.query else {
        panic!("FindSubmissionSets was expected")
    };
    assert!(query.author_person.accepts(["^Kildare^James"]));
    assert!(query.submission_time.from.is_some());
    let twice = [
        patient,
        ("$XDSSubmissionSetAuthorPerson", "('a')"),
        ("$XDSSubmissionSetAuthor", "('b')"),
    ];
    assert!(read(&twice).unwrap_err().contains("only once"));
    assert!(read(&[patient, ("$XDSSubmissionSetIntendedRecipient", "('a'")]).is_err());
}

/// DSUB Extensions, 3.52.5.2.3.
#[test]
fn filters_of_folders() {
    let found = filter(
        Topic::UpdateFolder,
        FilterKind::Folder,
        &[
            ("$XDSFolderPatientId", PATIENT),
            ("$XDSFolderUniqueId", "('1.2','1.3')"),
            ("$XDSFolderCodeList", "('a^^s')"),
        ],
    )
    .unwrap();
    assert!(found.folder_unique_ids.accepts(["1.3"]));
    assert!(matches!(found.query, StoredQuery::FindFolders(_)));
}

/// DSUB Extensions, 3.52.5.2.4 and 3.52.5.2.5: something must narrow them down.
#[test]
fn filters_of_all_patients() {
    let documents = |slots: &[(&str, &str)]| {
        let kind = FilterKind::DocumentEntryOfAnybody;
        filter(Topic::MinimalDocumentEntry, kind, slots)
    };
    let class = ("$XDSDocumentEntryClassCode", "('a^^s')");
    let found = documents(&[class]).unwrap();
    assert_eq!(found.patient, None);
    assert!(documents(&[]).is_err());
    assert!(documents(&[("$XDSDocumentEntryFormatCode", "('a^^s')")]).is_err());
    assert!(documents(&[class, ("$XDSDocumentEntryPatientId", PATIENT)]).is_err());
    let sets = |slots: &[(&str, &str)]| {
        let kind = FilterKind::SubmissionSetOfAnybody;
        filter(Topic::SubmissionSetMetadata, kind, slots)
    };
    for slot in [
        ("$XDSSubmissionSetSourceId", "('1.2')"),
        ("$XDSSubmissionSetAuthor", "('%Welby%')"),
        ("$XDSSubmissionSetAuthorPerson", "('%Welby%')"),
        ("$XDSSubmissionSetIntendedRecipient", "('Some%')"),
    ] {
        assert_eq!(sets(&[slot]).unwrap().patient, None);
    }
    assert!(sets(&[]).is_err());
    assert!(sets(&[("$XDSSubmissionSetContentType", "('a^^s')")]).is_err());
}

/// A filter is kept as XML, and must come back from there.
#[test]
fn a_filter_is_read_as_it_was_written() {
    let query = of_patient();
    let mut writer = Writer::default();
    writer.open("x").attribute("xmlns:rim", ns::RIM);
    query.to_xml(&mut writer);
    writer.close("x");
    let xml = writer.finish();
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    reader.root().unwrap();
    let element = reader.child().unwrap().unwrap();
    let read = <AdhocQuery as crate::xml::FromXml>::from_xml(&mut reader, &element).unwrap();
    assert_eq!(read, query);
}
