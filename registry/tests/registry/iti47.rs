//! ITI-47: patients are found by what feeds said of them.

use hilum_transport::ClientError;
use xds_schemas::hl7v3::find_candidates::{
    AskedTime, FindCandidatesQuery, FindCandidatesResponse, Parameters, QueryByParameter,
};
use xds_schemas::hl7v3::{
    Found, InstanceId, Quantities, QueryContinuation, Transmission, UNKNOWN_KEY, Verdict,
};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti44_patient_identity_feed_hl7v3::{
    PatientRecordMessage, RecordAdded, RecordRevised,
};
use xds_schemas::iti47_patient_demographics_query_hl7v3::{
    Cancel, Continue, PatientDemographicsQuery,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::{Gender, Person, PersonName, SEARCH, Telecom};

use crate::iti8::merge;
use crate::site::Site;
use crate::twins::rules;
use crate::words::patient;

/// The site keeps demographics.
pub(crate) fn keeping(site: Site) -> Site {
    site.configured(|config| config.demographics = true)
}

pub(crate) fn transmission() -> Transmission {
    Transmission {
        id: InstanceId::new("2.25.4711"),
        processing_code: "T".to_owned(),
        sender: InstanceId::new("1.2.3.11"),
        receiver: InstanceId::new("1.2.3.12"),
        ..Transmission::default()
    }
}

/// Says by HL7 v2 who somebody is: the rest of PID after PID-3.
pub(crate) fn pid(event: &str, ids: &str, rest: &str) -> String {
    format!(
        "MSH|^~\\&|ADT|HOSPITAL|REG|XDS|20260101||ADT^{event}|M-1|P|2.3.1||||||UNICODE UTF-8\r\
         EVN|{event}|20260101\rPID|||{ids}||{rest}\rPV1||O\r"
    )
}

/// Three patients, of whom two have the same name.
async fn three(site: Site) -> Site {
    let site = keeping(site);
    for (id, rest) in [
        (
            "N1^^^&1.2.3.9&ISO~L1^^^&1.2.3.7&ISO",
            "Müller^Anna^Maria|Svoboda^Eva|19730228|F|||Gasse 1^^Wien^^1010||+43 664 1234567",
        ),
        ("N2^^^&1.2.3.9&ISO", "Mueller^Anna||19730301|F"),
        ("N3^^^&1.2.3.9&ISO~L3^^^&1.2.3.7&ISO", "Novák^Petr||1960|M"),
    ] {
        site.taken(&pid("A04", id, rest)).await;
    }
    site
}

fn message(query: QueryByParameter) -> FindCandidatesQuery {
    FindCandidatesQuery::new(transmission(), &Timestamp::from_unix(1_700_000_000), query)
}

pub(crate) async fn ask(site: &Site, parameters: Parameters) -> FindCandidatesResponse {
    let query = QueryByParameter {
        id: InstanceId::new("2.25.12"),
        parameters,
        ..QueryByParameter::default()
    };
    site.call::<PatientDemographicsQuery>(&message(query)).await
}

fn ids(answer: &FindCandidatesResponse) -> Vec<&str> {
    let mut ids: Vec<&str> = answer
        .candidates
        .iter()
        .map(|it| it.ids[0].id.as_str())
        .collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn named(family: &str, given: &str) -> Parameters {
    Parameters {
        names: vec![PersonName::of(family, given)],
        ..Parameters::default()
    }
}

fn born(value: &str) -> Option<AskedTime> {
    Timestamp::parse(value).ok().map(AskedTime::at)
}

/// ITI TF-2 3.47.4.1.2.1: every parameter alone and together.
#[expect(clippy::too_many_lines, reason = "a list of questions")]
pub(crate) async fn patients_are_found_by_what_is_known(site: Site) {
    let site = three(site).await;
    let search = |family: &str| Parameters {
        names: vec![PersonName {
            usage: Some(SEARCH.to_owned()),
            ..PersonName::of(family, "")
        }],
        ..Parameters::default()
    };
    let id = |id: &str, authority: &str| Parameters {
        ids: vec![InstanceId::of(&PatientId::new(id, authority))],
        ..Parameters::default()
    };
    let with = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        parameters
    };
    for (asked, expected) in [
        (named("MULLER", ""), &["N1", "N2"][..]),
        (named("Müller", "Maria"), &["N1"]),
        (named("", "petr"), &["N3"]),
        (named("Mull", ""), &[]),
        (search("Mull"), &["N1", "N2"]),
        (search("No"), &["N3"]),
        (with(&|it| it.birth_time = born("19730228")), &["N1"]),
        (with(&|it| it.birth_time = born("1973")), &["N1", "N2"]),
        (with(&|it| it.birth_time = born("19600115")), &["N3"]),
        (with(&|it| it.gender = Some(Gender::Male)), &["N3"]),
        (id("N1", "1.2.3.9"), &["N1"]),
        (id("L3", "1.2.3.7"), &["N3"]),
        (id("L3", "1.2.3.9"), &[]),
        (
            with(&|it| {
                it.telecoms = vec![Telecom {
                    value: "tel:0664/1234567".to_owned(),
                    usage: None,
                }];
            }),
            &["N1"],
        ),
        (
            with(&|it| it.mothers_maiden_names = vec![PersonName::of("Svoboda", "")]),
            &["N1"],
        ),
        (
            with(&|it| {
                it.names = named("Müller", "Anna").names;
                it.birth_time = born("1973");
                it.gender = Some(Gender::Female);
                it.ids = id("N2", "1.2.3.9").ids;
            }),
            &["N2"],
        ),
        // Alternatives.
        (
            with(&|it| {
                it.names = vec![
                    PersonName::of("Novak", ""),
                    PersonName::of("Müller", "Maria"),
                ];
            }),
            &["N1", "N3"],
        ),
    ] {
        let answer = ask(&site, asked.clone()).await;
        assert_eq!(ids(&answer), expected, "{asked:?}");
        let found = match expected.is_empty() {
            true => Found::Nothing,
            false => Found::Data,
        };
        assert_eq!(
            (answer.found, answer.acknowledgement.verdict),
            (found, Verdict::Accepted)
        );
        assert_eq!(answer.query.parameters, asked, "the question comes back");
        assert_eq!(answer.acknowledgement.target.root, "2.25.4711");
        assert_eq!(answer.transmission.sender.root, "1.2.3.12");
    }
}

/// ITI TF-2 3.47.4.2.3, cases 1 to 3; the degree is that of the rule.
pub(crate) async fn what_is_told_of_a_patient(site: Site) {
    let site = three(site).await;
    let mut asked = named("Müller", "Anna Maria");
    asked.birth_time = born("19730228");
    let answer = ask(&site, asked.clone()).await;
    let [anna] = answer.candidates.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(anna.ids, [patient("N1")]);
    assert_eq!(
        anna.person.ids,
        [patient("N1"), PatientId::new("L1", "1.2.3.7")]
    );
    assert_eq!(
        anna.person.names,
        [PersonName {
            given: vec!["Anna".to_owned(), "Maria".to_owned()],
            ..PersonName::of("Müller", "")
        }]
    );
    assert_eq!(
        anna.person.mothers_maiden_name,
        Some(PersonName::of("Svoboda", "Eva"))
    );
    assert_eq!(anna.person.addresses[0].city.as_deref(), Some("Wien"));
    assert_eq!(anna.degree, Some(80));
    assert_eq!(anna.custodian.id.root, "1.2.3");
    asked.domains = vec![InstanceId::new("1.2.3.7"), InstanceId::new("1.2.3.9")];
    let mut both = named("Müller", "");
    both.domains = asked.domains.clone();
    let answer = ask(&site, both).await;
    let of = |id: &str| {
        answer
            .candidates
            .iter()
            .find(|it| it.ids == [patient(id)])
            .unwrap()
    };
    assert_eq!(of("N1").person.ids.len(), 2);
    assert_eq!(of("N1").without, [] as [String; 0]);
    assert_eq!(of("N2").without, ["1.2.3.7"]);
    asked.domains = vec![InstanceId::new("1.2.3.9")];
    let answer = ask(&site, asked.clone()).await;
    assert_eq!(answer.candidates[0].person.ids, [patient("N1")]);
    asked.domains = vec![InstanceId::new("1.2.3.9"), InstanceId::new("1.2.3.77")];
    let answer = ask(&site, asked).await;
    assert_eq!(
        (answer.found, answer.acknowledgement.verdict),
        (Found::Error, Verdict::Error)
    );
    assert!(answer.candidates.is_empty());
    let [detail] = answer.acknowledgement.details.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(detail.code.as_deref(), Some(UNKNOWN_KEY));
    assert!(
        detail
            .location
            .as_deref()
            .unwrap()
            .ends_with("otherIDsScopingOrganization[2]/value")
    );
}

/// ITI TF-2 3.47.4.3.3.
pub(crate) async fn an_answer_is_continued(site: Site) {
    let site = keeping(site);
    for at in 0..5 {
        site.taken(&pid("A04", &format!("N{at}^^^&1.2.3.9&ISO"), "Doe^Jane"))
            .await;
    }
    let query = QueryByParameter {
        id: InstanceId::new("2.25.99"),
        initial_quantity: Some(2),
        parameters: named("Doe", ""),
        ..QueryByParameter::default()
    };
    let counted = |total, current, remaining| {
        Some(Quantities {
            total,
            current,
            remaining,
        })
    };
    let first = site
        .call::<PatientDemographicsQuery>(&message(query.clone()))
        .await;
    assert_eq!(first.quantities, counted(5, 2, 3));
    let more = |start: Option<u32>, quantity: Option<u32>| {
        let now = Timestamp::from_unix(1_700_000_000);
        let sent = transmission();
        let mut more = QueryContinuation::of(sent, &now, &first.transmission, query.id.clone());
        (more.start, more.quantity) = (start, quantity);
        more
    };
    let next = site.call::<Continue>(&more(None, None)).await;
    assert_eq!(next.quantities, counted(5, 2, 1));
    assert_eq!(next.query, query);
    let again = site.call::<Continue>(&more(Some(2), Some(3))).await;
    assert_eq!(again.quantities, counted(5, 3, 1));
    let last = site.call::<Continue>(&more(None, None)).await;
    assert_eq!(last.quantities, counted(5, 1, 0));
    let mut all: Vec<&str> = [&first, &next, &last].into_iter().flat_map(ids).collect();
    all.sort_unstable();
    assert_eq!(all, ["N0", "N1", "N2", "N3", "N4"]);
    // It is at its end.
    let none = site.call::<Continue>(&more(None, None)).await;
    assert_eq!(none.found, Found::Error);
    let text = none.acknowledgement.details[0].text.as_deref().unwrap();
    assert!(text.contains("ask it again"), "{text}");
    // And given up.
    site.call::<PatientDemographicsQuery>(&message(query.clone()))
        .await;
    let done = site.call::<Cancel>(&more(None, None).cancelling()).await;
    assert_eq!(done.verdict, Verdict::Accepted);
    assert_eq!(
        site.call::<Continue>(&more(None, None)).await.found,
        Found::Error
    );
}

/// What is said later replaces what was said before, as each version of HL7 has it; who is merged is the
/// other one.
#[expect(clippy::too_many_lines, reason = "a list of questions")]
pub(crate) async fn what_is_said_later_counts(site: Site) {
    let site = three(site).await;
    site.taken(&pid("A08", "N1^^^&1.2.3.9&ISO", "Novotná^Anna||||||\"\""))
        .await;
    let found = ask(&site, named("Novotna", "")).await;
    let anna = &found.candidates[0].person;
    assert_eq!(
        anna.birth_time,
        Timestamp::parse("19730228").ok(),
        "a field that is empty says nothing"
    );
    assert_eq!(anna.addresses, [], "and this one says that there is none");
    assert_eq!(anna.ids.len(), 2);
    assert_eq!(ids(&ask(&site, named("Müller", "")).await), ["N2"]);
    // Nobody becomes known by what is said of them.
    site.taken(&pid("A08", "N9^^^&1.2.3.9&ISO", "Nobody^X"))
        .await;
    assert_eq!(ids(&ask(&site, named("Nobody", "")).await), [] as [&str; 0]);
    let announced = |announcement: &Announcement, person: Person| {
        let now = Timestamp::from_unix(1_700_000_000);
        let mut message = PatientRecordMessage::of(announcement, transmission(), &now);
        let ids = message.subjects[0].person.ids.clone();
        message.subjects[0].person = Person { ids, ..person };
        message
    };
    let eva = Person {
        names: vec![PersonName::of("Eva", "Eva")],
        gender: Some(Gender::Female),
        ..Person::default()
    };
    let add = Announcement::Add(vec![patient("N4")]);
    site.call::<RecordAdded>(&announced(&add, eva)).await;
    assert_eq!(ids(&ask(&site, named("Eva", "")).await), ["N4"]);
    let revise = Announcement::Revise(vec![patient("N4")]);
    let nameless = Person {
        birth_time: Timestamp::parse("2001").ok(),
        ..Person::default()
    };
    site.call::<RecordRevised>(&announced(&revise, nameless))
        .await;
    assert_eq!(
        ids(&ask(&site, named("Eva", "")).await),
        [] as [&str; 0],
        "a snapshot"
    );
    // A merge: identifiers of other domains go with it.
    site.taken(&merge("N1", "N2")).await;
    assert_eq!(
        ids(&ask(&site, named("Novotna", "")).await),
        [] as [&str; 0]
    );
    let local = Parameters {
        ids: vec![InstanceId::of(&PatientId::new("L1", "1.2.3.7"))],
        ..Parameters::default()
    };
    let found = ask(&site, local.clone()).await;
    assert_eq!(ids(&found), ["N2"]);
    assert_eq!(
        found.candidates[0].person.names,
        [PersonName::of("Mueller", "Anna")]
    );
    // Of whom nothing was said, everything is kept.
    site.registry.add_patient(&patient("N7")).await.unwrap();
    site.taken(&merge("N2", "N7")).await;
    let found = ask(&site, local).await;
    assert_eq!(
        found.candidates[0].person.names,
        [PersonName::of("Mueller", "Anna")]
    );
    assert_eq!(found.candidates[0].ids, [patient("N7")]);
    // Not kept any more is forgotten.
    let site = site.configured(|config| config.demographics = false);
    let site = keeping(site);
    assert_eq!(
        ids(&ask(&site, named("Mueller", "")).await),
        [] as [&str; 0]
    );
}

/// What cannot be answered is told; what a registry does not keep it does not answer.
pub(crate) async fn questions_that_are_refused(site: Site) {
    let refused = site
        .client
        .send::<PatientDemographicsQuery>(
            &site.url,
            &message(QueryByParameter::default()),
            Vec::new(),
        )
        .await;
    let ClientError::Fault { fault, .. } = refused.unwrap_err() else {
        panic!();
    };
    assert!(
        fault.reason.contains("cannot be processed"),
        "{}",
        fault.reason
    );
    let site = three(site).await;
    for (asked, said) in [
        (Parameters::default(), "no parameter"),
        (
            Parameters {
                care_providers: vec![InstanceId::new("1.2")],
                ..named("Müller", "")
            },
            "principalCareProviderId",
        ),
        (
            Parameters {
                others: vec!["patientStatusCode"],
                ..named("Müller", "")
            },
            "patientStatusCode",
        ),
    ] {
        let answer = ask(&site, asked).await;
        assert_eq!(
            (answer.found, answer.acknowledgement.verdict),
            (Found::Error, Verdict::Error)
        );
        let text = answer.acknowledgement.details[0].text.as_deref().unwrap();
        assert!(text.contains(said) && !text.contains("Müller"), "{text}");
    }
    let mut sure = QueryByParameter {
        minimum_degree: Some(30),
        parameters: named("Müller", ""),
        ..QueryByParameter::default()
    };
    let answer = site
        .call::<PatientDemographicsQuery>(&message(sure.clone()))
        .await;
    assert_eq!(answer.candidates.len(), 2);
    sure.minimum_degree = Some(31);
    let answer = site.call::<PatientDemographicsQuery>(&message(sure)).await;
    assert_eq!(answer.found, Found::Nothing);
}

/// A rule must name the permission; everybody in an answer is recorded.
pub(crate) async fn who_may_find_patients_is_said_by_rules(site: Site) {
    let site = three(site).await;
    ask(&site, named("Müller", "")).await;
    let audit = site.recorded();
    let records: Vec<_> = audit
        .iter()
        .filter(|it| it.transaction.as_deref() == Some("ITI-47"))
        .collect();
    let [record] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(
        (record.event.as_str(), record.action.as_str()),
        ("Query", "E")
    );
    assert!(record.patient.is_some());
    let everything = "[[rule]]\nname = \"all\"\nlevel = \"full\"\n";
    let site = site.configured(|config| config.access = rules(everything));
    let question = message(QueryByParameter {
        parameters: named("Müller", ""),
        ..QueryByParameter::default()
    });
    let client = &site.client;
    let sent = client.send::<PatientDemographicsQuery>(&site.url, &question, Vec::new());
    let ClientError::Fault { fault, .. } = sent.await.unwrap_err() else {
        panic!();
    };
    assert!(fault.reason.contains("no rule"), "{}", fault.reason);
    let named_it = format!(
        "[[rule]]\nname = \"p\"\npermission = \"patients\"\nlevel = \"full\"\n{everything}"
    );
    let site = site.configured(|config| config.access = rules(&named_it));
    assert_eq!(ids(&ask(&site, named("Müller", "")).await), ["N1", "N2"]);
}
