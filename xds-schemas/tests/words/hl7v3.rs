//! One of each message about patients, with everything in it that we can say.

use xds_schemas::hl7v3::find_candidates::{
    AskedTime, Candidate, Custodian, FindCandidatesQuery, FindCandidatesResponse,
    HealthDataLocator, Parameters, Priority, Problem, QueryByParameter, Wanted,
};
use xds_schemas::hl7v3::{
    Detail, InstanceId, Quantities, QueryContinuation, Transmission, UNKNOWN_KEY,
};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti44_patient_identity_feed_hl7v3::PatientRecordMessage;
use xds_schemas::iti45_pixv3_query::{
    GetIdentifiersQuery, GetIdentifiersResponse, IdentifierQuery,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::{Address, BirthPlace, Gender, Person, PersonName, SEARCH, Telecom};

pub(crate) fn person() -> Person {
    let address = Address {
        lines: vec!["Straße der Prüfung 1 & 2".to_owned(), "Stiege 3".to_owned()],
        city: Some("Wien".to_owned()),
        state: Some("W".to_owned()),
        postal_code: Some("1010".to_owned()),
        country: Some("AUT".to_owned()),
        usage: Some("HP".to_owned()),
        ..Address::default()
    };
    let said = Address {
        text: Some("behind the church".to_owned()),
        ..Address::default()
    };
    Person {
        ids: vec![
            PatientId::new("P-1", "1.2.3.9"),
            PatientId::new("L & 1", "1.2.3.7"),
            PatientId::new("L2", "1.2.3.7"),
        ],
        names: vec![
            PersonName {
                prefix: vec!["Dr.".to_owned()],
                suffix: vec!["Jr".to_owned()],
                usage: Some("L".to_owned()),
                ..PersonName::of("Žižková-Müller", "Anna Maria")
            },
            PersonName {
                text: Some("Anna the Great".to_owned()),
                usage: Some("A".to_owned()),
                ..PersonName::default()
            },
        ],
        gender: Some(Gender::Female),
        birth_time: Timestamp::parse("19730228").ok(),
        birth_place: BirthPlace {
            name: Some("AKH".to_owned()),
            address: Some(address.clone()),
        },
        addresses: vec![address, said],
        telecoms: vec![
            Telecom {
                value: "tel:+43-1-4711".to_owned(),
                usage: Some("MC".to_owned()),
            },
            Telecom {
                value: "mailto:anna@site.example".to_owned(),
                usage: None,
            },
        ],
        mothers_maiden_name: Some(PersonName::of("Svoboda", "Eva")),
        deceased: Some(true),
        deceased_time: Timestamp::parse("202401").ok(),
        multiple_birth: Some(true),
        multiple_birth_order: Some(2),
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_700_000_000)
}

pub(crate) fn transmission(interaction: &str) -> Transmission {
    Transmission {
        id: InstanceId::new("2.25.77"),
        interaction: interaction.to_owned(),
        processing_code: "P".to_owned(),
        sender: InstanceId::new("1.2.4"),
        receiver: InstanceId::new("1.2.5"),
        sender_organization: Some("1.2.6".to_owned()),
        respond_to: None,
    }
}

fn query() -> QueryByParameter {
    let person = person();
    let search = PersonName {
        usage: Some(SEARCH.to_owned()),
        ..PersonName::of("Ziz", "")
    };
    QueryByParameter {
        id: InstanceId::of(&PatientId::new("4711", "1.2.3.40")),
        priority: Priority::Immediate,
        initial_quantity: Some(10),
        algorithm: Some("exact & quick".to_owned()),
        minimum_degree: Some(80),
        parameters: Parameters {
            birth_time_is_wrong: false,
            gender: person.gender,
            birth_time: Some(AskedTime {
                value: None,
                low: Timestamp::parse("1973").ok(),
                high: Timestamp::parse("19731231").ok(),
            }),
            birth_place_addresses: person.addresses.clone(),
            birth_place_names: vec!["AKH".to_owned(), "Spital".to_owned()],
            ids: person.ids.iter().map(InstanceId::of).collect(),
            names: vec![person.names[0].clone(), search],
            mothers_maiden_names: person.mothers_maiden_name.clone().into_iter().collect(),
            domains: vec![InstanceId::new("1.2.3.7"), InstanceId::new("1.2.3.8")],
            addresses: person.addresses.clone(),
            telecoms: person.telecoms.clone(),
            care_providers: vec![InstanceId::new("1.2.3.50")],
            others: vec!["livingSubjectDeceasedTime", "patientStatusCode"],
        },
    }
}

pub(crate) fn question() -> FindCandidatesQuery {
    FindCandidatesQuery {
        authority: Some("1.2.3.7".to_owned()),
        ..FindCandidatesQuery::new(transmission(""), &now(), query())
    }
}

fn answer() -> FindCandidatesResponse {
    FindCandidatesResponse::to(&question(), InstanceId::new("2.25.78"), now().as_str())
}

pub(crate) fn found() -> FindCandidatesResponse {
    let candidate = Candidate {
        ids: vec![PatientId::new("P-1", "1.2.3.9")],
        person: person(),
        without: vec!["1.2.3.8".to_owned()],
        degree: Some(95),
        custodian: Custodian {
            id: InstanceId::new("1.2.6"),
            locator: Some(HealthDataLocator::NotHealthDataLocator),
        },
    };
    let nobody = Candidate {
        ids: vec![PatientId::new("P-2", "1.2.3.9")],
        person: Person {
            ids: vec![PatientId::new("P-2", "1.2.3.9")],
            ..Person::default()
        },
        custodian: Custodian {
            id: InstanceId::new("1.2.6"),
            locator: None,
        },
        ..Candidate::default()
    };
    let mut answer = answer().with(vec![candidate, nobody]);
    answer.quantities = Some(Quantities {
        total: 5,
        current: 2,
        remaining: 3,
    });
    answer
}

pub(crate) fn wanting() -> FindCandidatesResponse {
    answer().wanting([
        Wanted::PatientAddressRequested,
        Wanted::MothersMaidenNameRequested,
    ])
}

pub(crate) fn refusing() -> FindCandidatesResponse {
    let detail = Detail {
        code: Some(UNKNOWN_KEY.to_owned()),
        text: Some("who is <this>?".to_owned()),
        location: Some("/a/b[2]".to_owned()),
    };
    answer().refusing(vec![detail], Some(Problem::AnswerNotAvailable))
}

pub(crate) fn identifiers_wanted() -> GetIdentifiersQuery {
    let query = IdentifierQuery {
        id: InstanceId::new("2.25.79"),
        patients: vec![InstanceId::of(&PatientId::new("P-1", "1.2.3.9"))],
        domains: vec![InstanceId::new("1.2.3.7"), InstanceId::new("1.2.3.8")],
    };
    GetIdentifiersQuery::new(transmission(""), &now(), query)
}

pub(crate) fn identifiers() -> GetIdentifiersResponse {
    let person = person();
    GetIdentifiersResponse::to(
        &identifiers_wanted(),
        InstanceId::new("2.25.80"),
        "20260101",
    )
    .with(person.ids[1..].to_vec(), person.names.first().cloned())
}

pub(crate) fn no_identifiers() -> GetIdentifiersResponse {
    let detail = Detail {
        code: Some(UNKNOWN_KEY.to_owned()),
        ..Detail::default()
    };
    GetIdentifiersResponse::to(
        &identifiers_wanted(),
        InstanceId::new("2.25.80"),
        "20260101",
    )
    .refusing(vec![detail])
}

pub(crate) fn more() -> QueryContinuation {
    let answer = found();
    let sent = transmission("QUQI_IN000003UV01");
    let mut more = QueryContinuation::of(sent, &now(), &answer.transmission, answer.query.id);
    more.start = Some(11);
    more.quantity = Some(5);
    more
}

pub(crate) fn records() -> Vec<PatientRecordMessage> {
    let add = Announcement::Add(vec![PatientId::new("P-1", "1.2.3.9")]);
    let merge = Announcement::Merge {
        subsumed: PatientId::new("P-2", "1.2.3.9"),
        survivor: PatientId::new("P-1", "1.2.3.9"),
    };
    let mut records = Vec::new();
    for announcement in [add, merge] {
        let mut record = PatientRecordMessage::of(&announcement, transmission(""), &now());
        if matches!(announcement, Announcement::Add(_)) {
            record.subjects[0].person = person();
        }
        records.push(record);
    }
    records
}

pub(crate) fn deferred() -> FindCandidatesQuery {
    let mut question = question();
    question.query.priority = Priority::Deferred;
    question.transmission.respond_to = Some("https://gateway.example/ig".to_owned());
    question
}
