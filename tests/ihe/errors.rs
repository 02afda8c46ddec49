//! Every error code of ITI TF-3 Table 4.2.4.1-2 and of the supplements that a room may answer with
//! is provoked over the wire: its context is one sentence that says what is wrong, where, and what
//! was expected, without data of the patient; its location names the object.

use std::collections::BTreeSet;

use hilum_tests::calls::{Provide, Raw, Register, RestrictedUpdate, Update};
use hilum_tests::words::{self, Document, Submission, queries};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::{RegistryError, RegistryResponse};

use crate::iti57_update_document_set::{next, next as next_of, registered};
use crate::iti62_remove_metadata::remove;

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const PATIENT: &str = "Secret-7";

/// Of these parameters one is needed.
const NAMES_OF_DOCUMENTS: &str = "$XDSDocumentEntryEntryUUID or $XDSDocumentEntryUniqueId or \
                                  $XDSDocumentEntryLogicalID";

/// What is provoked below.
const PROVOKED: &[&str] = &[
    "DocumentQueued",
    "PartialAppendContentNotProcessed",
    "PartialFolderContentNotProcessed",
    "PartialRelationshipContentNotProcessed",
    "PartialReplaceContentNotProcessed",
    "PartialTransformNotProcessed",
    "PartialTransformReplaceNotProcessed",
    "ReferencesExistException",
    "UnknownRecipient",
    "UnmodifiableMetadataError",
    "UnresolvedReferenceException",
    "XDSDocumentUniqueIdError",
    "XDSDuplicateUniqueIdInRegistry",
    "XDSExtraMetadataNotSaved",
    "XDSInvalidRequestException",
    "XDSMetadataAnnotationError",
    "XDSMetadataIdentifierError",
    "XDSMetadataUpdateError",
    "XDSMetadataUpdateOperationError",
    "XDSMetadataVersionError",
    "XDSMissingDocument",
    "XDSMissingDocumentMetadata",
    "XDSMissingHomeCommunityId",
    "XDSNonIdenticalHash",
    "XDSNonIdenticalSize",
    "XDSObjectTypeError",
    "XDSPatientIDReconciliationError",
    "XDSPatientIdDoesNotMatch",
    "XDSRegistryDeprecatedDocumentError",
    "XDSRegistryDuplicateUniqueIdInMessage",
    "XDSRegistryError",
    "XDSRegistryMetadataError",
    "XDSRegistryNotAvailable",
    "XDSRemoveDocumentsError",
    "XDSRepositoryDuplicateUniqueIdInMessage",
    "XDSRepositoryError",
    "XDSRepositoryMetadataError",
    "XDSResultNotSinglePatient",
    "XDSStoredQueryMissingParam",
    "XDSStoredQueryParamNumber",
    "XDSTooManyResults",
    "XDSUnknownCommunity",
    "XDSUnknownPatientId",
    "XDSUnknownRepositoryId",
    "XDSUnknownStoredQuery",
    "XDSUnreferencedObjectException",
];

/// What is told with a success.
const WARNINGS: &[&str] = &[
    "DocumentQueued",
    "PartialAppendContentNotProcessed",
    "PartialFolderContentNotProcessed",
    "PartialRelationshipContentNotProcessed",
    "PartialReplaceContentNotProcessed",
    "PartialTransformNotProcessed",
    "PartialTransformReplaceNotProcessed",
    "UnknownRecipient",
    "XDSExtraMetadataNotSaved",
];

/// What cannot be provoked from outside: which test inside proves it.
const INSIDE: &[(&str, &str, &str)] = &[
    (
        "XDSRegistryOutOfResources",
        "registry/src/submission.rs",
        "a_patient_with_too_many_objects_gets_no_more",
    ),
    (
        "XDSRepositoryOutOfResources",
        "repository/src/failure.rs",
        "a_full_disk_is_named_and_everything_else_is_internal",
    ),
];

/// What no room answers with, and why.
const NEVER: &[(&str, &str)] = &[
    ("InvalidDocumentContent", "documents are not looked into"),
    ("XDSRegistryBusy", "the door refuses what is too much"),
    ("XDSRepositoryBusy", "the door refuses what is too much"),
    ("XDSUnavailableCommunity", "for gateways"),
    ("UnavailableRecipient", "for XDR recipients"),
    ("LocalPolicyRestrictionError", "no policy restricts updates"),
];

/// The codes that were seen as they must be.
#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    /// Among the errors is this one, and it says all of this.
    #[track_caller]
    fn told(&mut self, errors: &[RegistryError], code: &str, says: &[&str], at: Option<&str>) {
        let error = errors.iter().find(|error| error.code.as_str() == code);
        let error = error.unwrap_or_else(|| panic!("no {code}: {errors:?}"));
        let severity = match WARNINGS.contains(&code) {
            true => Severity::Warning,
            false => Severity::Error,
        };
        assert_eq!(error.severity, severity, "{error:?}");
        assert_eq!(error.location.as_deref(), at, "{error:?}");
        let context = &error.context;
        for part in says {
            assert!(context.contains(part), "no {part}: {error:?}");
        }
        let is_sentence =
            context.contains(' ') && !context.contains('\n') && !context.contains(". ");
        assert!(is_sentence && context.len() < 400, "{error:?}");
        // The framework wants the id of a patient who is not known or not the same, and of nobody
        // else (ITI TF-3 Table 4.2.4.1-2).
        let private = [PATIENT, "Welby", "A finding", "DEPT-1", "panicked", ".rs:"];
        let unknown = ["XDSUnknownPatientId", "XDSPatientIdDoesNotMatch"].contains(&code);
        for data in private.iter().skip(usize::from(unknown)) {
            assert!(!context.contains(data), "{data}: {error:?}");
        }
        self.0.insert(code.to_owned());
    }

    #[track_caller]
    fn refused(&mut self, answer: &RegistryResponse, code: &str, says: &[&str], at: Option<&str>) {
        // ITI TF-3 4.2.4.2: a failure, never a part of a success.
        assert_eq!(answer.status, ResponseStatus::Failure, "{code}");
        self.told(&answer.errors, code, says, at);
    }
}

/// A submission of one document, complete for ITI-42.
fn submission(patient: &str, content: &str) -> Submission {
    let mut submission = Submission::new(patient, vec![Document::text(content)]);
    submission.repository = true;
    submission
}

fn replaces(submission: &mut Submission, old: &str) {
    submission.more = format!(
        r#"<rim:Association id="Link" associationType="urn:ihe:iti:2007:AssociationType:RPLC" sourceObject="{}" targetObject="{old}"/>"#,
        submission.documents[0].id
    );
}

async fn accepted(town: &Town, submission: &Submission) {
    let response = town.register(submission).await.unwrap();
    assert_eq!(response.errors, []);
}

/// ITI-42 as it is written.
async fn register(town: &Town, request: String) -> RegistryResponse {
    let (client, url) = (&town.client, town.registry());
    let request = Raw(request);
    let sent = client.send::<Register>(&url, &request, Vec::new());
    let response = sent.await.unwrap().response;
    town.expected.add("ITI-42", "Import", 1);
    response
}

/// ITI-41 as it is written, with no attachment.
async fn provide(town: &Town, request: String) -> RegistryResponse {
    let (client, url) = (&town.client, town.repository());
    let request = Raw(request);
    let sent = client.send::<Provide>(&url, &request, Vec::new());
    let response = sent.await.unwrap().response;
    town.expected.add("ITI-41", "Import", 1);
    response
}

/// ITI TF-3 4.2.4.1.
#[tokio::test]
async fn every_code_says_what_is_wrong() {
    let mut seen = Seen::default();
    let town = Town::plain();
    references(&town, &mut seen).await;
    identities(&town, &mut seen).await;
    metadata(&town, &mut seen).await;
    documents(&town, &mut seen).await;
    queries_of(&town, &mut seen).await;
    retrieval(&town, &mut seen).await;
    updates(&town, &mut seen).await;
    restricted_updates(&town, &mut seen).await;
    removals(&town, &mut seen).await;
    limits(&mut seen).await;
    order(&mut seen).await;
    warnings(&mut seen).await;
    let provoked: BTreeSet<String> = PROVOKED.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(seen.0, provoked);
}

async fn references(town: &Town, seen: &mut Seen) {
    let mut lost = submission(PATIENT, "lost");
    let nowhere = words::new_uuid();
    replaces(&mut lost, &nowhere);
    let answer = town.register(&lost).await.unwrap();
    let code = "UnresolvedReferenceException";
    seen.refused(
        &answer,
        code,
        &["Link", &nowhere, "registered"],
        Some("Link"),
    );

    let mut first = submission(PATIENT, "first");
    first.documents[0].id = words::new_uuid();
    accepted(town, &first).await;
    let old = &first.documents[0].id;
    let mut second = submission(PATIENT, "second");
    replaces(&mut second, old);
    accepted(town, &second).await;
    let mut third = submission(PATIENT, "third");
    replaces(&mut third, old);
    let answer = town.register(&third).await.unwrap();
    let code = "XDSRegistryDeprecatedDocumentError";
    seen.refused(&answer, code, &["Link", "deprecated"], Some("Link"));
}

async fn identities(town: &Town, seen: &mut Seen) {
    let first = submission(PATIENT, "first");
    accepted(town, &first).await;
    let mut again = submission(PATIENT, "again");
    again.unique_id = first.unique_id.clone();
    let answer = town.register(&again).await.unwrap();
    let (code, says) = (
        "XDSDuplicateUniqueIdInRegistry",
        ["SubmissionSet", &first.unique_id],
    );
    seen.refused(&answer, code, &says, Some("SubmissionSet"));
    let mut provided = again.clone();
    provided.documents = vec![Document::text("by the repository")];
    let answer = town.provide(&provided).await.unwrap();
    seen.refused(&answer, code, &says, Some("SubmissionSet"));

    let mut changed = submission(PATIENT, "first");
    changed.documents[0].unique_id = first.documents[0].unique_id.clone();
    changed.documents[0].hash = Some("0".repeat(40));
    changed.documents[0].size = Some(4711);
    let answer = town.register(&changed).await.unwrap();
    let (id, at) = (
        &*changed.documents[0].unique_id,
        changed.documents[0].id.clone(),
    );
    seen.refused(&answer, "XDSNonIdenticalHash", &[id, "hash"], Some(&at));
    seen.refused(&answer, "XDSNonIdenticalSize", &[id, "size"], Some(&at));
    let kept = Submission::new(PATIENT, vec![Document::text("kept")]);
    assert_eq!(town.provide(&kept).await.unwrap().errors, []);
    let mut changed = Submission::new(PATIENT, vec![Document::text("not kept")]);
    changed.documents[0].unique_id = kept.documents[0].unique_id.clone();
    let answer = town.provide(&changed).await.unwrap();
    let (id, at) = (
        &*changed.documents[0].unique_id,
        changed.documents[0].id.clone(),
    );
    seen.refused(&answer, "XDSNonIdenticalHash", &[id, "hash"], Some(&at));
    seen.refused(&answer, "XDSNonIdenticalSize", &[id, "size"], Some(&at));

    let mut twice = submission(PATIENT, "one");
    twice.documents.push(Document::text("two"));
    twice.documents[1].unique_id = twice.documents[0].unique_id.clone();
    let (id, at) = (
        &*twice.documents[1].unique_id,
        twice.documents[1].id.clone(),
    );
    let answer = town.register(&twice).await.unwrap();
    let code = "XDSRegistryDuplicateUniqueIdInMessage";
    seen.refused(&answer, code, &["DocumentEntry", &at, id], Some(&at));
    let answer = town.provide(&twice).await.unwrap();
    let code = "XDSRepositoryDuplicateUniqueIdInMessage";
    seen.refused(&answer, code, &["DocumentEntry", &at, id], Some(&at));
}

async fn metadata(town: &Town, seen: &mut Seen) {
    let other = submission(PATIENT, "of another");
    let mine = words::escaped(&words::patient(PATIENT));
    let request = other.submit_objects_request();
    let request = request.replacen(&mine, &words::escaped(&words::patient("Else")), 1);
    let answer = register(town, request).await;
    let at = &*other.documents[0].id;
    let (theirs, ours) = (words::patient("Else"), words::patient(PATIENT));
    let says = [
        "DocumentEntry",
        at,
        "patientId",
        &theirs,
        "SubmissionSet",
        &ours,
    ];
    seen.refused(&answer, "XDSPatientIdDoesNotMatch", &says, Some(at));

    let mut without_hash = submission(PATIENT, "hashless");
    without_hash.documents[0].hash = None;
    let at = without_hash.documents[0].id.clone();
    let answer = town.register(&without_hash).await.unwrap();
    let says = ["DocumentEntry", &at, "hash"];
    seen.refused(&answer, "XDSRegistryMetadataError", &says, Some(&at));

    let mut lying = submission(PATIENT, "lying");
    lying.documents[0].hash = Some("0".repeat(40));
    lying.documents[0].size = Some(7);
    let (id, at) = (
        &*lying.documents[0].unique_id,
        lying.documents[0].id.clone(),
    );
    let answer = town.provide(&lying).await.unwrap();
    let is = words::sha1_of(b"lying");
    let says = [id, "hash", &is, &"0".repeat(40)];
    seen.refused(&answer, "XDSRepositoryMetadataError", &says, Some(&at));
    assert_eq!(answer.errors.len(), 2, "{:?}", answer.errors);
}

async fn documents(town: &Town, seen: &mut Seen) {
    let good = submission(PATIENT, "missing");
    let at = &*good.documents[0].id;
    let request = good.provide_request();
    let start = request.find("<xds:Document ").unwrap();
    let end = request.rfind("</xds:Provide").unwrap();
    let none = format!("{}{}", &request[..start], &request[end..]);
    let answer = provide(town, none).await;
    seen.refused(
        &answer,
        "XDSMissingDocument",
        &[at, "no document"],
        Some(at),
    );
    // The attachment that the document refers to did not come.
    let answer = provide(town, request.clone()).await;
    let id = &*good.documents[0].unique_id;
    seen.refused(&answer, "XDSMissingDocument", &[id, "attachment"], Some(at));
    let stray = format!(
        "<xds:Document id=\"Stray\">AAAA</xds:Document>{}",
        &request[end..]
    );
    let answer = provide(town, format!("{}{stray}", &request[..start])).await;
    let says = ["Stray", "no document entry"];
    seen.refused(&answer, "XDSMissingDocumentMetadata", &says, Some("Stray"));
    seen.refused(&answer, "XDSMissingDocument", &[at], Some(at));
}

async fn queries_of(town: &Town, seen: &mut Seen) {
    let patient = format!("'{}'", words::patient(PATIENT));
    let status = ("$XDSDocumentEntryStatus", APPROVED);
    let of = ("$XDSDocumentEntryPatientId", &*patient);
    let others = submission("Somebody-Else", "of somebody else");
    let mine = submission(PATIENT, "of the patient");
    accepted(town, &others).await;
    accepted(town, &mine).await;
    let ids = [&others, &mine].map(|it| &*it.documents[0].unique_id);
    let find = |slots: &[(&str, &str)]| words::query(queries::FIND_DOCUMENTS, "LeafClass", slots);
    let unreadable = ("$XDSDocumentEntryCreationTimeFrom", "'2024-01-01'");
    let list = format!("({patient},{patient})");
    let unknown = "00000000-0000-4000-8000-000000000000";
    let unknown_id = format!("urn:uuid:{unknown}");
    let cases: [(String, &str, &[&str], Option<&str>); 7] = [
        (
            words::query(unknown, "LeafClass", &[]),
            "XDSUnknownStoredQuery",
            &["stored query", "id"],
            Some(&unknown_id),
        ),
        (
            find(&[of]),
            "XDSStoredQueryMissingParam",
            &["FindDocuments", "$XDSDocumentEntryStatus", "missing"],
            Some("$XDSDocumentEntryStatus"),
        ),
        (
            words::query(queries::GET_DOCUMENTS, "LeafClass", &[]),
            "XDSStoredQueryMissingParam",
            &[
                "GetDocuments",
                "$XDSDocumentEntryEntryUUID",
                "$XDSDocumentEntryUniqueId",
            ],
            Some(NAMES_OF_DOCUMENTS),
        ),
        (
            find(&[status, ("$XDSDocumentEntryPatientId", &list)]),
            "XDSStoredQueryParamNumber",
            &["FindDocuments", "$XDSDocumentEntryPatientId", "one value"],
            Some("$XDSDocumentEntryPatientId"),
        ),
        (
            find(&[of, status, unreadable]),
            "XDSRegistryError",
            &["FindDocuments", "$XDSDocumentEntryCreationTimeFrom", "YYYY"],
            Some("$XDSDocumentEntryCreationTimeFrom"),
        ),
        (
            words::query(queries::FIND_DOCUMENTS, "Everything", &[of, status]),
            "XDSRegistryError",
            &["returnType", "LeafClass", "ObjectRef"],
            Some("returnType"),
        ),
        (
            words::get_documents(&ids),
            "XDSResultNotSinglePatient",
            &["several patients", "ObjectRef"],
            None,
        ),
    ];
    for (request, code, says, at) in cases {
        let answer = town.query(request).await.unwrap();
        assert_eq!(answer.status, ResponseStatus::Failure, "{code}");
        // ITI TF-2 3.18.4.1.3: with a failure nothing is returned.
        assert_eq!(answer.objects, [], "{code}");
        seen.told(&answer.errors, code, says, at);
    }
}

async fn retrieval(town: &Town, seen: &mut Seen) {
    let got = town.retrieve(&["2.999.404"]).await.unwrap();
    let at = Some("2.999.404");
    seen.refused(
        &got.response,
        "XDSDocumentUniqueIdError",
        &["2.999.404"],
        at,
    );
    let elsewhere = words::retrieve("2.999.33", &["2.999.404"]);
    let got = town.retrieve_as(elsewhere).await.unwrap();
    let says = ["2.999.33", "repositoryUniqueId"];
    seen.refused(&got.response, "XDSUnknownRepositoryId", &says, at);

    let instance = |study: &str| {
        (
            study.to_owned(),
            "2.999.5".to_owned(),
            "2.999.404".to_owned(),
        )
    };
    let ask = |repository, study| {
        words::retrieve_images(repository, &[instance(study)], &["1.2.840.10008.1.2"])
    };
    let got = town
        .retrieve_images(ask("2.999.33", "2.999.4"))
        .await
        .unwrap();
    seen.refused(&got.response, "XDSUnknownRepositoryId", &says, at);
    let got = town
        .retrieve_images(ask(words::REPOSITORY, "2.999.4"))
        .await
        .unwrap();
    seen.refused(
        &got.response,
        "XDSDocumentUniqueIdError",
        &["2.999.404"],
        at,
    );
    let got = town
        .retrieve_images(ask(words::REPOSITORY, ""))
        .await
        .unwrap();
    let says = ["2.999.404", "Study", "needed"];
    seen.refused(&got.response, "XDSRepositoryError", &says, at);
}

async fn update(town: &Town, request: String) -> RegistryResponse {
    let recorded = ("ITI-57", "Import");
    let sent = town.ask_registry::<Update>(request, recorded).await;
    sent.unwrap()
}

/// A document that changes from one status to another.
fn status(document: &str, from: &str, to: &str) -> String {
    let slot = |name: &str, status: &str| {
        format!(
            r#"<rim:Slot name="{name}"><rim:ValueList><rim:Value>urn:oasis:names:tc:ebxml-regrep:StatusType:{status}</rim:Value></rim:ValueList></rim:Slot>"#
        )
    };
    let mut change = Submission::new(PATIENT, Vec::new());
    change.more = format!(
        r#"<rim:Association id="Change" associationType="urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus" sourceObject="SubmissionSet" targetObject="{document}">{}{}</rim:Association>"#,
        slot("OriginalStatus", from),
        slot("NewStatus", to),
    );
    change.submit_objects_request()
}

/// Metadata update 3.57.4.1.3: the location is the object's entryUUID.
async fn updates(town: &Town, seen: &mut Seen) {
    let first = registered(town, PATIENT).await;
    let (id, unique_id) = (&*first.documents[0].id, &*first.documents[0].unique_id);
    let next = |previous: &str| next(&first, previous, "Corrected");
    let at = Some("Next");
    let answer = update(town, next("7")).await;
    let says = ["Next", "PreviousVersion", "7", "1"];
    seen.refused(&answer, "XDSMetadataVersionError", &says, at);
    let other = next("1").replace(&format!("value=\"{unique_id}\""), "value=\"2.999.77\"");
    let answer = update(town, other).await;
    seen.refused(
        &answer,
        "XDSMetadataIdentifierError",
        &["Next", "uniqueId"],
        at,
    );
    let stranger = next("1").replace(id, &words::new_uuid());
    let answer = update(town, stranger).await;
    let says = ["Next", "logicalID", "registered"];
    seen.refused(&answer, "UnresolvedReferenceException", &says, at);

    let initial = submission(PATIENT, "initial");
    let answer = update(town, initial.submit_objects_request()).await;
    let at = &*initial.documents[0].id;
    let code = "XDSInvalidRequestException";
    seen.refused(&answer, code, &["DocumentEntry", at], Some(at));
    let nothing = Submission::new(PATIENT, Vec::new()).submit_objects_request();
    let answer = update(town, nothing).await;
    let code = "XDSMetadataUpdateOperationError";
    seen.refused(&answer, code, &["operation"], Some("SubmissionSet"));
    let answer = update(town, status(id, "Deprecated", "Approved")).await;
    let says = ["DocumentEntry", id, "OriginalStatus"];
    seen.refused(&answer, "XDSMetadataUpdateError", &says, Some(id));

    // A document in a folder moves to somebody else, and the folder stays.
    let mut held = Submission::new(PATIENT, vec![Document::text("held")]);
    held.repository = true;
    held.documents[0].id = words::new_uuid();
    held.more = in_a_folder(&held.documents[0].id);
    accepted(town, &held).await;
    held.more.clear();
    let mine = words::escaped(&words::patient(PATIENT));
    let moved = next_of(&held, "1", "Moved");
    let moved = moved.replace(&mine, &words::escaped(&words::patient("Somebody-Else")));
    let answer = update(town, moved).await;
    let code = "XDSPatientIDReconciliationError";
    let error = answer
        .errors
        .iter()
        .find(|error| error.code.as_str() == code);
    let at = error.and_then(|error| error.location.clone());
    assert!(at.is_some(), "{answer:?}");
    seen.refused(&answer, code, &["different patients"], at.as_deref());
}

/// A folder of the patient that holds a document, with what ties it to the submission set.
fn in_a_folder(document: &str) -> String {
    let mine = words::escaped(&words::patient(PATIENT));
    let identifier = |scheme: &str, name: &str, value: &str| {
        format!(
            r#"<rim:ExternalIdentifier id="{name}" identificationScheme="urn:uuid:{scheme}" registryObject="Folder" value="{value}"><rim:Name><rim:LocalizedString value="XDSFolder.{name}"/></rim:Name></rim:ExternalIdentifier>"#
        )
    };
    let member = |id: &str, from: &str, to: &str| {
        format!(
            r#"<rim:Association id="{id}" associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" sourceObject="{from}" targetObject="{to}"/>"#
        )
    };
    let code = r#"<rim:Classification id="Code" classificationScheme="urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5" classifiedObject="Folder" nodeRepresentation="18748-4"><rim:Slot name="codingScheme"><rim:ValueList><rim:Value>2.16.840.1.113883.6.1</rim:Value></rim:ValueList></rim:Slot><rim:Name><rim:LocalizedString value="Diagnostic imaging study"/></rim:Name></rim:Classification>"#;
    let node = r#"<rim:Classification id="Node" classifiedObject="Folder" classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/>"#;
    format!(
        r#"<rim:RegistryPackage id="Folder"><rim:Name><rim:LocalizedString value="A folder"/></rim:Name>{code}{node}{}{}</rim:RegistryPackage>{}{}{}"#,
        identifier("f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "patientId", &mine),
        identifier(
            "75df8f67-9973-4fbe-a900-df66cefecc5a",
            "uniqueId",
            &words::new_oid()
        ),
        member("OfSet", "SubmissionSet", "Folder"),
        member("Held", "Folder", document),
        member("HeldBySet", "SubmissionSet", "Held"),
    )
}

/// Restricted metadata update 3.92.4.1.3.
async fn restricted_updates(town: &Town, seen: &mut Seen) {
    let first = registered(town, PATIENT).await;
    let at_home = |message: String, home: &str| {
        let home = format!(r#" home="urn:oid:{home}""#);
        let entry = r#"<rim:ExtrinsicObject id="Next""#;
        let message = message.replace(entry, &format!("{entry}{home}"));
        message.replace(
            "<rim:RegistryPackage ",
            &format!("<rim:RegistryPackage{home} "),
        )
    };
    let send = async |request: String| {
        let recorded = ("ITI-92", "Import");
        let sent = town
            .ask_registry::<RestrictedUpdate>(request, recorded)
            .await;
        sent.unwrap()
    };
    let good = || at_home(next(&first, "1", "Corrected"), words::HOME);
    let at = Some("Next");
    let answer = send(next(&first, "1", "Corrected")).await;
    let code = "XDSMissingHomeCommunityId";
    seen.refused(&answer, code, &["Next", "homeCommunityId", "missing"], at);
    let answer = send(at_home(next(&first, "1", "Corrected"), "2.999.66")).await;
    let says = ["Next", "homeCommunityId", "this community"];
    seen.refused(&answer, "XDSUnknownCommunity", &says, at);
    let language = "<rim:Value>2.999.3</rim:Value>";
    let changed = good().replace(language, "<rim:Value>2.999.33</rim:Value>");
    let answer = send(changed).await;
    let code = "UnmodifiableMetadataError";
    seen.refused(&answer, code, &["Next", "repositoryUniqueId"], at);
    let version = r#"<rim:Slot name="PreviousVersion">"#;
    let no = r#"<rim:Slot name="AssociationPropagation"><rim:ValueList><rim:Value>no</rim:Value></rim:ValueList></rim:Slot>"#;
    let answer = send(good().replace(version, &format!("{no}{version}"))).await;
    let code = "XDSMetadataAnnotationError";
    let says = ["AssociationPropagation", "yes"];
    seen.refused(&answer, code, &says, Some("Member0"));
    let mut with_folder = good();
    let end = with_folder.find("</rim:RegistryObjectList>").unwrap();
    with_folder.insert_str(end, &in_a_folder("Next"));
    let answer = send(with_folder).await;
    seen.refused(
        &answer,
        "XDSObjectTypeError",
        &["Folder", "document entries"],
        Some("Folder"),
    );
}

/// Remove metadata 3.62.4.1.3: the context has the entryUUID.
async fn removals(town: &Town, seen: &mut Seen) {
    let mut first = submission(PATIENT, "removed");
    first.documents[0].id = words::new_uuid();
    first.more = in_a_folder(&first.documents[0].id);
    let [set, holder] = [words::new_uuid(), words::new_uuid()];
    let request = first.submit_objects_request();
    let request = request.replace("\"SubmissionSet\"", &format!("\"{set}\""));
    let request = request.replace("\"Folder\"", &format!("\"{holder}\""));
    assert_eq!(register(town, request).await.errors, []);
    let document = &first.documents[0].id;
    let code = "ReferencesExistException";
    let answer = remove(town, std::slice::from_ref(document), "").await;
    seen.refused(&answer, code, &[document], Some(document));
    // The set goes with what it holds except for the document.
    let request = words::query(
        "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
        "ObjectRef",
        &[("$XDSSubmissionSetEntryUUID", &format!("'{set}'"))],
    );
    let found = town.query(request).await.unwrap().objects;
    let others = found
        .into_iter()
        .map(|it| it.id)
        .filter(|id| id != document);
    let others: Vec<String> = others.collect();
    assert_eq!(others.len(), 6, "{others:?}");
    let answer = remove(town, &others, "").await;
    let code = "XDSUnreferencedObjectException";
    seen.refused(&answer, code, &[document], Some(document));
    let nobody = words::new_uuid();
    let answer = remove(town, std::slice::from_ref(&nobody), "").await;
    let code = "UnresolvedReferenceException";
    seen.refused(&answer, code, &[&nobody], Some(&nobody));
}

async fn limits(seen: &mut Seen) {
    let town = Town::found(Setup {
        plain: true,
        environment: vec![("HILUM_REGISTRY__MAX_RESULTS".into(), "1".into())],
        ..Setup::default()
    });
    for content in ["one", "two"] {
        accepted(&town, &submission(PATIENT, content)).await;
    }
    let request = words::find_documents(PATIENT, "LeafClass");
    let answer = town.query(request).await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Failure);
    assert_eq!(answer.objects, []);
    seen.told(&answer.errors, "XDSTooManyResults", &["more than 1"], None);
    drop(town);

    let town = Town::found(Setup {
        plain: true,
        refuse_unknown_patients: true,
        ..Setup::default()
    });
    let answer = town
        .register(&submission(PATIENT, "of nobody"))
        .await
        .unwrap();
    let says = [&*words::patient(PATIENT), "not known"];
    seen.refused(&answer, "XDSUnknownPatientId", &says, Some("SubmissionSet"));
    let provided = submission(PATIENT, "of nobody");
    let answer = town.provide(&provided).await.unwrap();
    seen.refused(&answer, "XDSUnknownPatientId", &says, Some("SubmissionSet"));
    drop(town);

    let nobody = "http://127.0.0.1:1/registry".to_owned();
    let town = Town::found(Setup {
        plain: true,
        environment: vec![("HILUM_REPOSITORY__REGISTRY".into(), nobody)],
        uncounted: true,
        ..Setup::default()
    });
    let answer = town.provide(&submission(PATIENT, "alone")).await.unwrap();
    seen.refused(&answer, "XDSRegistryNotAvailable", &["registry"], None);
}

/// Remove metadata, order of removal.
async fn order(seen: &mut Seen) {
    let refuse = ("HILUM_REPOSITORY__REMOVE_REGISTERED", "refuse");
    let town = Town::found(Setup {
        plain: true,
        environment: vec![(refuse.0.to_owned(), refuse.1.to_owned())],
        uncounted: true,
        ..Setup::default()
    });
    let kept = Submission::new(PATIENT, vec![Document::text("still registered")]);
    assert_eq!(town.provide(&kept).await.unwrap().errors, []);
    let id = &*kept.documents[0].unique_id;
    let answer = town.remove(&[id]).await.unwrap();
    let says = [id, "metadata", "ITI-62"];
    seen.refused(&answer, "XDSRemoveDocumentsError", &says, Some(id));
}

/// ITI TF-2 3.41.4.1.3.1 and 3.42.4.1.3.2: what was accepted and not done as asked.
async fn warnings(seen: &mut Seen) {
    let known = ("HILUM_RECIPIENT__RECIPIENTS", "Some Hospital");
    let dropped = ("HILUM_REGISTRY__EXTRA_METADATA", "drop");
    let environment = [known, dropped].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let town = Town::found(Setup {
        plain: true,
        environment: environment.to_vec(),
        ..Setup::default()
    });
    let mut sent = Submission::new(PATIENT, vec![Document::text("sent")]);
    let (id, name) = (
        sent.documents[0].unique_id.clone(),
        sent.documents[0].id.clone(),
    );
    let urn = "urn:ihe:iti:2007:AssociationType";
    let elsewhere = words::new_uuid();
    for kind in ["APND", "RPLC", "XFRM", "XFRM_RPLC", "signs"] {
        let more = format!(
            r#"<rim:Association id="{kind}" associationType="{urn}:{kind}" sourceObject="{name}" targetObject="{elsewhere}"/>"#
        );
        sent.more.push_str(&more);
    }
    sent.more.push_str(&in_a_folder(&name));
    let time = r#"<rim:Slot name="submissionTime">"#;
    let recipient = r#"<rim:Slot name="intendedRecipient"><rim:ValueList><rim:Value>|^Welby^Marcus</rim:Value></rim:ValueList></rim:Slot>"#;
    let request = sent
        .provide_request()
        .replace(time, &format!("{recipient}{time}"));
    let answer = town.send_directly(&sent, request).await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Success, "{answer:?}");
    let errors = &answer.errors;
    seen.told(errors, "DocumentQueued", &[&id, "waits"], Some(&id));
    for code in [
        "PartialAppendContentNotProcessed",
        "PartialReplaceContentNotProcessed",
        "PartialTransformNotProcessed",
        "PartialTransformReplaceNotProcessed",
        "PartialRelationshipContentNotProcessed",
    ] {
        let says = [&*name, &elsewhere, "not processed"];
        seen.told(errors, code, &says, Some(&name));
    }
    let set = Some("SubmissionSet");
    let code = "PartialFolderContentNotProcessed";
    seen.told(errors, code, &["folders", "not processed"], set);
    seen.told(
        errors,
        "UnknownRecipient",
        &["intendedRecipient 1", "known"],
        set,
    );

    let mut extra = submission(PATIENT, "more");
    let slot = ("urn:example:dose".to_owned(), vec!["A finding".to_owned()]);
    extra.documents[0].slots.push(slot);
    let answer = town.register(&extra).await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Success, "{answer:?}");
    let code = "XDSExtraMetadataNotSaved";
    seen.told(
        &answer.errors,
        code,
        &["urn:example:dose", "not kept"],
        None,
    );
}

/// Each code is in one of the tables above; what a room can say is provoked.
/// ITI TF-3 4.2.4.1.
#[test]
fn every_code_has_its_place() {
    let places = PROVOKED.iter().copied();
    let places = places.chain(INSIDE.iter().map(|(code, ..)| *code));
    let said: BTreeSet<&str> = places.clone().collect();
    let never: BTreeSet<&str> = NEVER.iter().map(|(code, _)| *code).collect();
    assert_eq!(
        said.len() + never.len(),
        places.count() + NEVER.len(),
        "a code stands twice"
    );
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    for (_, file, test) in INSIDE {
        assert!(read(file).contains(&format!("fn {test}()")), "{test}");
    }
    // `Variant = "code",` as the codes are declared.
    let declared = read("xds-schemas/src/codes/error_code.rs");
    let codes: Vec<(&str, &str)> = declared
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\",")?.split_once(" = \""))
        .collect();
    assert!(codes.len() > 50, "{codes:?}");
    let mut sources = String::new();
    for folder in [
        "registry/src",
        "repository/src",
        "xds-schemas/src",
        "transport/src",
    ] {
        collect(&root.join(folder), &mut sources);
    }
    for (variant, code) in codes {
        let can_be_said = said.contains(code);
        assert!(
            can_be_said != never.contains(code),
            "{code} is in no table, or in two"
        );
        let constructed = format!("ErrorCode::{variant}");
        let is_said = sources.match_indices(&constructed).any(|(at, found)| {
            let after = sources[at + found.len()..].chars().next();
            !after.is_some_and(|it| it.is_alphanumeric() || it == '_')
        });
        assert_eq!(
            is_said, can_be_said,
            "{code}: what the sources say, what the tables say"
        );
    }
}

/// The sources in a folder without their tests.
fn collect(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            collect(&path, sources);
        } else if name.ends_with(".rs") && !["tests.rs", "error_code.rs"].contains(&&*name) {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
}
