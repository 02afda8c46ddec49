//! ITI-45: by which identifiers a patient is known in other domains.

use xds_schemas::hl7v3::{Found, InstanceId, UNKNOWN_KEY, Verdict};
use xds_schemas::iti45_pixv3_query::{
    GetIdentifiersQuery, GetIdentifiersResponse, IdentifierQuery, PixV3Query,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::PersonName;

use crate::iti8::{add, merge};
use crate::iti47::{keeping, pid, transmission};
use crate::site::Site;
use crate::words::patient;

async fn ask(site: &Site, patients: &[PatientId], domains: &[&str]) -> GetIdentifiersResponse {
    let query = IdentifierQuery {
        id: InstanceId::new("2.25.45"),
        patients: patients.iter().map(InstanceId::of).collect(),
        domains: domains.iter().map(|it| InstanceId::new(*it)).collect(),
    };
    let now = Timestamp::from_unix(1_700_000_000);
    let question = GetIdentifiersQuery::new(transmission(), &now, query.clone());
    let answer = site.call::<PixV3Query>(&question).await;
    assert_eq!(answer.query, query, "the question comes back");
    answer
}

fn local(id: &str) -> PatientId {
    PatientId::new(id, "1.2.3.7")
}

fn other(id: &str) -> PatientId {
    PatientId::new(id, "1.2.3.8")
}

/// ITI TF-2 3.45.4.2.3, cases 1, 2, 3 and 6.
pub(crate) async fn identifiers_in_other_domains(site: Site) {
    let site = keeping(site);
    let ids = "N1^^^&1.2.3.9&ISO~L1^^^&1.2.3.7&ISO~L2^^^&1.2.3.7&ISO~M1^^^&1.2.3.8&ISO";
    site.taken(&pid("A04", ids, "Doe^Jane")).await;
    site.taken(&add("N2")).await;
    let one = [patient("N1")];
    for (asked, domains, expected) in [
        (
            &one[..],
            &[][..],
            vec![local("L1"), local("L2"), other("M1")],
        ),
        (&one, &["1.2.3.8"], vec![other("M1")]),
        (
            &one,
            &["1.2.3.7", "1.2.3.8"],
            vec![local("L1"), local("L2"), other("M1")],
        ),
        (&[other("M1")], &["1.2.3.9"], vec![patient("N1")]),
        (&[local("L2")], &["1.2.3.7"], vec![local("L1")]),
        (&one, &["1.2.3.9"], vec![]),
        (&[patient("N2")], &[], vec![]),
    ] {
        let answer = ask(&site, asked, domains).await;
        assert_eq!(answer.ids, expected, "{asked:?} {domains:?}");
        assert_eq!(answer.acknowledgement.verdict, Verdict::Accepted);
        let (found, name) = match expected.is_empty() {
            true => (Found::Nothing, None),
            false => (Found::Data, Some(PersonName::of("Doe", "Jane"))),
        };
        assert_eq!((answer.found, answer.name), (found, name));
    }
}

/// ITI TF-2 3.45.4.2.3, cases 4 and 5.
pub(crate) async fn identifiers_that_nobody_knows(site: Site) {
    let site = keeping(site);
    site.taken(&pid(
        "A04",
        "N1^^^&1.2.3.9&ISO~L1^^^&1.2.3.7&ISO",
        "Doe^Jane",
    ))
    .await;
    for (asked, domains, place) in [
        (patient("N9"), &[][..], "patientIdentifier/value"),
        (local("L9"), &[], "patientIdentifier/value"),
        (
            patient("N1"),
            &["1.2.3.7", "1.2.3.77"],
            "dataSource[2]/value",
        ),
    ] {
        let answer = ask(&site, &[asked], domains).await;
        assert_eq!(
            (answer.found, answer.acknowledgement.verdict),
            (Found::Error, Verdict::Error)
        );
        assert_eq!(answer.ids, []);
        let [detail] = answer.acknowledgement.details.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(detail.code.as_deref(), Some(UNKNOWN_KEY));
        assert!(
            detail.location.as_deref().unwrap().ends_with(place),
            "{detail:?}"
        );
    }
    let answer = ask(&site, &[patient("N1"), patient("N1")], &[]).await;
    assert_eq!(answer.found, Found::Error);
    // Whom a local identifier of two patients means cannot be told.
    site.taken(&pid(
        "A04",
        "N2^^^&1.2.3.9&ISO~L1^^^&1.2.3.7&ISO",
        "Doe^John",
    ))
    .await;
    let answer = ask(&site, &[local("L1")], &[]).await;
    assert_eq!(answer.found, Found::Error);
    assert_eq!(answer.ids, []);
}

/// Merges (ITI-8) and changes of links (ITI-64) are followed, and each question is recorded with everybody
/// in it.
pub(crate) async fn identifiers_follow_merges_and_links(site: Site) {
    let site = keeping(site);
    for (id, rest) in [("N1", "Doe^Jane"), ("N2", "Doe^Janet"), ("N3", "Roe^Jane")] {
        let ids = format!("{id}^^^&1.2.3.9&ISO~L-{id}^^^&1.2.3.7&ISO");
        site.taken(&pid("A04", &ids, rest)).await;
    }
    site.taken(&merge("N2", "N1")).await;
    let answer = ask(&site, &[local("L-N2")], &["1.2.3.9"]).await;
    assert_eq!(answer.ids, [patient("N1")]);
    let answer = ask(&site, &[patient("N2")], &[]).await;
    assert_eq!(answer.ids, [patient("N1"), local("L-N1"), local("L-N2")]);
    site.taken(
        "MSH|^~\\&|^1.2.3.44^ISO|PIX|REG|XDS|20260101||ADT^A43^ADT_A43|M-43|P|2.5\r\
         EVN||20260101\rPID|||N3^^^&1.2.3.9&ISO~L-N2^^^&1.2.3.7&ISO|| \rMRG|N1^^^&1.2.3.9&ISO\r",
    )
    .await;
    let answer = ask(&site, &[local("L-N2")], &["1.2.3.9"]).await;
    assert_eq!(answer.ids, [patient("N3")]);
    let answer = ask(&site, &[patient("N1")], &[]).await;
    assert_eq!(answer.ids, [local("L-N1")]);
    let audit = site.recorded();
    let records = audit
        .iter()
        .filter(|it| it.transaction.as_deref() == Some("ITI-45"));
    assert_eq!(records.filter(|it| it.event == "Query").count(), 4);
}
