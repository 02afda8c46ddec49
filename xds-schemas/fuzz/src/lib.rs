//! What is done with bytes that anybody may have sent. Each function takes any bytes and panics if a
//! promise is broken: nothing panics, nothing runs for ever, and what was understood is written so
//! that it is understood in the same way.
//!
//! `run` gives them to libFuzzer; `tests/corpus.rs` of `xds-schemas` gives them the kept corpus.

use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::ReturnType;
use xds_schemas::ebrs::{
    AdhocQueryRequest, AdhocQueryResponse, RegistryResponse, SubmitObjectsRequest,
};
use xds_schemas::hl7v2::{self, Acknowledgement, Message, PatientDomain};
use xds_schemas::hl7v3::find_candidates::{FindCandidatesQuery, FindCandidatesResponse};
use xds_schemas::hl7v3::{AcceptAcknowledgement, QueryContinuation};
use xds_schemas::iti8_patient_identity_feed::{self as iti8, Announcement};
use xds_schemas::iti18_registry_stored_query::{QueryKind, StoredQuery};
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use xds_schemas::iti43_retrieve_document_set::{
    RetrieveDocumentSetRequest, RetrieveDocumentSetResponse,
};
use xds_schemas::iti44_patient_identity_feed_hl7v3::PatientRecordMessage;
use xds_schemas::iti45_pixv3_query::{GetIdentifiersQuery, GetIdentifiersResponse};
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::RecordNullified;
use xds_schemas::iti56_patient_location_query::{
    PatientLocationQueryRequest, PatientLocationQueryResponse,
};
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{Submission, Timestamp};
use xds_schemas::mtom::{ContentType, Found, MtomError, ScanLimits, Scanner};
use xds_schemas::person::MOST_OF_A_KIND;
use xds_schemas::saml::Assertion;
use xds_schemas::soap::{self, BodyOrFault, Header};
use xds_schemas::xml::{FromXml, Reader, TextOrChild, ToXml};

/// XML as such: every element and every text of it is read, or an error says where it is wrong.
pub fn xml(data: &[u8]) {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    if let Ok(root) = reader.root() {
        let _ = (root.name(), root.attribute("id"));
        // The depth is the reader's to limit.
        let mut depth = 1;
        while depth > 0 {
            match reader.text_or_child() {
                Ok(TextOrChild::Child(child)) => {
                    let _ = child.attribute("id");
                    depth += 1;
                }
                Ok(TextOrChild::Text(_)) => depth -= 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    break;
                }
            }
        }
        let _ = reader.end();
    }
    let _ = soap::read_header(data);
    // What a header says of users, each assertion by itself; and an assertion as such.
    let mut assertions = Vec::new();
    if let Ok((_, security)) = soap::read_header_and_security(data) {
        assertions.extend(security.assertions.into_iter().map(String::into_bytes));
    }
    assertions.push(data.to_vec());
    for assertion in assertions {
        if let Ok(read) = Assertion::read(&assertion) {
            let written = read.write("");
            assert!(Assertion::read(written.as_bytes()).is_ok(), "{written}");
        }
    }
}

/// Reads, writes, reads: the same.
fn round_trip<T: FromXml + ToXml + PartialEq + std::fmt::Debug>(data: &[u8]) -> Option<T> {
    let read: T = soap::read_body(data).ok()?;
    let header = Header::request("urn:x", String::new(), "http://x");
    let written = soap::write(&header, &read);
    let again: T = soap::read_body(written.as_bytes()).expect("what we wrote is read");
    assert_eq!(again, read, "{written}");
    Some(read)
}

/// ITI-42 and ITI-41: messages survive, and a submission that is accepted means the same when it is
/// passed on.
pub fn submission(data: &[u8]) {
    let submitted = round_trip::<SubmitObjectsRequest>(data).map(|it| it.objects);
    let provided = round_trip::<ProvideAndRegisterDocumentSetRequest>(data);
    let lists = submitted
        .into_iter()
        .chain(provided.map(|it| it.submit.objects));
    for list in lists {
        for rules in [Rules::Provide, Rules::Register] {
            match Submission::read(&list, rules) {
                Ok(submission) => {
                    let passed_on = submission.to_ebrim();
                    let again = Submission::read(&passed_on, rules).expect("it is still good");
                    assert_eq!(again.to_ebrim(), passed_on);
                }
                Err(errors) => assert!(!errors.is_empty()),
            }
        }
    }
}

/// What servers answer, and what is asked of repositories.
pub fn answers(data: &[u8]) {
    round_trip::<RegistryResponse>(data);
    round_trip::<AdhocQueryResponse>(data);
    round_trip::<RetrieveDocumentSetResponse>(data);
    round_trip::<RetrieveDocumentSetRequest>(data);
    if let Ok(BodyOrFault::Fault(fault)) = soap::read_answer::<RegistryResponse>(data) {
        let header = Header::request("urn:x", String::new(), "http://x");
        let _ = soap::write_fault(&header, &fault);
    }
}

/// Parameters of stored queries: the first byte says which query, each line is a slot, `name=value`
/// with more values behind tabs. A question that is understood is written so that it is understood
/// again. What starts with `<` is a whole message.
pub fn query(data: &[u8]) {
    if data.first() == Some(&b'<') {
        if let Some(request) = round_trip::<AdhocQueryRequest>(data) {
            ask(&request);
        }
        return;
    }
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let kind = QueryKind::ALL[usize::from(*first) % QueryKind::ALL.len()];
    let slot = |line: &str| {
        let (name, values) = line.split_once('=')?;
        Some(Slot {
            name: name.to_owned(),
            slot_type: None,
            values: values.split('\t').map(str::to_owned).collect(),
        })
    };
    ask(&AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: kind.id().to_owned(),
        home: None,
        slots: text.lines().filter_map(slot).collect(),
    });
}

fn ask(request: &AdhocQueryRequest) {
    match StoredQuery::read(request) {
        Ok(query) => {
            let written = query.to_request(ReturnType::LeafClass);
            let again = StoredQuery::read(&written).expect("what we wrote is read");
            assert_eq!(again, query, "{written:?}");
        }
        Err(errors) => assert!(!errors.is_empty()),
    }
}

/// The most that one part may have in its headers, and how many there may be.
const LIMITS: ScanLimits = ScanLimits {
    header_bytes: 512,
    parts: 6,
};

/// `multipart/related`: the first line is the Content-Type, the second says in pieces of how many
/// bytes the rest arrives. However a body is cut, the same parts are found, or the same is wrong.
pub fn mtom(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (Some(kind), Some(size), Some(body)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(kind) = std::str::from_utf8(kind) else {
        return;
    };
    let Ok(content_type) = ContentType::parse(kind) else {
        return;
    };
    let _ = (
        content_type.parameter("start"),
        content_type.parameter("action"),
    );
    let size = size
        .iter()
        .fold(0usize, |size, byte| size + usize::from(*byte))
        % 64
        + 1;
    let whole = scan(&content_type, [body]);
    let cut = scan(&content_type, body.chunks(size));
    assert_eq!(whole, cut, "in pieces of {size}");
}

/// The parts: the id of each, and its bytes.
type Parts = Vec<(Option<String>, Vec<u8>)>;

fn scan<'b>(
    content_type: &ContentType,
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> Result<Parts, MtomError> {
    let mut scanner = Scanner::new(content_type, LIMITS)?;
    let mut parts: Parts = Vec::new();
    for chunk in chunks {
        let mut rest = chunk;
        loop {
            let (used, found) = scanner.step(rest)?;
            match found {
                Found::Nothing => {
                    assert_eq!(used, rest.len(), "everything is looked at");
                    break;
                }
                Found::Part(headers) => parts.push((headers.content_id, Vec::new())),
                Found::Data(range) => {
                    let data = &rest[range];
                    parts.last_mut().expect("data is of a part").1.extend(data);
                }
                Found::Withheld(range) => {
                    let data = &scanner.delimiter()[range];
                    parts.last_mut().expect("data is of a part").1.extend(data);
                }
                Found::PartEnd | Found::End => {}
            }
            rest = &rest[used..];
        }
    }
    scanner.finish()?;
    Ok(parts)
}

/// HL7 v2: a message is read or refused, and what is announced is written so that it is announced
/// again.
pub fn hl7(data: &[u8]) {
    let _ = Acknowledgement::read(data);
    let Ok(message) = Message::read(data) else {
        return;
    };
    for segment in message.segments() {
        for number in 1..=4 {
            let _ = segment.field(number).written(64);
        }
    }
    let header = hl7v2::Header::of(&message);
    let _ = header.judge(Some("REGISTRY"), None);
    let domain = PatientDomain::new("1.2.3.9");
    for (_, person) in iti8::people(&message, &header, &domain) {
        assert!(person.names.len() <= MOST_OF_A_KIND && person.addresses.len() <= MOST_OF_A_KIND);
        assert!(person.names.iter().all(|name| !name.is_empty()));
    }
    match iti8::read(&message, &header, &domain) {
        // What a registry ignores may name nobody.
        Ok(Announcement::Revise(_)) => {}
        Ok(announcement) => {
            let now = Timestamp::from_unix(0);
            let written = announcement.to_message(&header, &now);
            let again = Message::read(written.as_bytes()).expect("what we wrote is read");
            let header = hl7v2::Header::of(&again);
            let again = iti8::read(&again, &header, &domain).expect("it says the same");
            assert_eq!(again, announcement, "{written:?}");
        }
        Err(refusal) => assert!(!refusal.reason.is_empty()),
    }
}

/// HL7 v3: whatever is said of patients, asked or answered, is written so that it means the same.
pub fn hl7v3(data: &[u8]) {
    round_trip::<FindCandidatesQuery>(data);
    round_trip::<FindCandidatesResponse>(data);
    round_trip::<GetIdentifiersQuery>(data);
    round_trip::<GetIdentifiersResponse>(data);
    round_trip::<QueryContinuation>(data);
    round_trip::<AcceptAcknowledgement>(data);
    round_trip::<RecordNullified>(data);
    round_trip::<PatientLocationQueryRequest>(data);
    round_trip::<PatientLocationQueryResponse>(data);
    if let Some(message) = round_trip::<PatientRecordMessage>(data) {
        let domain = PatientDomain::new("1.2.3.9");
        let _ = message.announcement(&domain);
        for (patient, person) in message.people(&domain) {
            assert_eq!(patient.authority, domain.authority);
            assert!(person.names.len() <= MOST_OF_A_KIND);
        }
    }
}
