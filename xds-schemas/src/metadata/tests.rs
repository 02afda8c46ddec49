//! Whatever a sender writes comes back, understood or not.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::codes::ebrim_uuids::{
    association as association_scheme, document_entry as document_entry_scheme, folder,
    object_type, submission_set,
};
use crate::ebrim::{
    self, Body, Classification, ExternalIdentifier, InternationalString, LocalizedString,
    RegistryObject, Slot,
};

const ID: &str = "urn:uuid:b9e0bd2a-1a5c-4e6c-9e0c-6b3f6b6d1c01";

/// Values that some attributes can read, and some cannot.
fn value() -> impl Strategy<Value = String> {
    let sound = select(vec![
        "2024",
        "20240102030405",
        "12",
        "1.2.3",
        "de",
        "P^^^&1.2.3&ISO",
        "D\\E\\1^^^&1.2.3&ISO",
        "Original",
        "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "a^^^NS^urn:x:y",
        "PID-3|x",
        "^Welby",
        "Reference",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "Hospital|^Welby",
    ]);
    prop_oneof![sound.prop_map(str::to_owned), "[ -~äß&<\\\\^|~]{0,12}"]
}

fn slot(names: &'static [&'static str]) -> impl Strategy<Value = Slot> {
    let name = prop_oneof![select(names).prop_map(str::to_owned), "(urn:x:)?[a-z]{1,4}"];
    (name, vec(value(), 0..3)).prop_map(|(name, values)| Slot {
        name,
        slot_type: None,
        values,
    })
}

fn texts() -> impl Strategy<Value = InternationalString> {
    let text = (
        option::of("[a-z]{2}"),
        option::of(Just("UTF-8".to_owned())),
        "[ -~ä]{0,8}",
    );
    let text = text.prop_map(|(lang, charset, value)| LocalizedString {
        lang,
        charset,
        value,
    });
    vec(text, 1..3).prop_map(|texts| InternationalString { texts })
}

fn classification(schemes: &'static [&'static str]) -> impl Strategy<Value = Classification> {
    let scheme = prop_oneof![
        select(schemes).prop_map(str::to_owned),
        "urn:uuid:[0-9a-f]{4}"
    ];
    let slots = vec(
        slot(&[
            "codingScheme",
            "authorPerson",
            "authorInstitution",
            "authorRole",
        ]),
        0..3,
    );
    (
        scheme,
        option::of("[a-z]{0,3}"),
        slots,
        option::of(texts()),
        any::<bool>(),
    )
        .prop_map(|(scheme, code, slots, name, has_uuid)| Classification {
            id: if has_uuid {
                "urn:uuid:11111111-2222-4333-8444-555555555555"
            } else {
                "part"
            }
            .to_owned(),
            object_type: Some(ebrim::CLASSIFICATION.to_owned()),
            scheme: Some(scheme),
            classified_object: ID.to_owned(),
            node_representation: code,
            slots,
            name,
            ..Classification::default()
        })
}

fn identifier(schemes: &'static [&'static str]) -> impl Strategy<Value = ExternalIdentifier> {
    let scheme = prop_oneof![
        select(schemes).prop_map(str::to_owned),
        "urn:uuid:[0-9a-f]{4}"
    ];
    (scheme, value()).prop_map(|(scheme, value)| ExternalIdentifier {
        id: "part".to_owned(),
        scheme,
        value,
        registry_object: ID.to_owned(),
        ..ExternalIdentifier::default()
    })
}

/// What distinguishes an object of one kind.
struct Kind {
    body: Body,
    object_type: &'static str,
    slots: &'static [&'static str],
    schemes: &'static [&'static str],
    identifiers: &'static [&'static str],
}

fn object(kind: Kind) -> impl Strategy<Value = RegistryObject> {
    let identity = (
        option::of(Just(ID.to_owned())),
        option::of("urn:oid:1\\.[0-9]"),
        option::of("[1-9]"),
    );
    let texts = (option::of(texts()), option::of(texts()));
    let parts = (
        vec(slot(kind.slots), 0..6),
        vec(classification(kind.schemes), 0..5),
        vec(identifier(kind.identifiers), 0..4),
    );
    (identity, texts, parts).prop_map(move |((lid, home, version), (name, description), parts)| {
        let mut object = RegistryObject::new(ID, kind.body.clone());
        object.object_type = Some(kind.object_type.to_owned());
        object.lid = lid;
        object.home = home;
        object.version = version;
        object.name = name;
        object.description = description;
        (
            object.slots,
            object.classifications,
            object.external_identifiers,
        ) = parts;
        object
    })
}

fn entries() -> impl Strategy<Value = RegistryObject> {
    object(Kind {
        body: Body::ExtrinsicObject {
            mime_type: Some("text/plain".to_owned()),
            is_opaque: None,
        },
        object_type: object_type::STABLE,
        slots: &[
            "creationTime",
            "hash",
            "size",
            "languageCode",
            "legalAuthenticator",
            "sourcePatientId",
            "sourcePatientInfo",
            document_entry::REFERENCE_ID_LIST,
            "repositoryUniqueId",
            "serviceStartTime",
            "URI",
        ],
        schemes: &[
            document_entry_scheme::AUTHOR,
            document_entry_scheme::CLASS_CODE,
            document_entry_scheme::EVENT_CODE,
        ],
        identifiers: &[
            document_entry_scheme::PATIENT_ID,
            document_entry_scheme::UNIQUE_ID,
        ],
    })
}

fn sets() -> impl Strategy<Value = RegistryObject> {
    object(Kind {
        body: Body::RegistryPackage,
        object_type: ebrim::REGISTRY_PACKAGE,
        slots: &["submissionTime", "intendedRecipient"],
        schemes: &[submission_set::AUTHOR, submission_set::CONTENT_TYPE_CODE],
        identifiers: &[
            submission_set::PATIENT_ID,
            submission_set::UNIQUE_ID,
            submission_set::SOURCE_ID,
        ],
    })
    // A submission set has no version of its own.
    .prop_map(|object| RegistryObject {
        version: None,
        ..object
    })
}

fn folders() -> impl Strategy<Value = RegistryObject> {
    object(Kind {
        body: Body::RegistryPackage,
        object_type: ebrim::REGISTRY_PACKAGE,
        slots: &["lastUpdateTime"],
        schemes: &[folder::CODE_LIST],
        identifiers: &[folder::PATIENT_ID, folder::UNIQUE_ID],
    })
}

fn associations() -> impl Strategy<Value = RegistryObject> {
    object(Kind {
        body: Body::Association {
            association_type: "urn:example:likes".to_owned(),
            source: "a".to_owned(),
            target: ID.to_owned(),
        },
        object_type: ebrim::ASSOCIATION,
        slots: &["SubmissionSetStatus", "PreviousVersion", "NewStatus"],
        schemes: &[association_scheme::DOCUMENTATION],
        identifiers: &[folder::PATIENT_ID],
    })
    .prop_map(|object| RegistryObject {
        version: None,
        name: None,
        description: None,
        ..object
    })
}

/// What of `object` is not in `written`.
fn lost(object: &RegistryObject, written: &RegistryObject) -> Vec<String> {
    let mut lost = Vec::new();
    let common = |it: &RegistryObject| {
        let mut it = it.clone();
        (it.slots, it.classifications, it.external_identifiers) = Default::default();
        it
    };
    if common(object) != common(written) {
        lost.push("something of the object itself".to_owned());
    }
    // An empty slot says nothing.
    for slot in object.slots.iter().filter(|slot| !slot.values.is_empty()) {
        if count(&object.slots, slot) > count(&written.slots, slot) {
            lost.push(format!("{slot:?}"));
        }
    }
    for it in &object.classifications {
        let same = |other: &Classification| {
            let mut slots: Vec<_> = it
                .slots
                .iter()
                .filter(|slot| !slot.values.is_empty())
                .collect();
            let mut others: Vec<_> = other
                .slots
                .iter()
                .filter(|slot| !slot.values.is_empty())
                .collect();
            slots.sort_by(|a, b| (&a.name, &a.values).cmp(&(&b.name, &b.values)));
            others.sort_by(|a, b| (&a.name, &a.values).cmp(&(&b.name, &b.values)));
            let author = it.scheme.as_deref() == Some(document_entry_scheme::AUTHOR)
                || it.scheme.as_deref() == Some(submission_set::AUTHOR);
            other.scheme == it.scheme
                && (author
                    || (other.node_representation == it.node_representation
                        && other.name == it.name))
                && slots == others
                && (!it.id.starts_with("urn:uuid:") || it.id == other.id)
        };
        if !written.classifications.iter().any(same) {
            lost.push(format!("{it:?}"));
        }
    }
    for it in &object.external_identifiers {
        let same =
            |other: &ExternalIdentifier| other.scheme == it.scheme && other.value == it.value;
        if !written.external_identifiers.iter().any(same) {
            lost.push(format!("{it:?}"));
        }
    }
    lost
}

fn count(slots: &[Slot], slot: &Slot) -> usize {
    slots.iter().filter(|other| *other == slot).count()
}

proptest! {
    /// ITI TF-3 4.2.3.2.
    #[test]
    fn document_entries_lose_nothing(object in entries()) {
        let entry = DocumentEntry::from_ebrim(&object).unwrap();
        let written = entry.to_ebrim();
        prop_assert_eq!(lost(&object, &written), Vec::<String>::new());
        prop_assert_eq!(DocumentEntry::from_ebrim(&written).unwrap().to_ebrim(), written);
    }

    #[test]
    fn submission_sets_lose_nothing(object in sets()) {
        let written = SubmissionSet::from_ebrim(&object).unwrap().to_ebrim();
        prop_assert_eq!(lost(&object, &written), Vec::<String>::new());
        prop_assert_eq!(SubmissionSet::from_ebrim(&written).unwrap().to_ebrim(), written);
    }

    #[test]
    fn folders_lose_nothing(object in folders()) {
        let written = Folder::from_ebrim(&object).unwrap().to_ebrim();
        prop_assert_eq!(lost(&object, &written), Vec::<String>::new());
        prop_assert_eq!(Folder::from_ebrim(&written).unwrap().to_ebrim(), written);
    }

    #[test]
    fn associations_lose_nothing(object in associations()) {
        let written = Association::from_ebrim(&object).unwrap().to_ebrim();
        prop_assert_eq!(lost(&object, &written), Vec::<String>::new());
        prop_assert_eq!(Association::from_ebrim(&written).unwrap().to_ebrim(), written);
    }

    #[test]
    fn identifiers_are_written_as_they_are_read(id in "[ -~ä]{1,20}", oid in "[12](\\.[1-9][0-9]{0,3}){1,6}", id_type in "[ -~]{1,20}") {
        let patient = PatientId::new(id.as_str(), oid.as_str());
        prop_assert_eq!(PatientId::parse(&patient.to_string()), Ok(patient));
        let reference = ReferenceId { id, authority: Some(format!("&{oid}&ISO")), id_type };
        prop_assert_eq!(ReferenceId::parse(&reference.to_string()), Ok(reference));
    }

    #[test]
    fn nothing_makes_the_readers_of_values_panic(text in "[ -~äß^&|\\\\~0-9]{0,40}") {
        let _ = (PatientId::parse(&text), ReferenceId::parse(&text), Timestamp::parse(&text));
        for form in [
            formats::oid, formats::oid_urn, formats::uuid_urn, formats::sha1, formats::language, formats::mime_type,
            formats::uri, formats::pid_field, formats::xcn, formats::xon, formats::xtn, formats::intended_recipient,
        ] {
            let _ = form(&text);
        }
    }
}

/// ITI TF-3 4.2.3.1.7.
#[test]
fn patient_ids_have_one_form() {
    for good in [
        "1^^^&1.2.3&ISO",
        "1^^^&1.2.3&ISO^^",
        "89765a87b^^^&3.4.5&ISO",
        "D\\E\\TP-1^^^&1.3.6&ISO",
    ] {
        let id = PatientId::parse(good).unwrap();
        assert_eq!(id.to_string(), good.trim_end_matches('^'));
    }
    assert_eq!(PatientId::parse("D\\E\\T^^^&1.3.6&ISO").unwrap().id, "D\\T");
    for bad in [
        "",
        "1",
        "^^^&1.2.3&ISO",
        "1^2^^&1.2.3&ISO",
        "1^^^&1.2.3&DNS",
        "1^^^NS&1.2.3&ISO",
        "1^^^&1.2.3&ISO^PI",
        "1^^^1.2.3",
        "1^^^&1.02.3&ISO",
        "1^^^&1&ISO",
        "1&2^^^&1.2.3&ISO",
        "1\\H\\^^^&1.2.3&ISO",
        "1\\^^^&1.2.3&ISO",
    ] {
        let problem = PatientId::parse(bad).unwrap_err();
        assert!(
            bad.is_empty() || !problem.contains(bad),
            "the value is not told"
        );
    }
}
