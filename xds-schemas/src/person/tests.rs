//! What is read of HL7 v2, and what JSON keeps.

use super::*;
use crate::hl7v2::{Header, Message, PatientDomain};
use crate::iti8_patient_identity_feed as iti8;

fn read(pid: &str, charset: &str) -> Vec<(PatientId, Person)> {
    let message = format!(
        "MSH|^~\\&|ADT|H|||20260101||ADT^A04|M|P|2.3.1||||||{charset}\rEVN|A04\r{pid}\rPV1||N\r"
    );
    let message = Message::read(message.as_bytes()).unwrap();
    let domain = PatientDomain {
        authority: "1.2.3.9".to_owned(),
        namespace: Some("OURS".to_owned()),
    };
    iti8::people(&message, &Header::of(&message), &domain)
}

/// ITI TF-2 3.8.4.1.2.3.
#[test]
fn a_segment_says_who_somebody_is() {
    let pid = "PID|||P-1^^^OURS~L1^^^&1.2.3.7&ISO~X^^^UNKNOWN||Müller^Anna^Maria^Jr^Dr.^^L\
               ~\"\"^\"\"|Svoboda^Eva|19730228031500.1+0100|F|Mueller^Anna||\
               Street 1^House^Wien^W^1010^AUT^H~^^Graz^^^AUT^N||(01) 47 11^PRN^PH~^NET^Internet^a@b.example|\
               ^WPN^CP^^43^664^12345|||||||||AKH|Y|2||||202401|Y";
    let people = read(pid, "UNICODE UTF-8");
    let [(patient, person)] = people.as_slice() else {
        panic!("{people:?}");
    };
    assert_eq!(*patient, PatientId::new("P-1", "1.2.3.9"));
    let ids = [
        PatientId::new("P-1", "1.2.3.9"),
        PatientId::new("L1", "1.2.3.7"),
    ];
    assert_eq!(person.ids, ids);
    let [name, alias] = person.names.as_slice() else {
        panic!("{:?}", person.names);
    };
    assert_eq!(name.family, ["Müller"]);
    assert_eq!(name.given, ["Anna", "Maria"]);
    assert_eq!(
        (name.prefix.as_slice(), name.suffix.as_slice()),
        (["Dr.".to_owned()].as_slice(), ["Jr".to_owned()].as_slice())
    );
    assert_eq!(alias.usage.as_deref(), Some("A"));
    assert_eq!(
        person.mothers_maiden_name,
        Some(PersonName::of("Svoboda", "Eva"))
    );
    assert_eq!(person.birth_time, Timestamp::parse("19730228031500").ok());
    assert_eq!(person.gender, Some(Gender::Female));
    assert_eq!(person.addresses.len(), 1);
    assert_eq!(person.addresses[0].lines, ["Street 1", "House"]);
    let of_birth = person.birth_place.address.as_ref().unwrap();
    assert_eq!(of_birth.city.as_deref(), Some("Graz"));
    assert_eq!(person.birth_place.name.as_deref(), Some("AKH"));
    let telecoms: Vec<_> = person.telecoms.iter().map(|it| it.value.as_str()).collect();
    assert_eq!(
        telecoms,
        ["tel:(01)4711", "mailto:a@b.example", "tel:+43-664-12345"]
    );
    assert_eq!(
        (person.multiple_birth, person.multiple_birth_order),
        (Some(true), Some(2))
    );
    assert_eq!(
        (person.deceased, &person.deceased_time),
        (Some(true), &Timestamp::parse("202401").ok())
    );
}

/// What cannot be read with certainty is not kept (ITI TF-2 C.2.2).
#[test]
fn a_name_in_an_unknown_character_set_is_passed_over() {
    let people = read("PID|||P-1^^^OURS||Müller^Anna", "ISO IR159");
    assert_eq!(people[0].1.names, [PersonName::of("", "Anna")]);
}

#[test]
fn json_gives_back_what_it_got() {
    let people = read("PID|||P\\T\\1^^^OURS||A&B^C||1973|M||||||||", "");
    let (_, person) = &people[0];
    let json = serde_json::to_string(person).unwrap();
    assert_eq!(serde_json::from_str::<Person>(&json).unwrap(), *person);
    assert!(!json.contains("telecoms"), "{json}");
    assert!(serde_json::from_str::<Person>(r#"{"birth_time":"yesterday"}"#).is_err());
}

#[test]
fn only_so_much_is_kept() {
    let many = vec!["Long^Name"; 40]
        .join("~")
        .replace("Name", &"n".repeat(1000));
    let people = read(&format!("PID|||P-1^^^OURS||{many}"), "");
    let [name] = people[0].1.names.as_slice() else {
        panic!();
    };
    assert_eq!(name.given[0].len(), LONGEST_TEXT);
    let many: Vec<String> = (0..40).map(|at| format!("N{at}")).collect();
    let people = read(&format!("PID|||P-1^^^OURS||{}", many.join("~")), "");
    assert_eq!(people[0].1.names.len(), MOST_OF_A_KIND);
}
