//! What only the inside can tell.

use diesel::prelude::*;
use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::database;
use xds_schemas::person::{Person, PersonName};

use super::demographics::{self, Key, Kind};
use super::{Connection, encrypting, fields, on, patients};

/// Migrations can be undone and done again.
#[test]
fn up_down_up_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    assert_eq!(super::version(&url).unwrap(), None);
    let mut connection = Connection::open(&url).unwrap();
    assert_eq!(connection.version().unwrap(), None);
    connection.migrate().unwrap();
    let version = connection.version().unwrap();
    assert!(version.is_some());
    connection.unmigrate().unwrap();
    assert_eq!(connection.version().unwrap(), None);
    connection.migrate().unwrap();
    assert_eq!(super::version(&url).unwrap(), version);
}

/// Merges may follow each other, and a circle of them is no trap.
#[test]
fn the_survivor_of_merges() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    let mut connection = Connection::open(&url).unwrap();
    connection.migrate().unwrap();
    let mut numbers = Vec::new();
    for id in ["A", "B", "C"] {
        assert!(patients::add(&mut connection, id, 0).unwrap());
        assert!(!patients::add(&mut connection, id, 0).unwrap());
        let patient = patients::find(&mut connection, id).unwrap().unwrap();
        numbers.push(patient.number);
    }
    let [a, b, c] = numbers[..] else {
        unreachable!()
    };
    let merge = |connection: &mut Connection, one: i64, into: i64| {
        let query = format!("UPDATE patients SET merged_into = {into} WHERE number = {one}");
        on!(connection, |it| diesel::sql_query(query).execute(it)).unwrap();
    };
    assert_eq!(patients::survivor(&mut connection, a).unwrap(), a);
    merge(&mut connection, a, b);
    merge(&mut connection, b, c);
    assert_eq!(patients::survivor(&mut connection, a).unwrap(), c);
    assert_eq!(patients::survivor(&mut connection, c).unwrap(), c);
    let patient = patients::find_and_take_keys(&mut connection, "A", 3)
        .unwrap()
        .unwrap();
    assert_eq!((patient.merged_into, patient.next_seq), (Some(b), 3));
    merge(&mut connection, c, a);
    patients::survivor(&mut connection, a).unwrap();
}

/// The keys of one patient do not reach into those of the next.
#[test]
fn a_patient_has_room_for_so_many_objects() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    let mut connection = Connection::open(&url).unwrap();
    connection.migrate().unwrap();
    patients::add(&mut connection, "A", 0).unwrap();
    let most = usize::try_from(patients::MOST_OBJECTS).unwrap();
    let patient = patients::find_and_take_keys(&mut connection, "A", most - 1).unwrap();
    let number = patient.unwrap().number;
    let last = patients::take_keys(&mut connection, number, 1).unwrap();
    assert_eq!(last.map(super::patient_of), Some(number));
    let beyond = patients::take_keys(&mut connection, number, 1).unwrap();
    assert_eq!(beyond, None);
}

/// What is known of people is found by the same keys, sealed from the beginning or later.
#[test]
fn demographics_are_found_by_pseudonyms() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    KeyRing::generate(&keys, None).unwrap();
    let ring = KeyRing::open(&keys, None).unwrap();
    ring.install();
    let name = PersonName {
        family: vec!["Plantedname".to_owned()],
        given: vec!["Greta".to_owned()],
        ..PersonName::default()
    };
    let person = Person {
        names: vec![name],
        ..Person::default()
    };
    let family = Key::new(Kind::Family, "plantedname");
    let given = Key::new(Kind::Given, "plantedname");
    for sealed in [true, false] {
        let path = folder.path().join(format!("{sealed}.db"));
        let url = format!("sqlite:{}", path.display());
        let mut connection = Connection::open(&url).unwrap();
        connection.migrate().unwrap();
        if sealed {
            let (fields, _) = database::new(fields::DATABASE, &ring).unwrap();
            connection.keep_fields(fields);
        }
        patients::add(&mut connection, "A", 0).unwrap();
        let number = patients::find(&mut connection, "A")
            .unwrap()
            .unwrap()
            .number;
        demographics::put(&mut connection, number, &person, 0).unwrap();
        let finds = |connection: &mut Connection, key: &Key| {
            let key = std::slice::from_ref(key);
            demographics::with_any(connection, key, 10).unwrap()
        };
        let holds = || {
            let files = std::fs::read_dir(folder.path()).unwrap().flatten();
            let ours = files.filter(|it| {
                it.path()
                    .to_string_lossy()
                    .contains(&format!("{sealed}.db"))
            });
            let texts = ours.map(|it| std::fs::read(it.path()).unwrap().to_ascii_lowercase());
            texts
                .into_iter()
                .any(|text| text.windows(11).any(|it| it == b"plantedname"))
        };
        assert_eq!(holds(), !sealed);
        if !sealed {
            drop(connection);
            assert!(
                encrypting::encrypt(&url, &ring, &mut |_| {})
                    .unwrap()
                    .is_some()
            );
            assert!(!holds());
            let source = fields::Source {
                fields: fields::check(&url, Some(&ring)).unwrap().unwrap(),
                url,
            };
            connection = source.connect().unwrap();
        }
        assert_eq!(finds(&mut connection, &family), [number]);
        // Equal texts of two kinds are two things.
        assert_eq!(finds(&mut connection, &given), Vec::<i64>::new());
        let known = demographics::of(&mut connection, number).unwrap();
        assert_eq!(known, Some(person.clone()));
        demographics::remove(&mut connection, number).unwrap();
        assert_eq!(finds(&mut connection, &family), Vec::<i64>::new());
    }
}
