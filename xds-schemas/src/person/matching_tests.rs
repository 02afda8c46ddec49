//! The rule has properties, and examples.

use proptest::prelude::*;

use super::*;
use crate::metadata::PatientId;

fn anna() -> Person {
    Person {
        ids: vec![PatientId::new("1", "1.2.3.9")],
        names: vec![PersonName::of("Müller-Žižková", "Anna Maria")],
        gender: Some(Gender::Female),
        birth_time: Timestamp::parse("19730228").ok(),
        addresses: vec![Address {
            lines: vec!["Hauptstraße 1".to_owned()],
            city: Some("Wien".to_owned()),
            postal_code: Some("1010".to_owned()),
            ..Address::default()
        }],
        telecoms: vec![Telecom {
            value: "tel:+43-664-1234567".to_owned(),
            usage: None,
        }],
        mothers_maiden_name: Some(PersonName::of("Svoboda", "Eva")),
        ..Person::default()
    }
}

fn asked(name: PersonName, born: &str) -> Parameters {
    Parameters {
        names: vec![name],
        birth_time: Timestamp::parse(born).ok().map(AskedTime::at),
        ..Parameters::default()
    }
}

/// Everything that is known of somebody, as a question.
fn all_of(person: &Person) -> Parameters {
    Parameters {
        gender: person.gender,
        birth_time: person.birth_time.clone().map(AskedTime::at),
        ids: person.ids.iter().map(InstanceId::of).collect(),
        names: person.names.clone(),
        addresses: person.addresses.clone(),
        telecoms: person.telecoms.clone(),
        mothers_maiden_names: person.mothers_maiden_name.iter().cloned().collect(),
        ..Parameters::default()
    }
}

#[test]
fn the_table_of_the_documentation_is_true() {
    let name = || PersonName::of("MUELLER ZIZKOVA", "Maria Anna");
    for (question, expected) in [
        (asked(name(), "19730228"), 80),
        (asked(name(), "197302"), 70),
        (asked(name(), "1973"), 60),
        (asked(name(), "19730227"), 50),
        (asked(PersonName::of("Mueller", "Anna"), "19730228"), 68),
        (asked(PersonName::of("Mueller", "A."), "19730228"), 58),
        (
            asked(PersonName::of("Zizkova Müller", "Eva"), "19730228"),
            40,
        ),
        (asked(PersonName::of("Novak", "Anna Maria"), "19730228"), 30),
        (all_of(&anna()), 100),
    ] {
        assert_eq!(degree(&question, &anna()), expected, "{question:?}");
    }
    let id = |id: &str, authority: &str| Parameters {
        ids: vec![InstanceId::of(&PatientId::new(id, authority))],
        ..Parameters::default()
    };
    assert_eq!(degree(&id("1", "1.2.3.9"), &anna()), 80);
    assert_eq!(degree(&id("2", "1.2.3.9"), &anna()), 0);
    assert_eq!(degree(&id("1", "1.2.3.8"), &anna()), 0);
    let mut other = all_of(&anna());
    other.ids = id("2", "1.2.3.9").ids;
    assert_eq!(degree(&other, &anna()), 50);
    let mut other = asked(name(), "19730228");
    other.gender = Some(Gender::Male);
    assert_eq!(degree(&other, &anna()), 60);
}

/// ITI TF-2 3.55.4.2.3: one is told, several are not.
#[test]
fn who_is_not_alone_is_not_told() {
    assert_eq!(choose([("a", 80), ("b", 79)], None), Choice::One("a"));
    assert_eq!(choose([("a", 79)], None), Choice::Nobody);
    assert_eq!(choose([("a", 90)], Some(95)), Choice::Nobody);
    assert_eq!(
        choose([("a", 79)], Some(1)),
        Choice::Nobody,
        "not below the rule"
    );
    let both = Choice::Ambiguous(vec!["a", "b"]);
    assert_eq!(choose([("a", 100), ("b", 80)], None), both);
    let mut question = asked(PersonName::of("Müller", "Anna"), "1973");
    let all = [
        Wanted::LivingSubjectAdministrativeGenderRequested,
        Wanted::PatientAddressRequested,
        Wanted::PatientTelecomRequested,
        Wanted::MothersMaidenNameRequested,
    ];
    assert_eq!(wanted(&question, [&anna(), &Person::default()]), all);
    question.gender = Some(Gender::Female);
    assert_eq!(wanted(&question, [&anna()]), all[1..]);
}

/// ITI TF-2 3.47.4.1.2.1.
#[test]
fn who_has_everything_that_is_asked_fits() {
    let name = PersonName::of;
    let search = |family: &str| PersonName {
        usage: Some(crate::person::SEARCH.to_owned()),
        ..PersonName::of(family, "")
    };
    for (question, expected) in [
        (asked(name("Muller Zizkova", ""), ""), true),
        (asked(name("Müller", ""), ""), false),
        (asked(search("Zizk"), ""), true),
        (asked(search("izk"), ""), false),
        (asked(name("", "maria"), "1973"), true),
        (asked(name("", "maria"), "1974"), false),
        (
            Parameters {
                gender: Some(Gender::Male),
                ..Parameters::default()
            },
            false,
        ),
        (
            Parameters {
                ids: vec![InstanceId::new("1.2.3.9")],
                ..Parameters::default()
            },
            true,
        ),
        (
            Parameters {
                telecoms: vec![Telecom {
                    value: "tel:0664/1234567".to_owned(),
                    usage: None,
                }],
                ..Parameters::default()
            },
            true,
        ),
        (
            Parameters {
                addresses: vec![Address {
                    city: Some("WIEN".to_owned()),
                    ..Address::default()
                }],
                ..Parameters::default()
            },
            true,
        ),
    ] {
        assert_eq!(fits(&question, &anna()), expected, "{question:?}");
    }
    let between = |low: &str, high: &str| Parameters {
        birth_time: Some(AskedTime {
            value: None,
            low: Timestamp::parse(low).ok(),
            high: Timestamp::parse(high).ok(),
        }),
        ..Parameters::default()
    };
    assert!(fits(&between("19730101", "1973"), &anna()));
    assert!(fits(&between("19730228", "19730228"), &anna()));
    assert!(!fits(&between("19730301", "1974"), &anna()));
    assert!(!fits(&between("1970", "197301"), &anna()));
}

#[test]
fn words_are_compared_as_people_mean_them() {
    for (one, other) in [
        ("Müller", "MUELLER"),
        ("O'Brien", "OBRIEN"),
        ("Straße", "strasse"),
        ("García Márquez", "marquez, garcia"),
        ("Sørensen", "Soerensen"),
        ("Łukasz", "lukasz"),
        ("İnci", "inci"),
        ("ＡＢＣ", "abc"),
    ] {
        assert_eq!(words(one), words(other), "{one}");
    }
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-zäöüßéøŁ' -]{0,12}", "\\PC{0,8}"]
}

fn person() -> impl Strategy<Value = Person> {
    let name = (part(), part()).prop_map(|(family, given)| PersonName::of(&family, &given));
    let born = proptest::option::of("19[0-9]{2}(0[1-9](1[0-9])?)?");
    let gender = proptest::option::of(prop_oneof![Just(Gender::Female), Just(Gender::Male)]);
    let ids = proptest::collection::vec(("[1-3]", "1\\.2\\.[1-3]"), 0..3);
    (name, born, gender, ids).prop_map(|(name, born, gender, ids)| Person {
        names: vec![name],
        birth_time: born.and_then(|born| Timestamp::parse(&born).ok()),
        gender,
        ids: ids
            .iter()
            .map(|(id, authority)| PatientId::new(id, authority))
            .collect(),
        ..Person::default()
    })
}

proptest! {
    #[test]
    fn what_is_normal_stays_so(text in part()) {
        let once = words(&text);
        prop_assert_eq!(words_of(&once), once);
    }

    #[test]
    fn capitals_say_nothing(text in "[A-Za-zäöüßéøŁ' -]{0,12}") {
        prop_assert_eq!(words(&text.to_uppercase()), words(&text.to_lowercase()));
    }

    #[test]
    fn names_are_compared_both_ways_alike(one in person(), other in person()) {
        prop_assert_eq!(
            name_points(&one.names[0], &other.names[0]),
            name_points(&other.names[0], &one.names[0])
        );
        let degrees = (degree(&all_of(&one), &other), degree(&all_of(&other), &one));
        prop_assert_eq!(degrees.0, degrees.1);
    }

    #[test]
    fn agreeing_on_more_never_lowers_it(question in person(), patient in person()) {
        let mut asked = all_of(&question);
        let before = degree(&asked, &patient);
        prop_assert!(before <= 100);
        asked.gender = patient.gender.or(asked.gender);
        let with_gender = degree(&asked, &patient);
        prop_assert!(with_gender >= before);
        asked.names.extend(patient.names.iter().cloned());
        let with_name = degree(&asked, &patient);
        prop_assert!(with_name >= with_gender);
        if let Some(born) = &patient.birth_time {
            asked.birth_time = Some(AskedTime::at(born.clone()));
            let with_birth = degree(&asked, &patient);
            let asked_more = question.birth_time.as_ref();
            let was_as_precise = asked_more.is_some_and(|it| it.as_str().len() >= born.as_str().len());
            prop_assert!(with_birth >= with_name || was_as_precise);
        }
        asked.ids.extend(patient.ids.iter().map(InstanceId::of));
        prop_assert!(degree(&asked, &patient) >= with_name);
    }

    #[test]
    fn another_day_of_birth_never_matches(question in person(), patient in person()) {
        let mut patient = patient;
        patient.birth_time = Timestamp::parse("19730228").ok();
        let mut asked = all_of(&question);
        asked.names.extend(patient.names.iter().cloned());
        asked.ids.extend(patient.ids.iter().map(InstanceId::of));
        asked.birth_time = Timestamp::parse("19730227").ok().map(AskedTime::at);
        prop_assert!(degree(&asked, &patient) < MATCH);
    }

    #[test]
    fn who_is_described_wholly_fits(patient in person()) {
        let mut asked = all_of(&patient);
        asked.names.retain(|name| !name.is_empty());
        prop_assert!(fits(&asked, &patient));
    }
}
