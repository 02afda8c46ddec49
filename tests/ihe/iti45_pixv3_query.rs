//! ITI-45 over SOAP, in messages as others write them.

use hilum_tests::Town;
use hilum_tests::words::{self, PATIENT_AUTHORITY};
use hilum_tests::{Setup, raw};
use xds_schemas::hl7v3::{Found, UNKNOWN_KEY, Verdict};
use xds_schemas::iti45_pixv3_query::GetIdentifiersResponse;
use xds_schemas::soap::{self, BodyOrFault};

use crate::iti47_patient_demographics_query_hl7v3::{announce, question, town};

fn envelope(id: &str, domain: &str) -> String {
    let interaction = "PRPA_IN201309UV02";
    let parameters = format!(
        r#"<h:dataSource><h:value root="{domain}" assigningAuthorityName="HOSPITAL"/>
        <h:semanticsText>DataSource.id</h:semanticsText></h:dataSource><h:patientIdentifier>
        <h:value root="{PATIENT_AUTHORITY}" extension="{id}"/>
        <h:semanticsText>Patient.id</h:semanticsText></h:patientIdentifier>"#
    );
    let action = format!("urn:hl7-org:v3:{interaction}");
    words::envelope(&action, &question(interaction, &parameters))
}

fn ask(town: &Town, id: &str, domain: &str) -> GetIdentifiersResponse {
    let answer = raw::soap(town.port(1), "/registry", &envelope(id, domain));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("urn:hl7-org:v3:PRPA_IN201310UV02"));
    match soap::read_answer::<GetIdentifiersResponse>(answer.text().as_bytes()) {
        Ok(BodyOrFault::Body(response)) => response,
        other => panic!("{other:?}: {}", answer.text()),
    }
}

/// ITI TF-2 3.45.4.2.3, cases 1, 4 and 5.
#[tokio::test]
async fn other_identifiers_are_told() {
    let town = town();
    announce(&town).await;
    let answer = ask(&town, "P-1", "1.2.3.77");
    assert_eq!(
        (answer.found, answer.acknowledgement.verdict),
        (Found::Data, Verdict::Accepted)
    );
    let [id] = answer.ids.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (id.id.as_str(), id.authority.as_str()),
        ("L-P-1", "1.2.3.77")
    );
    for (id, domain, place) in [
        ("P-9", "1.2.3.77", "patientIdentifier/value"),
        ("P-1", "1.2.3.78", "dataSource[1]/value"),
    ] {
        let answer = ask(&town, id, domain);
        assert_eq!(
            (answer.found, answer.acknowledgement.verdict),
            (Found::Error, Verdict::Error)
        );
        let detail = &answer.acknowledgement.details[0];
        assert_eq!(detail.code.as_deref(), Some(UNKNOWN_KEY));
        assert!(
            detail.location.as_deref().unwrap().ends_with(place),
            "{detail:?}"
        );
    }
    let records = town.messages();
    let queries: Vec<_> = records
        .iter()
        .filter(|it| it.contains(r#"csd-code="ITI-45""#))
        .collect();
    assert_eq!(queries.len(), 3, "{records:?}");
}

/// A registry that keeps no demographics has nothing to say.
#[tokio::test]
async fn who_keeps_nothing_answers_nothing() {
    let town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let answer = raw::soap(town.port(1), "/registry", &envelope("P-1", "1.2.3.77"));
    assert!(
        answer.fault().reason.contains("cannot be processed"),
        "{}",
        answer.text()
    );
}
