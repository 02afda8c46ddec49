use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::database::{self, Database, FieldsError, Judged, Kept};
use super::*;
use crate::at_rest::{KeyId, KeyRing, has_keys};

const COLUMN: &str = "patients.patient_id";
const DATABASE: Database = Database {
    name: "registry",
    called: "the registry",
};

fn ring(folder: &Path) -> KeyRing {
    KeyRing::generate(&folder.join("keys"), None).unwrap();
    let ring = KeyRing::open(&folder.join("keys"), None).unwrap();
    ring.install();
    ring
}

fn fields() -> Fields {
    Fields::with(&DataKey::random().unwrap()).unwrap()
}

/// The key of the test values in `docs/at-rest.md`.
fn known() -> DataKey {
    let bytes: Vec<u8> = (0x40..0x60).collect();
    DataKey(Secret::of(bytes.try_into().unwrap()))
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened_where_it_was_sealed(text in ".*", row: i64, other: i64) {
        let fields = fields();
        let place = Place::of(COLUMN, &row);
        let sealed = fields.seal(place, &text).unwrap().into_owned();
        prop_assert!(text.is_empty() || !sealed.contains(&text) || text.len() < 4);
        prop_assert_eq!(fields.open(place, sealed.clone()).unwrap(), text);
        if row != other {
            let elsewhere = Place::of(COLUMN, &other);
            prop_assert!(fields.open(elsewhere, sealed.clone()).is_err());
        }
        let elsewhere = Place::of("subscriptions.patient_id", &row);
        prop_assert!(fields.open(elsewhere, sealed.clone()).is_err());
        prop_assert!(self::fields().open(place, sealed).is_err());
    }

    #[test]
    fn nothing_else_is_opened(kept in ".*") {
        let fields = fields();
        prop_assert!(fields.open(Place::of(COLUMN, &1), kept.clone()).is_err());
        let marked = format!("~1~{kept}");
        prop_assert!(fields.open(Place::of(COLUMN, &1), marked).is_err());
    }
}

/// Every letter of what is kept counts.
#[test]
fn a_changed_field_is_refused() {
    let fields = fields();
    let place = Place::of(COLUMN, &1);
    let sealed = fields
        .seal(place, "4711^^^&1.2.3&ISO")
        .unwrap()
        .into_owned();
    for at in 0..sealed.len() {
        for other in ['A', 'B', '~'] {
            let mut changed: Vec<char> = sealed.chars().collect();
            if changed[at] == other {
                continue;
            }
            changed[at] = other;
            let changed: String = changed.into_iter().collect();
            assert!(fields.open(place, changed).is_err(), "{at}");
        }
        assert!(fields.open(place, sealed[..at].to_owned()).is_err());
    }
    let error = fields.open(place, "plain text".to_owned()).unwrap_err();
    let said = "the field patients.patient_id of 1 is not sealed, as it should be";
    assert_eq!(error.to_string(), said);
}

#[test]
fn the_same_text_is_sealed_otherwise_each_time_and_has_one_pseudonym() {
    let fields = fields();
    let place = Place::of(COLUMN, &1);
    let sealed = || fields.seal(place, "4711").unwrap().into_owned();
    assert_ne!(sealed(), sealed());
    let pseudonym = fields.pseudonym(COLUMN, "4711").unwrap();
    assert_eq!(fields.pseudonym(COLUMN, "4711").unwrap(), pseudonym);
    assert_eq!(fields.name(place, "4711").unwrap().name, pseudonym);
    assert_ne!(fields.pseudonym(COLUMN, "4712").unwrap(), pseudonym);
    let elsewhere = fields.pseudonym("subscriptions.patient_id", "4711");
    assert_ne!(elsewhere.unwrap(), pseudonym);
    let other = Fields::with(&DataKey::random().unwrap()).unwrap();
    assert_ne!(other.pseudonym(COLUMN, "4711").unwrap(), pseudonym);
    assert_eq!(fields.pseudonym(COLUMN, "").unwrap(), "");
}

/// A row cannot be given the pseudonym of another one.
#[test]
fn a_pseudonym_belongs_to_its_text() {
    let fields = fields();
    let named = |row: i64, text| fields.name(Place::of(COLUMN, &row), text).unwrap();
    let (one, two) = (named(1, "4711"), named(2, "0815"));
    let place = Place::of(COLUMN, &1);
    assert_eq!(fields.reveal(place, one.clone()).unwrap(), "4711");
    let exchanged = Named {
        name: two.name.clone(),
        ..one.clone()
    };
    assert!(fields.reveal(place, exchanged).is_err());
    assert!(fields.reveal(place, two).is_err());
    let lost = Named {
        sealed: None,
        ..one
    };
    assert!(fields.reveal(place, lost).is_err());
    // What is about nobody is that for good, and nothing else becomes so.
    let nobody = named(1, "");
    assert_eq!(nobody.name, "");
    assert_eq!(fields.reveal(place, nobody.clone()).unwrap(), "");
    let everybody = Named {
        name: String::new(),
        ..named(1, "4711")
    };
    assert!(fields.reveal(place, everybody).is_err());
    let unsealed = Named {
        sealed: None,
        ..nobody
    };
    assert!(fields.reveal(place, unsealed).is_err());
}

#[test]
fn plain_fields_are_what_they_are() {
    let fields = Fields::default();
    let place = Place::of(COLUMN, &1);
    assert_eq!(fields.seal(place, "4711").unwrap(), "4711");
    assert_eq!(fields.open(place, "~1~4711".to_owned()).unwrap(), "~1~4711");
    let named = fields.name(place, "4711").unwrap();
    assert_eq!((named.name.as_str(), &named.sealed), ("4711", &None));
    assert_eq!(fields.reveal(place, named).unwrap(), "4711");
}

/// Made with another implementation.
#[test]
fn test_values() {
    let fields = Fields::with(&known()).unwrap();
    let place = Place::of(COLUMN, &7);
    let kept = "~1~ZGVmZ2hpamtsbW5vKkmnWJIfHGPSQ/1dcC/Sy8MXctVqM0HlRDDLSIUSFjII";
    let text = "4711^^^&1.2.3&ISO";
    assert_eq!(fields.open(place, kept.to_owned()).unwrap(), text);
    let pseudonym = "ay2wW3dCI7cXmn3FWhXCxs/Va9UIBB2idZj8nxOhu+A";
    assert_eq!(fields.pseudonym(COLUMN, text).unwrap(), pseudonym);
    let folder = tempfile::tempdir().unwrap();
    ring(folder.path());
    let name = "000102030405060708090a0b0c0d0e0f";
    let digits: String = (0..32).map(|byte: u8| format!("{byte:02x}")).collect();
    let path = folder.path().join(format!("keys/{name}.key"));
    fs::write(&path, format!("hilum key 1\n{digits}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(has_keys());
    let wrapped = "48696c756d456e630101110001000000000102030405060708090a0b0c0d0e0f\
                   00000000000000006465666768696a6b6c6d6e6f\
                   085a9c253dac10d9762b15a3962824b212935459df39a525ff88f613a7fefb17\
                   bcf6b3a6ce1e1e0add55c8ed29fb1eb9";
    let unwrapped = database::unwrap(DATABASE, wrapped).unwrap();
    assert_eq!(unwrapped.open(place, kept.to_owned()).unwrap(), text);
    let other = Database {
        name: "images",
        ..DATABASE
    };
    assert!(database::unwrap(other, wrapped).is_err());
}

#[test]
fn a_database_is_opened_as_it_is_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring(folder.path());
    let judge =
        |kept: Option<&Kept>, has_data, ring| database::judge(DATABASE, kept, has_data, ring);
    let Judged::New(fields, wrapped) = judge(None, false, Some(&ring)).unwrap() else {
        panic!("it is new");
    };
    let place = Place::of(COLUMN, &1);
    let sealed = fields.seal(place, "4711").unwrap().into_owned();
    let kept = |progress: Option<&str>| Kept {
        wrapped: wrapped.clone(),
        progress: progress.map(str::to_owned),
    };
    let Judged::Known(again) = judge(Some(&kept(None)), true, Some(&ring)).unwrap() else {
        panic!("it is known");
    };
    assert_eq!(again.open(place, sealed).unwrap(), "4711");
    let Judged::Known(plain) = judge(None, true, None).unwrap() else {
        panic!("it is known");
    };
    assert!(!plain.are_sealed());
    let refused = |kept: Option<&Kept>, ring| judge(kept, true, ring).unwrap_err();
    assert!(matches!(
        refused(Some(&kept(None)), None),
        FieldsError::Sealed(_)
    ));
    assert!(matches!(refused(None, Some(&ring)), FieldsError::Plain(_)));
    let unfinished = refused(Some(&kept(Some("1"))), Some(&ring));
    assert!(matches!(unfinished, FieldsError::Unfinished(_)));
    for at in [0, 20, 60, 120, 199] {
        let mut damaged = kept(None);
        let other = match damaged.wrapped.as_bytes()[at] {
            b'0' => "1",
            _ => "0",
        };
        damaged.wrapped.replace_range(at..=at, other);
        let refusal = refused(Some(&damaged), Some(&ring));
        assert!(
            matches!(refusal, FieldsError::Locked(..)),
            "{at}: {refusal}"
        );
    }
}

/// One line says which key is wrong, and how.
#[test]
fn a_key_that_is_missing_or_another_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let first = ring(folder.path());
    let old = first.current_id();
    let (_, wrapped) = database::new(DATABASE, &first).unwrap();
    assert_eq!(database::key_of(&wrapped), Some(old));
    let path = folder.path().join(format!("keys/{old}.key"));
    let elsewhere = tempfile::tempdir().unwrap();
    let second = ring(elsewhere.path());
    fs::rename(&path, elsewhere.path().join("kept")).unwrap();
    KeyRing::generate(&folder.path().join("keys"), None).unwrap();
    KeyRing::open(&folder.path().join("keys"), None)
        .unwrap()
        .install();
    let said = database::unwrap(DATABASE, &wrapped)
        .unwrap_err()
        .to_string();
    let missing =
        format!("identifiers in the registry are encrypted: the key {old} is not in the key ring");
    assert_eq!(said, missing);
    let other = elsewhere
        .path()
        .join(format!("keys/{}.key", second.current_id()));
    fs::copy(other, path).unwrap();
    let said = database::unwrap(DATABASE, &wrapped)
        .unwrap_err()
        .to_string();
    let wrong = format!(
        "identifiers in the registry are encrypted: \
         the key {old} in the key ring is another one of this name"
    );
    assert_eq!(said, wrong);
}

#[test]
fn a_data_key_gets_another_wrap_and_stays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring(folder.path());
    let (fields, wrapped) = database::new(DATABASE, &ring).unwrap();
    let pseudonym = fields.pseudonym(COLUMN, "4711").unwrap();
    assert_eq!(database::rewrap(DATABASE, &wrapped, &ring).unwrap(), None);
    let newer: KeyId = KeyRing::generate(&folder.path().join("keys"), None).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(600));
    let rewrapped = database::rewrap(DATABASE, &wrapped, &ring)
        .unwrap()
        .unwrap();
    assert_eq!(database::key_of(&rewrapped), Some(newer));
    let again = database::unwrap(DATABASE, &rewrapped).unwrap();
    assert_eq!(again.pseudonym(COLUMN, "4711").unwrap(), pseudonym);
}
