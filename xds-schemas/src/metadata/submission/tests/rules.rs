//! One valid submission, one mutation for each rule, and what the registry and the repository say.

use super::*;
use crate::codes::ebrim_uuids::{association, document_entry, folder, object_type, submission_set};
use crate::ebrim::{CLASSIFICATION, Classification, ExternalIdentifier, LocalizedString, Slot};

/// The objects of [`valid`], in their order.
const SET: usize = 0;
const DOCUMENT1: usize = 1;
const DOCUMENT2: usize = 2;
const FOLDER: usize = 3;
const SET_HAS_DOCUMENT1: usize = 4;
const SET_HAS_FOLDER: usize = 6;
const FOLDER_HAS_DOCUMENT1: usize = 7;
const SET_HAS_MEMBERSHIP: usize = 8;
const SET_HAS_REGISTERED: usize = 11;
const REPLACES: usize = 12;

type Objects = Vec<RegistryObject>;

const METADATA: &str = "XDSRegistryMetadataError";
const REPOSITORY: &str = "XDSRepositoryMetadataError";
const DUPLICATE: &str = "XDSRegistryDuplicateUniqueIdInMessage";
const UNRESOLVED: &str = "UnresolvedReferenceException";

/// What is expected: code, object, attribute.
type Expected = (&'static str, &'static str, &'static str);

fn set_slot(object: &mut RegistryObject, name: &str, values: &[&str]) {
    object.slots.retain(|slot| slot.name != name);
    let values = values.iter().map(|&value| value.to_owned()).collect();
    object.slots.push(Slot {
        name: name.to_owned(),
        slot_type: None,
        values,
    });
}

fn drop_slot(object: &mut RegistryObject, name: &str) {
    object.slots.retain(|slot| slot.name != name);
}

fn drop_codes(object: &mut RegistryObject, scheme: &str) {
    object
        .classifications
        .retain(|it| it.scheme.as_deref() != Some(scheme));
}

fn code_of<'a>(object: &'a mut RegistryObject, scheme: &str) -> &'a mut Classification {
    let mut codes = object.classifications.iter_mut();
    codes
        .find(|it| it.scheme.as_deref() == Some(scheme))
        .unwrap()
}

fn again(object: &mut RegistryObject, scheme: &str) {
    let code = code_of(object, scheme).clone();
    object.classifications.push(code);
}

fn author_slot(object: &mut RegistryObject, name: &str, values: &[&str]) {
    let scheme = document_entry::AUTHOR;
    let author = code_of(object, scheme);
    author.slots.retain(|slot| slot.name != name);
    let values = values.iter().map(|&value| value.to_owned()).collect();
    author.slots.push(Slot {
        name: name.to_owned(),
        slot_type: None,
        values,
    });
}

fn identifier<'a>(object: &'a mut RegistryObject, scheme: &str) -> &'a mut ExternalIdentifier {
    object
        .external_identifiers
        .iter_mut()
        .find(|it| it.scheme == scheme)
        .unwrap()
}

fn drop_identifier(object: &mut RegistryObject, scheme: &str) {
    object.external_identifiers.retain(|it| it.scheme != scheme);
}

fn flag(object: &mut RegistryObject, node: &str) {
    object.classifications.push(Classification {
        node: Some(node.to_owned()),
        classified_object: object.id.clone(),
        ..Classification::default()
    });
}

fn link(object: &mut RegistryObject, kind: &str, from: &str, to: &str) {
    object.body = Body::Association {
        association_type: AssociationType::parse_lenient(kind).as_str().to_owned(),
        source: from.to_owned(),
        target: to.to_owned(),
    };
    object.slots.clear();
}

fn found(errors: &[RegistryError]) -> Vec<(String, String, String)> {
    let mut found: Vec<_> = errors
        .iter()
        .map(|it| {
            let location = it.location.clone().unwrap();
            let (subject, rest) = it.context.split_once(": ").unwrap();
            assert!(subject.ends_with(&location), "{}", it.context);
            (it.code.to_string(), location, rest.to_owned())
        })
        .collect();
    found.sort();
    found
}

/// Reads the mutated submission by both rules.
fn check(
    name: &str,
    mutate: impl Fn(&mut Objects),
    registry: &[Expected],
    repository: &[Expected],
) {
    for (rules, expected) in [(Rules::Register, registry), (Rules::Provide, repository)] {
        let mut list = valid().to_ebrim();
        mutate(&mut list.objects);
        check_list(name, &list, rules, expected);
    }
}

fn check_list(name: &str, list: &RegistryObjectList, rules: Rules, expected: &[Expected]) {
    let errors = Submission::read(list, rules).err().unwrap_or_default();
    let found = found(&errors);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let agree = found.len() == expected.len()
        && found.iter().zip(&expected).all(|(found, expected)| {
            found.0 == expected.0 && found.1 == expected.1 && found.2.starts_with(expected.2)
        });
    assert!(
        agree,
        "{name} ({rules:?}): found {found:#?}, expected {expected:#?}"
    );
}

/// Only the registry minds: the repository passes it on as it came.
fn registry(name: &str, mutate: impl Fn(&mut Objects), expected: &[Expected]) {
    check(name, &mutate, expected, &[]);
    let mut list = valid().to_ebrim();
    mutate(&mut list.objects);
    let passed_on = Submission::read(&list, Rules::Provide).unwrap().to_ebrim();
    check_list(name, &passed_on, Rules::Register, expected);
}

/// The registry minds one attribute.
fn wrong(name: &str, mutate: impl Fn(&mut Objects), object: &'static str, attribute: &'static str) {
    registry(name, mutate, &[(METADATA, object, attribute)]);
}

/// Nobody minds.
fn right(name: &str, mutate: impl Fn(&mut Objects)) {
    registry(name, mutate, &[]);
}

/// Both mind.
fn both(name: &str, mutate: impl Fn(&mut Objects), object: &'static str, attribute: &'static str) {
    check(
        name,
        mutate,
        &[(METADATA, object, attribute)],
        &[(REPOSITORY, object, attribute)],
    );
}

/// ITI TF-3 4.3.1.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn attributes_that_are_required() {
    for name in [
        "creationTime",
        "hash",
        "languageCode",
        "repositoryUniqueId",
        "size",
        "sourcePatientId",
    ] {
        wrong(
            name,
            |it| drop_slot(&mut it[DOCUMENT1], name),
            "Document1",
            name,
        );
        // A slot without a value is no better.
        wrong(
            name,
            |it| set_slot(&mut it[DOCUMENT1], name, &[]),
            "Document1",
            name,
        );
    }
    for (scheme, name) in [
        (document_entry::CLASS_CODE, "classCode"),
        (document_entry::CONFIDENTIALITY_CODE, "confidentialityCode"),
        (document_entry::FORMAT_CODE, "formatCode"),
        (
            document_entry::HEALTHCARE_FACILITY_TYPE_CODE,
            "healthcareFacilityTypeCode",
        ),
        (document_entry::PRACTICE_SETTING_CODE, "practiceSettingCode"),
        (document_entry::TYPE_CODE, "typeCode"),
    ] {
        wrong(
            name,
            |it| drop_codes(&mut it[DOCUMENT1], scheme),
            "Document1",
            name,
        );
    }
    wrong(
        "patientId",
        |it| drop_identifier(&mut it[DOCUMENT1], document_entry::PATIENT_ID),
        "Document1",
        "patientId",
    );
    both(
        "uniqueId",
        |it| drop_identifier(&mut it[DOCUMENT1], document_entry::UNIQUE_ID),
        "Document1",
        "uniqueId",
    );
    let no_mime_type = |it: &mut Objects| {
        it[DOCUMENT1].body = Body::ExtrinsicObject {
            mime_type: None,
            is_opaque: None,
        }
    };
    both("mimeType", no_mime_type, "Document1", "mimeType");

    wrong(
        "submissionTime",
        |it| drop_slot(&mut it[SET], "submissionTime"),
        "Set",
        "submissionTime",
    );
    wrong(
        "contentTypeCode",
        |it| drop_codes(&mut it[SET], submission_set::CONTENT_TYPE_CODE),
        "Set",
        "contentTypeCode",
    );
    for (scheme, name) in [
        (submission_set::PATIENT_ID, "patientId"),
        (submission_set::SOURCE_ID, "sourceId"),
        (submission_set::UNIQUE_ID, "uniqueId"),
    ] {
        wrong(
            name,
            |it| drop_identifier(&mut it[SET], scheme),
            "Set",
            name,
        );
    }
    wrong(
        "folder title",
        |it| it[FOLDER].name = None,
        "Folder1",
        "title",
    );
    wrong(
        "codeList",
        |it| drop_codes(&mut it[FOLDER], folder::CODE_LIST),
        "Folder1",
        "codeList",
    );
    for (scheme, name) in [
        (folder::PATIENT_ID, "patientId"),
        (folder::UNIQUE_ID, "uniqueId"),
    ] {
        wrong(
            name,
            |it| drop_identifier(&mut it[FOLDER], scheme),
            "Folder1",
            name,
        );
    }
}

/// ITI TF-3 4.3.1.
#[test]
fn attributes_that_are_optional() {
    for name in [
        "legalAuthenticator",
        REFERENCES,
        "serviceStartTime",
        "serviceStopTime",
        "sourcePatientInfo",
        "URI",
    ] {
        right(name, |it| drop_slot(&mut it[DOCUMENT1], name));
    }
    for scheme in [document_entry::AUTHOR, document_entry::EVENT_CODE] {
        right(scheme, |it| drop_codes(&mut it[DOCUMENT1], scheme));
    }
    right("texts", |it| {
        (it[DOCUMENT1].name, it[DOCUMENT1].description) = (None, None)
    });
    right("set", |it| {
        drop_slot(&mut it[SET], "intendedRecipient");
        drop_codes(&mut it[SET], submission_set::AUTHOR);
        it[SET].name = None;
    });
    right("extra metadata", |it| {
        set_slot(&mut it[DOCUMENT1], "urn:example:dose", &["1", "2"])
    });
    right("ids of classifications", |it| {
        let parts = it.iter_mut().flat_map(|it| it.classifications.iter_mut());
        parts.for_each(|it| it.id.clear());
    });
    right("statuses are ignored", |it| {
        it[DOCUMENT1].status = Some("Submitted".to_owned())
    });
    right("the logicalID of a first version", |it| {
        it[DOCUMENT1].lid = Some("Document1".to_owned())
    });
    right("a namespace of its own", |it| {
        identifier(&mut it[DOCUMENT1], document_entry::UNIQUE_ID).value =
            "urn:uuid:1^x/y".to_owned();
    });
}

const REFERENCES: &str = "urn:ihe:iti:xds:2013:referenceIdList";

/// ITI TF-3 4.2.3.1.1, 4.2.3.1.7.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn forms_of_slots() {
    for (name, bad) in [
        ("creationTime", "2024-01-02"),
        ("creationTime", "20241302"),
        ("languageCode", "german language"),
        ("legalAuthenticator", "^^Marcus"),
        ("repositoryUniqueId", "urn:oid:1.2.3"),
        ("serviceStartTime", "today"),
        ("serviceStopTime", "2023010"),
        ("sourcePatientId", "L-1"),
        ("sourcePatientId", "L-1^^^Hospital&1.2.3.5&ISO"),
        ("sourcePatientId", "L-1^^^&1.2.03.5&ISO"),
        ("sourcePatientId", "L-1^^^&1.2.3.5&ISO^MR"),
        ("sourcePatientInfo", "Smith^John"),
        ("URI", "my report.txt"),
        ("documentAvailability", "Online"),
        (REFERENCES, "1.2.3"),
        (
            REFERENCES,
            "1.2.3^^^&1.2&ISO^urn:ihe:iti:xds:2016:studyInstanceUID",
        ),
        (REFERENCES, "o-1^^^^urn:ihe:iti:xds:2013:order"),
    ] {
        wrong(
            bad,
            |it| set_slot(&mut it[DOCUMENT1], name, &[bad]),
            "Document1",
            name,
        );
    }
    for (name, bad) in [("hash", "da39"), ("size", "12 KB"), ("size", "-1")] {
        both(
            bad,
            |it| set_slot(&mut it[DOCUMENT1], name, &[bad]),
            "Document1",
            name,
        );
    }
    wrong(
        "DTM",
        |it| set_slot(&mut it[SET], "submissionTime", &["now"]),
        "Set",
        "submissionTime",
    );
    for bad in [
        "|",
        "^L",
        "Hospital|^Welby|^^Internet^a@b|more",
        "Hospital|^^Marcus",
    ] {
        wrong(
            bad,
            |it| set_slot(&mut it[SET], "intendedRecipient", &[bad]),
            "Set",
            "intendedRecipient",
        );
    }
    for good in [
        "Hospital",
        "|^Welby",
        "||^^Internet^a@b",
        "Hospital|^Welby|^PRS^PH^^^^1",
    ] {
        right(good, |it| {
            set_slot(&mut it[SET], "intendedRecipient", &[good])
        });
    }
    wrong(
        "seconds",
        |it| set_slot(&mut it[FOLDER], "lastUpdateTime", &["20240101"]),
        "Folder1",
        "lastUpdateTime",
    );
    wrong(
        "several values",
        |it| set_slot(&mut it[DOCUMENT1], "creationTime", &["2024", "2025"]),
        "Document1",
        "creationTime has several",
    );
    let long = "x".repeat(257);
    wrong(
        "long",
        |it| set_slot(&mut it[DOCUMENT1], "URI", &[&long]),
        "Document1",
        "URI has a value of more",
    );
    right("long enough", |it| {
        set_slot(&mut it[DOCUMENT1], "URI", &["ü".repeat(256).as_str()])
    });
    wrong(
        "twice",
        |it| {
            let slot = it[DOCUMENT1].slot("creationTime").unwrap().clone();
            it[DOCUMENT1].slots.push(slot);
        },
        "Document1",
        "creationTime stands in two slots",
    );
    wrong(
        "PID-7 twice",
        |it| {
            set_slot(
                &mut it[DOCUMENT1],
                "sourcePatientInfo",
                &["PID-7|2001", "PID-7|2002"],
            )
        },
        "Document1",
        "sourcePatientInfo",
    );
    wrong(
        "start after stop",
        |it| set_slot(&mut it[DOCUMENT1], "serviceStartTime", &["20230102"]),
        "Document1",
        "serviceStartTime is after",
    );
    wrong(
        "no URN",
        |it| set_slot(&mut it[DOCUMENT1], "dose", &["1"]),
        "Document1",
        "dose",
    );
    wrong(
        "IHE's own",
        |it| set_slot(&mut it[SET], "urn:ihe:iti:dose", &["1"]),
        "Set",
        "urn:ihe:iti:dose",
    );
}

/// ITI TF-3 4.2.3.1.5, 4.3.1.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn forms_of_identities_and_texts() {
    registry(
        "upper case",
        |it| {
            let id = "urn:uuid:B9E0BD2A-1A5C-4E6C-9E0C-6B3F6B6D1C09";
            rename(it, "Document1", id);
        },
        &[(
            METADATA,
            "urn:uuid:B9E0BD2A-1A5C-4E6C-9E0C-6B3F6B6D1C09",
            "entryUUID is not urn:uuid:",
        )],
    );
    wrong(
        "home",
        |it| it[DOCUMENT1].home = Some("1.2.3".to_owned()),
        "Document1",
        "homeCommunityId",
    );
    wrong(
        "lid",
        |it| it[DOCUMENT1].lid = Some(OTHER.to_owned()),
        "Document1",
        "logicalID",
    );
    wrong(
        "MIME",
        |it| {
            it[DOCUMENT1].body = Body::ExtrinsicObject {
                mime_type: Some("text".to_owned()),
                is_opaque: None,
            }
        },
        "Document1",
        "mimeType",
    );
    wrong(
        "on-demand",
        |it| it[DOCUMENT1].object_type = Some(object_type::ON_DEMAND.to_owned()),
        "Document1",
        "objectType",
    );
    check(
        "another objectType",
        |it| it[DOCUMENT1].object_type = None,
        // Without the entry, what refers to it leads nowhere.
        &[
            (METADATA, "Document1", "objectType"),
            (UNRESOLVED, "Association4", "targetObject"),
            (UNRESOLVED, "Membership3", "targetObject"),
        ],
        &[(REPOSITORY, "Document1", "objectType")],
    );
    let titled = |length: usize| Some(InternationalString::of("ü".repeat(length)));
    right("title", |it| it[DOCUMENT1].name = titled(127));
    wrong(
        "long title",
        |it| it[DOCUMENT1].name = titled(128),
        "Document1",
        "title",
    );
    right("title of a set", |it| it[SET].name = titled(255));
    wrong(
        "long title of a set",
        |it| it[SET].name = titled(256),
        "Set",
        "title",
    );
    wrong(
        "limited",
        |it| flag(&mut it[DOCUMENT1], document_entry::LIMITED_METADATA),
        "Document1",
        "limitedMetadata",
    );
    wrong(
        "limited",
        |it| flag(&mut it[SET], submission_set::LIMITED_METADATA),
        "Set",
        "limitedMetadata",
    );
    wrong(
        "limited",
        |it| flag(&mut it[FOLDER], folder::LIMITED_METADATA),
        "Folder1",
        "limitedMetadata",
    );
    for (scheme, name) in [
        (submission_set::SOURCE_ID, "sourceId"),
        (submission_set::UNIQUE_ID, "uniqueId"),
    ] {
        wrong(
            name,
            |it| identifier(&mut it[SET], scheme).value = "mine".to_owned(),
            "Set",
            name,
        );
    }
    wrong(
        "CX",
        |it| identifier(&mut it[SET], submission_set::PATIENT_ID).value = "P-1".to_owned(),
        "Set",
        "patientId",
    );
    both(
        "empty uniqueId",
        |it| {
            identifier(&mut it[DOCUMENT1], document_entry::UNIQUE_ID)
                .value
                .clear()
        },
        "Document1",
        "uniqueId",
    );
    wrong(
        "uniqueId of 257 characters",
        |it| {
            identifier(&mut it[DOCUMENT1], document_entry::UNIQUE_ID).value = "é".repeat(257);
        },
        "Document1",
        "uniqueId",
    );
    wrong(
        "two patients",
        |it| {
            let other = identifier(&mut it[DOCUMENT1], document_entry::PATIENT_ID).clone();
            it[DOCUMENT1].external_identifiers.push(other);
        },
        "Document1",
        "patientId is given twice",
    );
}

/// Gives an object another id, everywhere.
fn rename(objects: &mut Objects, from: &str, to: &str) {
    for object in objects {
        let parts = object
            .classifications
            .iter_mut()
            .map(|it| &mut it.classified_object);
        let parts = parts.chain(
            object
                .external_identifiers
                .iter_mut()
                .map(|it| &mut it.registry_object),
        );
        parts
            .chain([&mut object.id])
            .filter(|it| *it == from)
            .for_each(|it| *it = to.to_owned());
        if let Body::Association { source, target, .. } = &mut object.body {
            [source, target]
                .into_iter()
                .filter(|it| *it == from)
                .for_each(|it| *it = to.to_owned());
        }
    }
}

/// ITI TF-3 4.2.3.1.2, 4.2.3.1.4, 4.2.3.1.7.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn forms_of_codes_and_authors() {
    let scheme = document_entry::CLASS_CODE;
    registry(
        "two slots of the scheme",
        |it| {
            let code = code_of(&mut it[DOCUMENT1], scheme);
            code.slots.push(code.slots[0].clone());
        },
        &[
            (METADATA, "Document1", "classCode has a slot"),
            (METADATA, "Document1", "codingScheme stands in two"),
        ],
    );
    let expected = &[(METADATA, "Document1", "classCode")];
    registry(
        "no code",
        |it| code_of(&mut it[DOCUMENT1], scheme).node_representation = None,
        expected,
    );
    registry(
        "no scheme",
        |it| code_of(&mut it[DOCUMENT1], scheme).slots.clear(),
        expected,
    );
    registry(
        "two schemes",
        |it| {
            code_of(&mut it[DOCUMENT1], scheme).slots[0]
                .values
                .push("1.2".to_owned())
        },
        expected,
    );
    registry(
        "no display",
        |it| code_of(&mut it[DOCUMENT1], scheme).name = None,
        expected,
    );
    registry(
        "empty display",
        |it| code_of(&mut it[DOCUMENT1], scheme).name = Some(InternationalString::of("")),
        expected,
    );
    registry("twice", |it| again(&mut it[DOCUMENT1], scheme), expected);
    right("many languages", |it| {
        let text = LocalizedString {
            lang: Some("de".to_owned()),
            charset: None,
            value: "Berichte".to_owned(),
        };
        code_of(&mut it[DOCUMENT1], scheme)
            .name
            .as_mut()
            .unwrap()
            .texts
            .push(text);
    });
    both(
        "another object",
        |it| code_of(&mut it[DOCUMENT1], scheme).classified_object = "Document2".to_owned(),
        "Document1",
        "classCode",
    );
    both(
        "another type",
        |it| code_of(&mut it[DOCUMENT1], scheme).object_type = Some(object_type::STABLE.to_owned()),
        "Document1",
        "classCode",
    );
    both(
        "another object",
        |it| {
            identifier(&mut it[DOCUMENT1], document_entry::UNIQUE_ID)
                .registry_object
                .clear()
        },
        "Document1",
        "uniqueId",
    );
    both(
        "author of another",
        |it| {
            code_of(&mut it[SET], submission_set::AUTHOR)
                .classified_object
                .clear()
        },
        "Set",
        "author",
    );
    both(
        "author with a code",
        |it| {
            code_of(&mut it[DOCUMENT1], document_entry::AUTHOR).node_representation =
                Some("x".to_owned())
        },
        "Document1",
        "author",
    );
    wrong(
        "nobody",
        |it| {
            code_of(&mut it[DOCUMENT1], document_entry::AUTHOR)
                .slots
                .retain(|it| it.name == "authorRole")
        },
        "Document1",
        "author",
    );
    wrong(
        "two people",
        |it| author_slot(&mut it[DOCUMENT1], "authorPerson", &["^A", "^B"]),
        "Document1",
        "authorPerson",
    );
    for (name, bad) in [
        ("authorPerson", "^^Marcus"),
        ("authorPerson", "1^Welby^^^^^^^1.2.3"),
        ("authorPerson", "^Welby^^^^^^^&1.2.3&ISO"),
        ("authorInstitution", "^^^^^^^^^1.2.3"),
        ("authorInstitution", "Hospital^^^^^^^^^45"),
        ("authorInstitution", "Hospital^^^^^Place&1.2.3&ISO^^^^45"),
        ("authorInstitution", "Hospital^L"),
        ("authorTelecommunication", "^^Internet"),
        ("authorTelecommunication", "^PRS^Internet^a@b"),
        ("authorTelecommunication", "^PRS^PH"),
        ("authorTelecommunication", "^^^^^^123"),
    ] {
        wrong(
            bad,
            |it| author_slot(&mut it[DOCUMENT1], name, &[bad]),
            "Document1",
            name,
        );
    }
    for (name, good) in [
        ("authorPerson", "2.999.1.2^Some EMR"),
        ("authorPerson", "^Welby^^^^^^^"),
        ("authorInstitution", "Hospital^^^^^&1.2.3&ISO^^^^45"),
        ("authorRole", "PRF^^^&2.16.840.1.113883.5.90&ISO"),
        ("authorTelecommunication", "^PRS^PH^^31^^(042) 1123 4567"),
        ("authorTelecommunication", "^NET^Internet^a@b"),
        ("authorTelecommunication", "+43 1 234"),
    ] {
        right(good, |it| author_slot(&mut it[DOCUMENT1], name, &[good]));
    }
}

/// ITI TF-3 4.2.1.5, 4.2.2.1.1, 4.2.2.1.2, 4.2.2.1.3; ITI TF-2 3.42.4.1.3.3.2.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn one_submission_set_and_what_it_has() {
    check(
        "no set",
        |it| {
            it.remove(SET);
        },
        &[(METADATA, "", "RegistryPackage")],
        &[(REPOSITORY, "", "RegistryPackage")],
    );
    check(
        "two sets",
        |it| {
            let other = it[SET].clone();
            it.push(other);
        },
        &[(METADATA, "Set", "RegistryPackage")],
        &[(REPOSITORY, "Set", "RegistryPackage")],
    );
    check(
        "a package of no kind",
        |it| it[FOLDER].classifications.retain(|it| it.node.is_none()),
        &[
            (METADATA, "Folder1", "Classification"),
            (UNRESOLVED, "Association6", "targetObject"),
            (UNRESOLVED, "Membership3", "sourceObject"),
            (UNRESOLVED, "Membership5", "sourceObject"),
        ],
        &[(REPOSITORY, "Folder1", "Classification")],
    );
    check(
        "a package of both kinds",
        |it| flag(&mut it[SET], folder::NODE),
        &[
            (METADATA, "Set", "Classification"),
            (METADATA, "", "RegistryPackage"),
        ],
        &[
            (REPOSITORY, "Set", "Classification"),
            (REPOSITORY, "", "RegistryPackage"),
        ],
    );
    wrong(
        "a document of no set",
        |it| {
            it.remove(SET_HAS_DOCUMENT1);
        },
        "Document1",
        "SS-DE HasMember",
    );
    wrong(
        "a folder of no set",
        |it| {
            it.remove(SET_HAS_FOLDER);
        },
        "Folder1",
        "SS-FD HasMember",
    );
    wrong(
        "a membership of no set",
        |it| {
            it.remove(SET_HAS_MEMBERSHIP);
        },
        "Membership3",
        "SS-HM HasMember",
    );
    registry(
        "another patient",
        |it| {
            identifier(&mut it[DOCUMENT2], document_entry::PATIENT_ID).value =
                "P-2^^^&1.2.3.4&ISO".to_owned()
        },
        &[("XDSPatientIdDoesNotMatch", "Document2", "patientId")],
    );
    registry(
        "another patient",
        |it| {
            identifier(&mut it[FOLDER], folder::PATIENT_ID).value = "P-2^^^&1.2.3.4&ISO".to_owned()
        },
        &[("XDSPatientIdDoesNotMatch", "Folder1", "patientId")],
    );
    for (at, scheme, name) in [
        (DOCUMENT2, document_entry::UNIQUE_ID, "Document2"),
        (FOLDER, folder::UNIQUE_ID, "Folder1"),
    ] {
        check(
            "a uniqueId twice",
            |it| identifier(&mut it[at], scheme).value = "1.2.3.21".to_owned(),
            &[(DUPLICATE, name, "uniqueId 1.2.3.21")],
            &[(
                "XDSRepositoryDuplicateUniqueIdInMessage",
                name,
                "uniqueId 1.2.3.21",
            )],
        );
    }
    check(
        "an entryUUID twice",
        |it| it[REPLACES].id = "Document1".to_owned(),
        &[(DUPLICATE, "Document1", "entryUUID")],
        &[(
            "XDSRepositoryDuplicateUniqueIdInMessage",
            "Document1",
            "entryUUID",
        )],
    );
}

/// ITI TF-3 4.2.1.2, 4.2.1.3.
#[test]
fn classifications_beside_their_objects() {
    for (rules, code) in [(Rules::Register, METADATA), (Rules::Provide, REPOSITORY)] {
        let mut list = valid().to_ebrim();
        for object in &mut list.objects {
            let (nodes, rest) = object
                .classifications
                .drain(..)
                .partition(|it| it.node.is_some());
            object.classifications = rest;
            list.loose_classifications
                .extend::<Vec<Classification>>(nodes);
        }
        assert_eq!(list.loose_classifications.len(), 2);
        check_list("beside", &list, rules, &[]);
        let mut stray = list.loose_classifications[0].clone();
        stray.classified_object = "Nothing".to_owned();
        "stray".clone_into(&mut stray.id);
        list.loose_classifications.push(stray);
        check_list(
            "of nothing",
            &list,
            rules,
            &[(code, "stray", "classifiedObject")],
        );
        list.loose_classifications[2] =
            code_of(&mut list.objects[DOCUMENT1], document_entry::TYPE_CODE).clone();
        "stray".clone_into(&mut list.loose_classifications[2].id);
        check_list(
            "a code",
            &list,
            rules,
            &[(code, "stray", "the Classification")],
        );
    }
}

/// ITI TF-3 4.2.1.5, 4.2.2.1.1.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn memberships() {
    let status = |at: usize, values: &'static [&str]| {
        move |it: &mut Objects| set_slot(&mut it[at], "SubmissionSetStatus", values)
    };
    let document = &[(METADATA, "Association4", "SubmissionSetStatus")];
    registry("no status", status(SET_HAS_DOCUMENT1, &[]), document);
    registry(
        "reference to what comes",
        status(SET_HAS_DOCUMENT1, &["Reference"]),
        document,
    );
    wrong(
        "original elsewhere",
        status(SET_HAS_REGISTERED, &["Original"]),
        "Association11",
        "SubmissionSetStatus",
    );
    registry(
        "two statuses",
        status(SET_HAS_DOCUMENT1, &["Original", "Reference"]),
        document,
    );
    registry(
        "neither",
        status(SET_HAS_DOCUMENT1, &["original"]),
        document,
    );
    right(
        "a status where none is needed",
        status(SET_HAS_FOLDER, &["Original"]),
    );
    let membership = |from: &'static str, to: &'static str| {
        move |it: &mut Objects| {
            let mut more = it[REPLACES].clone();
            more.id = "More".to_owned();
            link(&mut more, "HasMember", from, to);
            it.push(more);
        }
    };
    wrong(
        "a folder in a folder",
        membership("Folder1", "Folder1"),
        "More",
        "targetObject",
    );
    wrong(
        "a set in itself",
        membership("Set", "Set"),
        "More",
        "targetObject",
    );
    wrong(
        "an addendum to itself",
        |it: &mut Objects| {
            let mut more = it[REPLACES].clone();
            more.id = "More".to_owned();
            link(&mut more, "APND", "Document1", "Document1");
            it.push(more);
        },
        "More",
        "targetObject",
    );
    wrong(
        "members of a document",
        membership("Document1", "Document2"),
        "More",
        "sourceObject",
    );
    wrong(
        "members of an association",
        membership("Association4", "Document2"),
        "More",
        "sourceObject",
    );
    wrong(
        "a registered folder",
        membership(REGISTERED, "Document2"),
        "More",
        "SS-HM HasMember",
    );
    registry(
        "from nowhere",
        membership("Nothing", "Document2"),
        &[(UNRESOLVED, "More", "sourceObject Nothing")],
    );
    registry(
        "to nowhere",
        membership("Set", "Nothing"),
        &[(UNRESOLVED, "More", "targetObject Nothing")],
    );
    wrong(
        "documented",
        |it| {
            let mut why = code_of(&mut it[DOCUMENT1], document_entry::TYPE_CODE).clone();
            why.scheme = Some(association::DOCUMENTATION.to_owned());
            it[FOLDER_HAS_DOCUMENT1]
                .id
                .clone_into(&mut why.classified_object);
            it[FOLDER_HAS_DOCUMENT1].classifications.push(why);
        },
        "Membership3",
        "documentation",
    );
}

/// ITI TF-3 4.2.2, 4.2.2.2; ITI TF-2 3.42.4.1.3.5.
#[test]
fn relationships() {
    let relate = |how: &'static str, from: &'static str, to: &'static str| {
        move |it: &mut Objects| link(&mut it[REPLACES], how, from, to)
    };
    for how in ["RPLC", "XFRM_RPLC", "IsSnapshotOf", "XFRM", "APND", "signs"] {
        right(how, relate(how, "Document2", OTHER));
        let unresolved = |attribute| [(UNRESOLVED, "Association12", attribute)];
        registry(
            how,
            relate(how, OTHER, REGISTERED),
            &unresolved("sourceObject"),
        );
        registry(
            how,
            relate(how, "Folder1", OTHER),
            &unresolved("sourceObject"),
        );
        registry(
            how,
            relate(how, "Document2", "Folder1"),
            &unresolved("targetObject"),
        );
        registry(
            how,
            relate(how, "Document2", "Nothing"),
            &unresolved("targetObject"),
        );
        match how {
            "XFRM" | "APND" | "signs" => registry(how, relate(how, "Document2", "Document1"), &[]),
            _ => registry(
                how,
                relate(how, "Document2", "Document1"),
                &unresolved("targetObject"),
            ),
        }
    }
    for how in [
        "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus",
        "urn:example:likes",
    ] {
        wrong(
            how,
            relate(how, "Document2", OTHER),
            "Association12",
            "associationType",
        );
    }
    wrong(
        "an addendum to a transformation",
        |it| {
            relate("XFRM", "Document2", OTHER)(it);
            let mut more = it[REPLACES].clone();
            more.id = "More".to_owned();
            link(&mut more, "APND", "Document1", "Document2");
            it.push(more);
        },
        "More",
        "targetObject is a transformation",
    );
    right("documented", |it| {
        let mut why = code_of(&mut it[DOCUMENT1], document_entry::TYPE_CODE).clone();
        why.scheme = Some(association::DOCUMENTATION.to_owned());
        why.object_type = Some(CLASSIFICATION.to_owned());
        it[REPLACES].id.clone_into(&mut why.classified_object);
        it[REPLACES].classifications.push(why);
    });
}

#[test]
fn everything_is_said_at_once() {
    check(
        "much",
        |it| {
            drop_slot(&mut it[DOCUMENT1], "creationTime");
            set_slot(&mut it[DOCUMENT1], "hash", &["x"]);
            drop_codes(&mut it[SET], submission_set::CONTENT_TYPE_CODE);
            it.remove(SET_HAS_FOLDER);
        },
        &[
            (METADATA, "Document1", "creationTime"),
            (METADATA, "Document1", "hash"),
            (METADATA, "Folder1", "SS-FD HasMember"),
            (METADATA, "Set", "contentTypeCode"),
        ],
        &[(REPOSITORY, "Document1", "hash")],
    );
}

#[test]
fn no_values_of_patients_are_told() {
    let mut list = valid().to_ebrim();
    for object in &mut list.objects {
        for slot in &mut object.slots {
            slot.values = vec!["SECRET^".to_owned(), "SECRET".to_owned()];
        }
        for classification in &mut object.classifications {
            classification
                .slots
                .iter_mut()
                .for_each(|slot| slot.values.push("SECRET".to_owned()));
            classification.name = Some(InternationalString::of(""));
        }
        for it in object
            .external_identifiers
            .iter_mut()
            .filter(|it| !it.scheme.ends_with("42ab"))
        {
            it.value = "SECRET".to_owned();
        }
    }
    let errors = Submission::read(&list, Rules::Register).unwrap_err();
    assert!(errors.len() > 40, "{}", errors.len());
    // A uniqueId that stands twice is named: the framework asks for it.
    let told = |it: &&RegistryError| {
        it.context.contains("SECRET") && it.code == ErrorCode::RegistryMetadataError
    };
    assert_eq!(errors.iter().find(told), None);
}

/// ITI TF-2 3.61.4.1.2: an on-demand entry is like a stable one, without what describes a content.
#[test]
fn what_an_on_demand_entry_has() {
    const DOCUMENTS: [usize; 2] = [DOCUMENT1, DOCUMENT2];
    let made = |mutate: &dyn Fn(&mut Objects)| {
        let mut list = valid().to_ebrim();
        for document in DOCUMENTS {
            let document = &mut list.objects[document];
            document.object_type = Some(object_type::ON_DEMAND.to_owned());
            for name in ["creationTime", "hash", "size"] {
                drop_slot(document, name);
            }
        }
        mutate(&mut list.objects);
        list
    };
    let wrong = |name: &str, mutate: &dyn Fn(&mut Objects), attribute: &'static str| {
        let expected = [(METADATA, "Document1", attribute)];
        check_list(name, &made(mutate), Rules::RegisterOnDemand, &expected);
    };
    check_list("valid", &made(&|_| ()), Rules::RegisterOnDemand, &[]);
    for (name, value) in [
        ("creationTime", "20240102"),
        ("hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("size", "0"),
        (
            "documentAvailability",
            "urn:ihe:iti:2010:DocumentAvailability:Online",
        ),
    ] {
        wrong(
            name,
            &|it| set_slot(&mut it[DOCUMENT1], name, &[value]),
            name,
        );
    }
    for name in ["repositoryUniqueId", "languageCode", "sourcePatientId"] {
        wrong(name, &|it| drop_slot(&mut it[DOCUMENT1], name), name);
    }
    let stable =
        |it: &mut Objects| it[DOCUMENT1].object_type = Some(object_type::STABLE.to_owned());
    wrong("stable", &stable, "objectType");
    // The legal authenticator is not recommended, and so not refused; service times are optional.
    check_list(
        "without service times",
        &made(&|it| {
            drop_slot(&mut it[DOCUMENT1], "serviceStartTime");
            drop_slot(&mut it[DOCUMENT1], "legalAuthenticator");
        }),
        Rules::RegisterOnDemand,
        &[],
    );
    // And nowhere else is it registered.
    let expected = DOCUMENTS.map(|at| (METADATA, ["Document1", "Document2"][at - 1], "objectType"));
    check_list("ITI-42", &made(&|_| ()), Rules::Register, &expected);
}

fn attributes(objects: &RegistryObjectList, rules: Rules) -> Vec<String> {
    let errors = Submission::read(objects, rules).err().unwrap_or_default();
    let said = found(&errors).into_iter().map(|(_, location, rest)| {
        format!("{location} {}", rest.split(' ').next().unwrap_or_default())
    });
    said.collect()
}

/// Takes away everything that only some senders must supply.
fn bare() -> RegistryObjectList {
    let mut list = valid().to_ebrim();
    for at in [DOCUMENT1, SET, FOLDER] {
        let object = &mut list.objects[at];
        object.classifications.retain(|it| it.node.is_some());
        object.external_identifiers.retain(|it| {
            !it.scheme.contains(document_entry::PATIENT_ID)
                && !it.scheme.contains(submission_set::PATIENT_ID)
                && !it.scheme.contains(folder::PATIENT_ID)
        });
    }
    list.objects[DOCUMENT1].slots.clear();
    list.objects[FOLDER].name = None;
    list
}

/// ITI TF-3 Table 4.3.1-3, column XDM MC: a Portable Media Creator leaves out what it does not know,
/// but says where the document is, how long, and its hash.
#[test]
fn media_need_little_metadata() {
    let missing = attributes(&bare(), Rules::Media);
    let expected = ["Document1 URI", "Document1 hash", "Document1 size"];
    assert_eq!(missing, expected);
    let mut list = valid().to_ebrim();
    assert!(attributes(&list, Rules::Media).is_empty());
    drop_slot(&mut list.objects[DOCUMENT1], "repositoryUniqueId");
    for (at, node) in [
        (DOCUMENT1, document_entry::LIMITED_METADATA),
        (SET, submission_set::LIMITED_METADATA),
        (FOLDER, folder::LIMITED_METADATA),
    ] {
        flag(&mut list.objects[at], node);
    }
    assert!(attributes(&list, Rules::Media).is_empty());
    // Whoever takes it over finds out what it means.
    set_slot(&mut list.objects[DOCUMENT1], "URI", &["..\\letter 1.txt"]);
    assert!(attributes(&list, Rules::Media).is_empty());
    set_slot(&mut list.objects[DOCUMENT1], "creationTime", &["yesterday"]);
    assert_eq!(attributes(&list, Rules::Media), ["Document1 creationTime"]);
}

/// ITI TF-2 3.41.4.1.3.1: a Document Recipient asks for no more than the column XDR DS does, and may
/// find out by other means who the patient is.
#[test]
fn a_recipient_asks_for_what_a_direct_source_must_supply() {
    let mut list = bare();
    list.objects[DOCUMENT1].slots = valid().to_ebrim().objects[DOCUMENT1].slots.clone();
    for slot in ["hash", "size", "repositoryUniqueId", "URI", "languageCode"] {
        drop_slot(&mut list.objects[DOCUMENT1], slot);
    }
    let missing = attributes(&list, Rules::Receive);
    let expected = [
        "Document1 classCode",
        "Document1 confidentialityCode",
        "Document1 formatCode",
        "Document1 healthcareFacilityTypeCode",
        "Document1 languageCode",
        "Document1 practiceSettingCode",
        "Document1 typeCode",
        "Folder1 codeList",
        "Folder1 title",
        "Set contentTypeCode",
    ];
    assert_eq!(missing, expected);
    // How what is there is written, and what the objects are to one another, is not its concern.
    let mut list = valid().to_ebrim();
    set_slot(&mut list.objects[DOCUMENT1], "creationTime", &["yesterday"]);
    set_slot(&mut list.objects[DOCUMENT1], "local", &["no URN"]);
    link(&mut list.objects[REPLACES], "RPLC", "Nowhere", "Document2");
    assert!(attributes(&list, Rules::Receive).is_empty());
    let errors = Submission::read(&bare(), Rules::Receive).unwrap_err();
    assert!(errors.iter().all(|error| error.code.as_str() == REPOSITORY));
}

/// ITI TF-1 15.2.3: with the flag, and where it is accepted, the column XDR MS; else the flag itself
/// is what is wrong.
#[test]
fn limited_metadata_is_for_recipients_that_accept_it() {
    let mut list = bare();
    assert!(!is_limited(&list));
    flag(&mut list.objects[SET], submission_set::LIMITED_METADATA);
    assert!(is_limited(&list));
    assert!(attributes(&list, Rules::ReceiveLimited).is_empty());
    let refused = attributes(&list, Rules::Receive);
    assert!(
        refused.contains(&"Set limitedMetadata".to_owned()),
        "{refused:?}"
    );
    drop_identifier(&mut list.objects[SET], submission_set::SOURCE_ID);
    assert_eq!(attributes(&list, Rules::ReceiveLimited), ["Set sourceId"]);
}

/// ITI TF-3 4.2.3.1.6: what IHE does not define can be dropped, and what it does define stays.
#[test]
fn extra_metadata_is_dropped_by_name() {
    let mut list = valid().to_ebrim();
    let before = valid();
    for at in [SET, DOCUMENT1, DOCUMENT2, FOLDER] {
        set_slot(&mut list.objects[at], "urn:example:dose", &["1"]);
    }
    set_slot(&mut list.objects[REPLACES], "urn:example:why", &["2"]);
    let mut submission = Submission::read(&list, Rules::Register).unwrap();
    let names: Vec<String> = submission.drop_extra_metadata().into_iter().collect();
    assert_eq!(names, ["urn:example:dose", "urn:example:why"]);
    assert_eq!(submission.to_ebrim(), before.to_ebrim());
    assert!(submission.drop_extra_metadata().is_empty());
}
