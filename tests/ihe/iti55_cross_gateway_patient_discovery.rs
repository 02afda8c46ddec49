//! ITI-55, both sides: what patients are called elsewhere is found out when it is needed, kept while it
//! counts, and never guessed.

use hilum_tests::feed::Source;
use hilum_tests::people::configure;
use hilum_tests::region::{DEMOGRAPHICS, Region, authority, home, patient_of};
use hilum_tests::stranger::{Stranger, candidate, nobody};
use hilum_tests::words::{self, PATIENT_AUTHORITY};
use hilum_tests::{Setup, Town, raw};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::hl7v3::find_candidates::{
    AskedTime, FindCandidatesQuery, FindCandidatesResponse, Issue, Parameters, Priority, Problem,
    QueryByParameter, Wanted,
};
use xds_schemas::hl7v3::{AcceptAcknowledgement, Found, InstanceId, Transmission, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::{Gender, Person, PersonName};
use xds_schemas::soap::{self, BodyOrFault};
use xds_schemas::xcpd;

use crate::iti38_translated_patients::{find, homes, patients, provide, urn};

/// Somebody whom a town's feed announces: identifier, family name, birth, gender, address.
pub(crate) async fn announce(town: &Town, number: usize, person: [&str; 5]) {
    let [id, family, birth, gender, address] = person;
    let message = format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^A01^ADT_A01|M-{id}|P|2.3.1\r\
         EVN|A01|20260101120000\r\
         PID|1||{id}^^^&{}&ISO^PI||{family}^Jane||{birth}|{gender}|||{address}\r\
         PV1||O\r",
        authority(number)
    );
    let answer = Source::of(town).await.tell(&message).await;
    assert_eq!(answer.code, "AA", "{answer:?}");
}

pub(crate) const JANE: [&str; 4] = ["Doe", "19700101", "F", "1 Long Street^^Springfield"];

/// The same with an identifier.
pub(crate) fn jane(id: &str) -> [&str; 5] {
    let [family, birth, gender, address] = JANE;
    [id, family, birth, gender, address]
}

pub(crate) fn discovering(communities: usize, gateway: &str) -> Region {
    let lines = |_, _| "patients = \"discover\"\nlocator = true".to_owned();
    Region::of_authorities(communities, lines, |_| format!("locator = true\n{gateway}"))
}

/// What `hilum discover` says: state, patient and words for each community.
pub(crate) fn discovered(town: &Town, id: &str) -> Vec<(String, String, String)> {
    let output = town.run(&["discover", "--patient", id, "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = said["communities"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "state"), text(row, "patient"), text(row, "said")))
        .collect()
}

fn recorded(town: &Town, transaction: &str) -> usize {
    let records = town.records();
    let of = records.iter().filter(|it| it["transaction"] == transaction);
    of.count()
}

/// ITI TF-1 27.3: found in one community, absent in another, and known in the other direction too.
#[tokio::test]
async fn a_patient_is_found_where_they_are_known() {
    let region = discovering(3, "");
    let [first, second, third] = &region.towns[..] else {
        panic!("three towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-7")).await;
    announce(second, 1, ["B-8", "Roe", "19700101", "F", ""]).await;
    announce(third, 2, ["C-1", "Doe", "19810203", "F", ""]).await;
    provide(first, 0, "A-1").await;
    provide(second, 1, "B-7").await;
    provide(second, 1, "B-8").await;
    provide(third, 2, "C-1").await;

    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(0), urn(1)]);
    let own = patient_of(0, "A-1").to_string();
    assert_eq!(patients(&found), [own.clone(), own]);
    // Two communities were asked for the patient, and our registry once who that is, which both sides record.
    assert_eq!(recorded(first, "ITI-55"), 2);
    assert_eq!(recorded(first, "ITI-47"), 2);

    let rows = discovered(first, "A-1");
    let there = patient_of(1, "B-7").to_string();
    assert_eq!((&*rows[0].0, &rows[0].1), ("known", &there));
    assert!(rows[0].2.contains("discovered; since"), "{rows:?}");
    assert_eq!((&*rows[1].0, &*rows[1].1), ("unknown", ""));

    // The second town was told what the first calls the patient, and need not ask.
    let asked = recorded(first, "ITI-55");
    let found = second.query_everywhere(find(1, "B-7")).await.unwrap();
    assert_eq!(homes(&found), [urn(0), urn(1)]);
    let rows = discovered(second, "B-7");
    assert!(rows[0].2.contains("announced; since"), "{rows:?}");
    assert_eq!(recorded(first, "ITI-55"), asked, "nobody asked back");

    // What is known is not asked again.
    let asked = recorded(second, "ITI-55");
    for _ in 0..3 {
        first.query_everywhere(find(0, "A-1")).await.unwrap();
    }
    assert_eq!(recorded(second, "ITI-55"), asked);
    for town in &region.towns {
        assert!(recorded(town, "ITI-47") > 0);
        let log = town.log();
        assert!(!log.contains("Doe") && !log.contains("B-7"), "{log}");
    }
}

/// Of several who could be meant, nobody is named: 3.55.4.2.3, cases 3 and 4.
#[tokio::test]
async fn who_could_be_several_is_nobody() {
    let region = discovering(3, "");
    let [first, second, third] = &region.towns[..] else {
        panic!("three towns");
    };
    announce(first, 0, jane("A-1")).await;
    for id in ["B-1", "B-2"] {
        announce(second, 1, [id, "Doe", "19700101", "F", ""]).await;
    }
    // Here the address tells who it is, which is told when it is asked for.
    announce(third, 2, jane("C-1")).await;
    announce(
        third,
        2,
        ["C-2", "Doe", "19700101", "M", "9 Short Road^^Shelbyville"],
    )
    .await;
    let rows = discovered(first, "A-1");
    assert_eq!((&*rows[0].0, &*rows[0].1), ("failed", ""));
    assert!(
        rows[0].2.contains("several patients") || rows[0].2.contains("somebody there"),
        "{rows:?}"
    );
    provide(first, 0, "A-1").await;
    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    let errors: Vec<_> = found
        .errors
        .iter()
        .map(|it| (it.code.as_str(), it.location.clone()))
        .collect();
    assert_eq!(errors[0], ("XDSUnavailableCommunity", Some(urn(1))));
    assert!(!found.errors[0].context.contains("Doe"));
}

/// What a patient is called may change: then it is found out anew, within the same question.
#[tokio::test]
async fn a_stale_name_is_found_out_anew() {
    let region = discovering(2, "");
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    provide(second, 1, "B-1").await;
    assert_eq!(
        discovered(first, "A-1")[0].1,
        patient_of(1, "B-1").to_string()
    );
    announce(second, 1, jane("B-2")).await;
    let authority = authority(1);
    let merge = format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^A40^ADT_A39|M-A40|P|2.3.1\r\
         EVN|A40|20260101120000\r\
         PID|1||B-2^^^&{authority}&ISO||Doe^Jane\r\
         MRG|B-1^^^&{authority}&ISO\r"
    );
    let answer = Source::of(second).await.tell(&merge).await;
    assert_eq!(answer.code, "AA", "{answer:?}");
    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(1)]);
    assert_eq!(patients(&found), [patient_of(0, "A-1").to_string()]);
    assert_eq!(
        discovered(first, "A-1")[0].1,
        patient_of(1, "B-2").to_string()
    );
}

/// A merge as the feed of the town of this number announces it.
pub(crate) async fn merge(town: &Town, number: usize, subsumed: &str, survivor: &str) {
    let authority = authority(number);
    let message = format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^A40^ADT_A39|M-{subsumed}|P|2.3.1\r\
         EVN|A40|20260101120000\r\
         PID|1||{survivor}^^^&{authority}&ISO||Doe^Jane\r\
         MRG|{subsumed}^^^&{authority}&ISO\r"
    );
    let answer = Source::of(town).await.tell(&message).await;
    assert_eq!(answer.code, "AA", "{answer:?}");
}

/// Two towns whose registries answer with nothing for whom they do not know, as is the default, and who look
/// again after this time.
pub(crate) fn silent(recheck_seconds: u32) -> Region {
    let mut region = discovering(2, &format!("recheck_seconds = {recheck_seconds}"));
    for town in &mut region.towns {
        let config = std::fs::read_to_string(town.config()).unwrap();
        let key = "unknown_patients_in_queries";
        let said = config.replace(
            &format!("{key} = \"refuse\""),
            &format!("{key} = \"empty\""),
        );
        assert_ne!(said, config);
        town.stop();
        std::fs::write(town.config(), said).unwrap();
        town.start();
    }
    region
}

/// So that what is known was not learned in this second.
pub(crate) async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
}

/// A community need not say that it does not know a name any more: then nothing is found, and it is asked
/// who the patient is, once.
#[tokio::test]
async fn a_stale_name_is_found_out_anew_when_nothing_is_said() {
    let region = silent(1);
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    provide(second, 1, "B-1").await;
    assert_eq!(
        discovered(first, "A-1")[0].1,
        patient_of(1, "B-1").to_string()
    );
    announce(second, 1, jane("B-9")).await;
    merge(second, 1, "B-1", "B-9").await;
    a_while().await;
    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(1)]);
    assert_eq!(patients(&found), [patient_of(0, "A-1").to_string()]);
    assert_eq!(
        discovered(first, "A-1")[0].1,
        patient_of(1, "B-9").to_string()
    );
}

/// Who is known and has no documents is not asked for again with every question.
#[tokio::test]
async fn who_has_nothing_is_not_asked_for_each_time() {
    let region = silent(600);
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    for _ in 0..3 {
        let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
        assert_eq!(
            (found.status, homes(&found)),
            (ResponseStatus::Success, Vec::new())
        );
    }
    assert_eq!(recorded(second, "ITI-55"), 1);
}

/// Who was merged with another patient here is not asked for by the old name any more.
#[tokio::test]
async fn who_was_merged_here_is_forgotten() {
    let region = silent(1);
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    provide(second, 1, "B-1").await;
    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(homes(&found), [urn(1)]);
    announce(first, 0, jane("A-9")).await;
    merge(first, 0, "A-1", "A-9").await;
    a_while().await;
    let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
    assert_eq!(homes(&found), [] as [String; 0], "{found:?}");
    assert!(
        found
            .errors
            .iter()
            .any(|it| it.context.contains("does not know who the patient is")),
        "{:?}",
        found.errors
    );
    let found = first.query_everywhere(find(0, "A-9")).await.unwrap();
    assert_eq!(homes(&found), [urn(1)], "{:?}", found.errors);

    // The command says why, and nothing else.
    let output = first.run(&["discover", "--patient", "NOBODY"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("does not know who the patient is"), "{said}");
    assert!(!said.contains("no community is configured"), "{said}");
}

/// ITI TF-2 3.55.4.2.2: what is not to be kept is not kept.
#[tokio::test]
async fn what_is_not_to_be_kept_is_asked_each_time() {
    let region = discovering(2, "correlations_days = 0");
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    provide(second, 1, "B-1").await;
    for asked in 1..=2 {
        let found = first.query_everywhere(find(0, "A-1")).await.unwrap();
        assert_eq!(homes(&found), [urn(1)]);
        assert_eq!(recorded(second, "ITI-55"), asked);
    }
    let rows = discovered(first, "A-1");
    assert!(rows[0].2.contains("not to be remembered"), "{rows:?}");
}

pub(crate) fn question(parameters: Parameters) -> FindCandidatesQuery {
    let transmission = Transmission {
        id: InstanceId::new(words::new_oid()),
        processing_code: "P".to_owned(),
        sender: InstanceId::new("2.999.77"),
        receiver: InstanceId::new(home(0)),
        sender_organization: Some("2.999.77".to_owned()),
        ..Transmission::default()
    };
    let query = QueryByParameter {
        id: InstanceId::new(words::new_oid()),
        parameters,
        ..QueryByParameter::default()
    };
    FindCandidatesQuery::new(transmission, &Timestamp::from_unix(1_700_000_000), query)
}

fn described() -> Parameters {
    Parameters {
        names: vec![PersonName::of("Doe", "Jane")],
        birth_time: Some(AskedTime::at(Timestamp::parse("19700101").unwrap())),
        ..Parameters::default()
    }
}

async fn ask(
    town: &Town,
    question: &FindCandidatesQuery,
) -> (FindCandidatesResponse, Option<String>) {
    let url = town.responding();
    let sent = town
        .client
        .send::<CrossGatewayPatientDiscovery>(&url, question, Vec::new());
    let answer = sent.await.unwrap();
    (answer.response, answer.header.correlation_time_to_live)
}

/// ITI TF-2 3.55.4.2.3, as a stranger sees it.
#[tokio::test]
async fn a_responding_gateway_says_no_more_than_it_must() {
    let region = discovering(1, "");
    let town = &region.towns[0];
    announce(town, 0, jane("A-1")).await;

    // Case 1: one match.
    let (response, lives) = ask(town, &question(described())).await;
    assert_eq!(response.acknowledgement.verdict, Verdict::Accepted);
    assert_eq!(response.found, Found::Data);
    assert_eq!(response.quantities, None, "they are not populated");
    assert_eq!(
        lives.as_deref().map(xcpd::seconds),
        Some(Ok(7 * 24 * 60 * 60))
    );
    let found = &response.candidates[0];
    assert_eq!(found.ids, [patient_of(0, "A-1")]);
    assert_eq!(found.custodian.id.root, home(0));
    assert!(found.degree.is_some_and(|degree| degree >= 80));
    // Neither gender nor address were asked with.
    assert_eq!(
        (found.person.gender, found.person.addresses.len()),
        (None, 0)
    );
    assert_eq!(
        response.query.parameters,
        described(),
        "the question is given back"
    );

    // Case 2: nobody.
    let other = Parameters {
        names: vec![PersonName::of("Roe", "Richard")],
        ..described()
    };
    let (response, _) = ask(town, &question(other)).await;
    assert_eq!(
        (response.found, response.candidates.len()),
        (Found::Nothing, 0)
    );
    assert_eq!(response.acknowledgement.verdict, Verdict::Accepted);

    // An identifier that both know is enough, and says nothing more.
    let by_id = |id: PatientId| Parameters {
        ids: vec![InstanceId::of(&id)],
        ..Parameters::default()
    };
    let (response, _) = ask(town, &question(by_id(patient_of(0, "A-1")))).await;
    assert_eq!(response.candidates[0].ids, [patient_of(0, "A-1")]);
    assert_eq!(response.candidates[0].person.names, []);
    assert_eq!(response.candidates[0].person.birth_time, None);
    // What nobody can be found by is said.
    let nameless = Parameters {
        names: vec![PersonName::of("-", "***")],
        ..described()
    };
    let (response, _) = ask(town, &question(nameless)).await;
    assert_eq!(response.found, Found::Error);
    let told = response.acknowledgement.details[0].text.clone().unwrap();
    assert!(
        told.contains("LivingSubjectName has nothing to find by"),
        "{told}"
    );
    // But the one who asks has to know more than its own name for the patient.
    let mut own = question(by_id(PatientId::new("S-1", "2.999.78")));
    own.authority = Some("2.999.78".to_owned());
    let (response, lives) = ask(town, &own).await;
    assert_eq!(response.acknowledgement.verdict, Verdict::Error);
    assert_eq!((response.found, lives), (Found::Error, None));
    assert!(response.candidates.is_empty());
}

/// ITI TF-2 3.55.4.1.3: what is to be answered later is refused.
#[tokio::test]
async fn what_is_to_be_answered_later_is_refused() {
    let region = discovering(1, "");
    let town = &region.towns[0];
    let mut later = question(described());
    later.query.priority = Priority::Deferred;
    let mut writer = xds_schemas::xml::Writer::default();
    xds_schemas::xml::ToXml::to_xml(&later, &mut writer);
    let action = "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery";
    let envelope = words::envelope(action, &writer.finish());
    let answer = raw::soap(town.port(3), "/responding", &envelope);
    match soap::read_answer::<AcceptAcknowledgement>(answer.text().as_bytes()) {
        Ok(BodyOrFault::Body(acknowledgement)) => {
            assert_eq!(acknowledgement.verdict, Verdict::Error);
            assert!(acknowledgement.unsupported_mode, "{}", answer.text());
            assert!(
                acknowledgement.reasons[0].contains("Deferred"),
                "{acknowledgement:?}"
            );
        }
        other => panic!("{other:?}: {}", answer.text()),
    }
}

/// ITI TF-2 3.55.4.2.3: of several, none is named; and whoever asks about everybody is stopped.
#[tokio::test]
async fn twins_are_not_told_of() {
    let region = discovering(1, "discoveries_per_minute = 5");
    let town = &region.towns[0];
    announce(town, 0, jane("A-1")).await;
    // Twins: what would help is said, and neither of them is.
    announce(town, 0, ["A-2", "Doe", "19700101", "M", ""]).await;
    let (response, _) = ask(town, &question(described())).await;
    assert_eq!(
        (response.found, response.candidates.len()),
        (Found::Data, 0)
    );
    let gender = Issue::Wanted(Wanted::LivingSubjectAdministrativeGenderRequested);
    assert!(response.issues.contains(&gender), "{:?}", response.issues);
    let more = Parameters {
        gender: Some(Gender::Female),
        ..described()
    };
    let (response, _) = ask(town, &question(more)).await;
    assert_eq!(response.candidates[0].ids, [patient_of(0, "A-1")]);

    // Whoever asks about everybody is stopped.
    let mut last = response;
    for _ in 0..5 {
        last = ask(town, &question(described())).await.0;
    }
    assert_eq!(last.issues, [Issue::Problem(Problem::ResponderBusy)]);
    assert_eq!(last.found, Found::Error);
}

/// A town that knows one other community: somebody else's.
async fn town_with(stranger: &Stranger) -> Town {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        authority: Some(authority(0)),
        ..Setup::default()
    });
    let community = format!(
        "community = [{{ home_community_id = \"urn:oid:2.999.8\", name = \"Elsewhere\", url = \"{}\", \
         patients = \"discover\" }}]",
        stranger.url
    );
    configure(
        &town,
        &[("gateway", &community), ("registry", DEMOGRAPHICS)],
    );
    town.start();
    announce(&town, 0, jane("A-1")).await;
    town
}

fn jane_there() -> Person {
    Person {
        names: vec![PersonName::of("Doe", "Jane")],
        birth_time: Some(Timestamp::parse("19700101").unwrap()),
        ..Person::default()
    }
}

/// Nonsense is not believed: one precise error, and nobody's documents under another's name.
#[tokio::test]
async fn nonsense_is_not_believed() {
    type Answer = fn(&FindCandidatesQuery) -> FindCandidatesResponse;
    let cases: [(Answer, &str); 6] = [
        (
            |question| {
                let id = PatientId::new("E-1", "2.999.80");
                nobody(question).with(vec![candidate("2.999.9", id, jane_there())])
            },
            "for another community",
        ),
        (
            |question| {
                let id = |id| PatientId::new(id, "2.999.80");
                let both = ["E-1", "E-2"].map(|it| candidate("2.999.8", id(it), jane_there()));
                nobody(question).with(both.into())
            },
            "several patients",
        ),
        (
            |question| {
                let person = Person {
                    birth_time: Some(Timestamp::parse("19991231").unwrap()),
                    ..jane_there()
                };
                let id = PatientId::new("E-1", "2.999.80");
                nobody(question).with(vec![candidate("2.999.8", id, person)])
            },
            "another person",
        ),
        (
            |question| {
                let mut found = candidate("2.999.8", PatientId::new("E", "2.999.80"), jane_there());
                found.ids.push(PatientId::new("F", "2.999.81"));
                nobody(question).with(vec![found])
            },
            "several identifiers",
        ),
        (
            |question| nobody(question).refusing(Vec::new(), Some(Problem::ResponderBusy)),
            "busy",
        ),
        (
            |question| nobody(question).refusing(Vec::new(), Some(Problem::AnswerNotAvailable)),
            "not available",
        ),
    ];
    for (answer, said) in cases {
        let stranger = Stranger::who_answers(&xcpd::time_to_live(1000), answer);
        let town = town_with(&stranger).await;
        let rows = discovered(&town, "A-1");
        assert_eq!((&*rows[0].0, &*rows[0].1), ("failed", ""), "{rows:?}");
        assert!(rows[0].2.contains(said), "{said}: {rows:?}");
    }
}

/// What a stranger wants to know more is told once, if it is known; and ITI TF-2 3.55.4.1.2.4: who asks, and by what name
/// the stranger may ask back.
#[tokio::test]
async fn more_is_told_when_it_is_asked_for() {
    let stranger = Stranger::who_answers("", |question| {
        let asked = &question.query.parameters;
        if asked.addresses.is_empty() {
            return nobody(question).wanting([Wanted::PatientAddressRequested]);
        }
        assert_eq!(
            question.transmission.sender_organization.as_deref(),
            Some(words::HOME)
        );
        assert_eq!(question.patient_of_asker(), Some(patient_of(0, "A-1")));
        let id = PatientId::new("E-1", "2.999.80");
        nobody(question).with(vec![candidate("2.999.8", id, jane_there())])
    });
    let town = town_with(&stranger).await;
    let rows = discovered(&town, "A-1");
    assert_eq!(
        rows[0].1,
        PatientId::new("E-1", "2.999.80").to_string(),
        "{rows:?}"
    );
    assert_eq!(stranger.asked(), 2);
    // It does not say that it may be remembered.
    assert!(rows[0].2.contains("not to be remembered"), "{rows:?}");
}

/// Who is not known elsewhere is not asked for again at once; and who is not known here is not asked for.
#[tokio::test]
async fn nobody_is_asked_for_again_and_again() {
    let stranger = Stranger::who_answers("", nobody);
    let town = town_with(&stranger).await;
    provide(&town, 0, "A-1").await;
    for _ in 0..3 {
        let found = town.query_everywhere(find(0, "A-1")).await.unwrap();
        assert_eq!(
            (found.status, found.errors.len()),
            (ResponseStatus::Success, 0)
        );
    }
    assert_eq!(stranger.asked(), 1);
    provide(&town, 0, "Nameless").await;
    let found = town.query_everywhere(find(0, "Nameless")).await.unwrap();
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    assert!(
        found.errors[0].context.contains("Elsewhere"),
        "{:?}",
        found.errors
    );
    assert_eq!(stranger.asked(), 1, "there was nothing to ask with");
    assert_ne!(PATIENT_AUTHORITY, authority(0));
}
