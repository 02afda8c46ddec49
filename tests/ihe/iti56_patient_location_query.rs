//! ITI-56, both sides, and what is revoked.

use hilum_security::NodeName;
use hilum_security::iti19_authenticate_node::client_config;
use hilum_tests::Town;
use hilum_tests::feed::{self, Source};
use hilum_tests::people::{configure, identity};
use hilum_tests::region::{DEMOGRAPHICS, Region, home, patient_of};
use hilum_tests::words::PATIENT_AUTHORITY;
use hilum_transport::{Client, Limits};
use openssl::hash::MessageDigest;
use serde_json::Value;
use xds_schemas::hl7v3::find_candidates::{AskedTime, Parameters};
use xds_schemas::hl7v3::{AcceptAcknowledgement, InstanceId, Transmission, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::RecordNullified;
use xds_schemas::iti56_patient_location_query::{
    PatientLocationQuery, PatientLocationQueryRequest, PatientLocationQueryResponse,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::PersonName;
use xds_schemas::transaction::Transaction;
use xds_schemas::xcpd;

use crate::iti38_translated_patients::urn;
use crate::iti55_cross_gateway_patient_discovery::{
    announce, discovered, discovering, jane, question,
};

async fn located(town: &Town, patient: &PatientId) -> PatientLocationQueryResponse {
    let request = PatientLocationQueryRequest {
        patient: InstanceId::of(patient),
    };
    let url = town.responding();
    let sent = town
        .client
        .send::<PatientLocationQuery>(&url, &request, Vec::new());
    sent.await.unwrap().response
}

/// Whom a locator knows elsewhere, it says, to those who know what it calls the patient.
#[tokio::test]
async fn a_locator_says_where_else_a_patient_is_known() {
    let region = discovering(3, "");
    let [first, second, third] = &region.towns[..] else {
        panic!("three towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    announce(third, 2, jane("C-1")).await;
    let own = patient_of(0, "A-1");
    assert_eq!(
        located(first, &own).await.locations,
        [],
        "nothing is known yet"
    );
    assert_eq!(discovered(first, "A-1").len(), 2);
    let response = located(first, &own).await;
    let locations: Vec<_> = response
        .locations
        .iter()
        .map(|it| {
            (
                it.home.as_str().to_owned(),
                it.corresponding.patient().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        locations,
        [
            (urn(1), patient_of(1, "B-1")),
            (urn(2), patient_of(2, "C-1"))
        ]
    );
    assert!(
        response
            .locations
            .iter()
            .all(|it| it.requested == InstanceId::of(&own))
    );
    // Of somebody else's patient, and of one who is not known, nothing is said.
    let other = PatientId::new("A-1", "2.999.404");
    assert_eq!(located(first, &other).await.locations, []);
    assert_eq!(located(first, &patient_of(0, "A-9")).await.locations, []);

    // The third town asks the first, which is a locator, by way of its own gateway.
    let output = third.run(&["discover", "--patient", "C-1", "--locate", "--json"]);
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let rows = said["locations"].as_array().unwrap();
    let named = |home: &str| rows.iter().any(|row| row["home_community_id"] == home);
    assert!(named(&urn(1)), "{said}");
    for town in [first, third] {
        let records = town.records();
        assert!(records.iter().any(|it| it["transaction"] == "ITI-56"));
    }
}

/// Both sides forget what is revoked.
#[tokio::test]
async fn what_is_revoked_is_forgotten_on_both_sides() {
    let region = discovering(2, "");
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    assert_eq!(discovered(first, "A-1")[0].0, "known");
    let (here, there) = (patient_of(0, "A-1"), patient_of(1, "B-1"));
    assert_eq!(located(first, &here).await.locations.len(), 1);
    assert_eq!(located(second, &there).await.locations.len(), 1);
    let output = first.run(&["discover", "--patient", "A-1", "--revoke"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("forgotten here") && said.contains("town 1"),
        "{said}"
    );
    assert_eq!(located(first, &here).await.locations, []);
    assert_eq!(located(second, &there).await.locations, []);
}

/// Of a community that has no address for patients any more, what is known is forgotten all the same.
#[tokio::test]
async fn what_is_revoked_is_forgotten_of_those_who_cannot_be_told() {
    let mut region = discovering(2, "");
    announce(&region.towns[0], 0, jane("A-1")).await;
    announce(&region.towns[1], 1, jane("B-1")).await;
    let first = &mut region.towns[0];
    assert_eq!(discovered(first, "A-1")[0].0, "known");
    first.stop();
    let text = std::fs::read_to_string(first.config()).unwrap();
    let url = format!("\nurl = \"{}\"", region.towns[1].responding());
    let without = text
        .replace(&url, &url.replace("url", "query_url"))
        .replace(
            "patients = \"discover\"\nlocator = true",
            "patients = \"known\"",
        );
    let first = &mut region.towns[0];
    assert_ne!(text, without);
    std::fs::write(first.config(), without).unwrap();
    first.start();
    let here = patient_of(0, "A-1");
    assert_eq!(located(first, &here).await.locations.len(), 1);
    let output = first.run(&["discover", "--patient", "A-1", "--revoke"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(located(first, &here).await.locations, []);
}

/// What a community calls its patients, only its own node may say: neither is a name kept that another node
/// gives, nor one forgotten that it takes back.
#[tokio::test]
async fn who_does_not_speak_for_a_community_is_not_believed() {
    let lines = |_, _| "patients = \"discover\"\nnode = \"CN=gateway.example\"".to_owned();
    let region = Region::of_authorities(2, lines, |_| "locator = true".to_owned());
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    assert_eq!(discovered(first, "A-1")[0].0, "known");
    let (here, there) = (patient_of(0, "A-1"), patient_of(1, "B-1"));
    // What was answered counts, what was said does not.
    assert_eq!(located(first, &here).await.locations.len(), 1);
    assert_eq!(located(second, &there).await.locations, []);
    assert_eq!(discovered(second, "B-1")[0].0, "known");
    let output = first.run(&["discover", "--patient", "A-1", "--revoke"]);
    assert!(!output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("refuses"),
        "{output:?}"
    );
    assert_eq!(located(first, &here).await.locations, []);
    assert_eq!(located(second, &there).await.locations.len(), 1);
}

/// Authorities give the same subject to whom they like: whose certificate it is, or who issued it, tells who
/// speaks for a community.
#[tokio::test]
async fn a_subject_of_another_authority_does_not_speak_for_a_community() {
    let mut region = Region::secure(3);
    let certificate = identity(&region.towns[2], "client").certificate;
    let fingerprint = certificate.digest(MessageDigest::sha256()).unwrap();
    let fingerprint: String = fingerprint.iter().map(|it| format!("{it:02X}:")).collect();
    let authority = region.towns[2].node().join("certs/ca.pem");
    let trust = format!("trust = [\"{}\"]", authority.display());
    let before = std::fs::read_to_string(region.towns[0].config()).unwrap();
    let by_certificate = format!("node = \"{fingerprint}\"");
    let subject = NodeName::of(&certificate).unwrap().subject;
    let by_subject = format!("node = \"{subject}\"");
    for (said, others_are_believed) in [(by_subject, true), (trust, false), (by_certificate, false)]
    {
        let town = &mut region.towns[0];
        town.stop();
        // The last of its communities is the third town.
        let more = format!("patients = \"discover\"\n{said}\n");
        std::fs::write(town.config(), format!("{before}\n{more}")).unwrap();
        let lines = [("gateway", "locator = true"), ("registry", DEMOGRAPHICS)];
        configure(town, &lines);
        town.start();
        let [first, second, third] = &region.towns[..] else {
            panic!("three towns");
        };
        let known = feed::add("A04", "P-1");
        assert_eq!(Source::of(first).await.tell(&known).await.code, "AA");
        for (caller, is_believed) in [(second, others_are_believed), (third, true)] {
            say_who_it_is(caller, first).await;
            let own = PatientId::new("P-1", PATIENT_AUTHORITY);
            let locations = located(first, &own).await.locations;
            assert_eq!(locations.len(), usize::from(is_believed), "{said}");
        }
        // It is forgotten here, though the third town, which has the same names, refuses.
        first.run(&["discover", "--patient", "P-1", "--revoke"]);
    }
}

/// The Revoke option with the action that ITI TF-2 Appendix V forms of the interaction alone.
#[derive(Debug)]
enum PlainRevocation {}

impl Transaction for PlainRevocation {
    const ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201303UV02";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
    const MTOM: bool = false;
    type Request = RecordNullified;
    type Response = AcceptAcknowledgement;
}

/// What a community took back is forgotten, whichever of the two actions it uses.
#[tokio::test]
async fn a_revocation_is_known_by_its_message() {
    let region = discovering(2, "");
    let [first, second] = &region.towns[..] else {
        panic!("two towns");
    };
    announce(first, 0, jane("A-1")).await;
    announce(second, 1, jane("B-1")).await;
    assert_eq!(discovered(first, "A-1")[0].0, "known");
    let (own, there) = (patient_of(0, "A-1"), patient_of(1, "B-1"));
    assert_eq!(located(first, &own).await.locations.len(), 1);
    let transmission = Transmission {
        id: InstanceId::new("2.999.1.1"),
        processing_code: "P".to_owned(),
        sender: InstanceId::new(home(1)),
        receiver: InstanceId::new(home(0)),
        sender_organization: Some(home(1)),
        ..Transmission::default()
    };
    let time = Timestamp::from_unix(1_700_000_000);
    let message = RecordNullified::of(there, transmission, &time);
    let url = first.responding();
    let sent = second
        .client
        .send::<PlainRevocation>(&url, &message, Vec::new());
    assert_eq!(sent.await.unwrap().response.verdict, Verdict::Accepted);
    assert_eq!(located(first, &own).await.locations, []);
}

/// If nothing is said of who speaks for a community, it is the node at which that is reached: another one that
/// is let in is not believed.
#[tokio::test]
async fn without_a_word_the_node_that_is_reached_speaks_for_a_community() {
    let mut region = Region::secure(3);
    let before = std::fs::read_to_string(region.towns[0].config()).unwrap();
    // Certificates of the tests are for localhost, and for nothing else.
    for (named, is_believed) in [("gateway.example", false), ("localhost", true)] {
        let town = &mut region.towns[0];
        town.stop();
        let more = format!("patients = \"discover\"\nserver_name = \"{named}\"\n");
        std::fs::write(town.config(), format!("{before}\n{more}")).unwrap();
        let lines = [("gateway", "locator = true"), ("registry", DEMOGRAPHICS)];
        configure(town, &lines);
        town.start();
        let [first, second, _] = &region.towns[..] else {
            panic!("three towns");
        };
        let known = feed::add("A04", "P-1");
        assert_eq!(Source::of(first).await.tell(&known).await.code, "AA");
        say_who_it_is(second, first).await;
        let own = PatientId::new("P-1", PATIENT_AUTHORITY);
        let locations = located(first, &own).await.locations;
        assert_eq!(locations.len(), usize::from(is_believed), "{named}");
        let log = first.log();
        let warned = log.matches("speaks for a community that is not its own");
        assert_eq!(warned.count(), 1, "{log}");
    }
}

/// Asks for a patient of `town` in the name of the third town of a region, and says what that calls them.
async fn say_who_it_is(caller: &Town, town: &Town) {
    let parameters = Parameters {
        ids: vec![InstanceId::of(&PatientId::new("S-1", "2.999.78"))],
        names: vec![PersonName::of("Doe", "Jane")],
        birth_time: Some(AskedTime::at(Timestamp::parse("19700101").unwrap())),
        ..Parameters::default()
    };
    let mut question = question(parameters);
    question.authority = Some("2.999.78".to_owned());
    question.transmission.sender_organization = Some(home(2));
    let mut files = caller.client_files().unwrap();
    files.trust = town.client_files().unwrap().trust;
    let client = Client::new(Some(client_config(&files).unwrap()), Limits::default());
    let client = client.with_blocks(&xcpd::time_to_live(3600));
    let url = town.responding();
    let sent = client.send::<CrossGatewayPatientDiscovery>(&url, &question, Vec::new());
    assert_eq!(sent.await.unwrap().response.candidates.len(), 1);
}

/// Who is no locator does not answer.
#[tokio::test]
async fn who_is_no_locator_says_so() {
    let town = Town::plain();
    let request = PatientLocationQueryRequest {
        patient: InstanceId::of(&PatientId::new("P", "2.999.1")),
    };
    let url = town.responding();
    let sent = town
        .client
        .send::<PatientLocationQuery>(&url, &request, Vec::new());
    let refused = sent.await.unwrap_err().to_string();
    assert!(refused.contains("ActionNotSupported"), "{refused}");
}
