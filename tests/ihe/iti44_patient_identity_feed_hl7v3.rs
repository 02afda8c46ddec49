//! ITI-44 over SOAP, in messages as others write them.

use hilum_tests::words::{self, Document, PATIENT_AUTHORITY, Submission};
use hilum_tests::{Setup, Town, raw};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::hl7v3::{AcceptAcknowledgement, Verdict};
use xds_schemas::soap::{self, BodyOrFault};

use crate::codes;

fn town() -> Town {
    Town::found(Setup {
        plain: true,
        refuse_unknown_patients: true,
        ..Setup::default()
    })
}

/// A message with everything that a source may say, most of which is none of a registry's business.
fn message(interaction: &str, id: &str, prior: Option<&str>) -> String {
    let replaced = prior.map_or_else(String::new, |prior| {
        format!(
            r#"<h:replacementOf typeCode="RPLC"><h:priorRegistration classCode="REG" moodCode="EVN">
               <h:statusCode code="obsolete"/><h:subject1 typeCode="SBJ"><h:priorRegisteredRole classCode="PAT">
               <h:id root="{PATIENT_AUTHORITY}" extension="{prior}"/></h:priorRegisteredRole></h:subject1>
               </h:priorRegistration></h:replacementOf>"#
        )
    });
    format!(
        r#"<h:{interaction} xmlns:h="urn:hl7-org:v3" ITSVersion="XML_1.0">
        <h:id root="2.16.840.1.113883.3.933.1" extension="M-1"/><h:creationTime value="20260101120000"/>
        <h:interactionId root="2.16.840.1.113883.1.6" extension="{interaction}"/>
        <h:processingCode code="P"/><h:processingModeCode code="T"/><h:acceptAckCode code="AL"/>
        <h:receiver typeCode="RCV"><h:device classCode="DEV" determinerCode="INSTANCE"><h:id root="1.2.840.1"/></h:device></h:receiver>
        <h:sender typeCode="SND"><h:device classCode="DEV" determinerCode="INSTANCE"><h:id root="1.2.840.2"/></h:device></h:sender>
        <h:controlActProcess classCode="CACT" moodCode="EVN"><h:code code="PRPA_TE201301UV02" codeSystem="2.16.840.1.113883.1.18"/>
        <h:subject typeCode="SUBJ"><h:registrationEvent classCode="REG" moodCode="EVN"><h:id nullFlavor="NA"/><h:statusCode code="active"/>
        <h:subject1 typeCode="SBJ"><h:patient classCode="PAT"><h:id root="{PATIENT_AUTHORITY}" extension="{id}" assigningAuthorityName="XAD"/>
        <h:statusCode code="active"/><h:patientPerson><h:name><h:family>Doe</h:family><h:given>Jane</h:given></h:name>
        <h:administrativeGenderCode code="F"/><h:birthTime value="19700101"/>
        <h:asOtherIDs classCode="PAT"><h:id root="1.2.3" extension="L-1"/><h:scopingOrganization classCode="ORG" determinerCode="INSTANCE"><h:id root="1.2.3"/></h:scopingOrganization></h:asOtherIDs>
        </h:patientPerson><h:providerOrganization classCode="ORG" determinerCode="INSTANCE"><h:id root="{PATIENT_AUTHORITY}"/>
        <h:contactParty classCode="CON"><h:telecom value="tel:+1"/></h:contactParty></h:providerOrganization></h:patient></h:subject1>
        <h:custodian typeCode="CST"><h:assignedEntity classCode="ASSIGNED"><h:id root="1.2.840.2"/></h:assignedEntity></h:custodian>
        {replaced}</h:registrationEvent></h:subject></h:controlActProcess></h:{interaction}>"#
    )
}

fn tell(town: &Town, interaction: &str, body: &str) -> AcceptAcknowledgement {
    let action = format!("urn:hl7-org:v3:{interaction}");
    let answer = raw::soap(town.port(1), "/registry", &words::envelope(&action, body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    match soap::read_answer::<AcceptAcknowledgement>(answer.text().as_bytes()) {
        Ok(BodyOrFault::Body(acknowledgement)) => acknowledgement,
        other => panic!("{other:?}: {}", answer.text()),
    }
}

async fn provide(town: &Town, patient: &str) -> Vec<String> {
    let submission = Submission::new(patient, vec![Document::text(patient)]);
    let response = town.provide(&submission).await.unwrap();
    codes(&response).into_iter().map(str::to_owned).collect()
}

async fn found(town: &Town, patient: &str) -> usize {
    let found = town
        .query(words::find_documents(patient, "LeafClass"))
        .await
        .unwrap();
    assert_eq!(found.status, ResponseStatus::Success);
    found.objects.len()
}

/// ITI TF-2 3.44.4.1.4, 3.44.4.2.4.
#[tokio::test]
async fn patients_are_announced_and_merged() {
    let town = town();
    assert_eq!(provide(&town, "P-1").await, ["XDSUnknownPatientId"]);
    let revise = "PRPA_IN201302UV02";
    let answer = tell(&town, revise, &message(revise, "P-1", None));
    assert_eq!(answer.verdict, Verdict::Accepted);
    assert_eq!(provide(&town, "P-1").await, ["XDSUnknownPatientId"]);
    let add = "PRPA_IN201301UV02";
    for id in ["P-1", "P-2"] {
        let answer = tell(&town, add, &message(add, id, None));
        assert_eq!(answer.verdict, Verdict::Accepted, "{:?}", answer.reasons);
        assert_eq!(answer.target.extension.as_deref(), Some("M-1"));
        assert_eq!(answer.transmission.receiver.root, "1.2.840.2");
        assert_eq!(answer.transmission.sender.root, "1.2.840.1");
        assert!(provide(&town, id).await.is_empty());
    }
    let merge = "PRPA_IN201304UV02";
    let answer = tell(&town, merge, &message(merge, "P-1", Some("P-2")));
    assert_eq!(answer.verdict, Verdict::Accepted, "{:?}", answer.reasons);
    assert_eq!(
        (found(&town, "P-1").await, found(&town, "P-2").await),
        (2, 0)
    );
    assert_eq!(provide(&town, "P-2").await, ["XDSUnknownPatientId"]);
    let answer = tell(&town, merge, &message(merge, "P-1", Some("P-2")));
    assert_eq!(answer.verdict, Verdict::Error);
    assert!(
        answer.reasons[0].contains("earlier message"),
        "{:?}",
        answer.reasons
    );
    town.expected.add("ITI-44", "Patient Record", 7);
    // ITI TF-2 3.44.5.1: the message is named in the detail II of each patient.
    let detail = r#"<ParticipantObjectDetail type="II" value=""#;
    let messages = town.messages();
    assert_eq!(messages.iter().filter(|it| it.contains(detail)).count(), 7);
}

/// A fault for what cannot be read, an acknowledgement for what cannot be done.
#[tokio::test]
async fn what_cannot_be_taken_is_told() {
    let town = town();
    let add = "PRPA_IN201301UV02";
    let foreign = message(add, "P-1", None).replace(PATIENT_AUTHORITY, "1.2.999");
    let answer = tell(&town, add, &foreign);
    assert_eq!(answer.verdict, Verdict::Error);
    assert!(
        answer.reasons[0].contains(PATIENT_AUTHORITY),
        "{:?}",
        answer.reasons
    );
    let merge = "PRPA_IN201304UV02";
    let alone = tell(&town, merge, &message(merge, "P-1", None));
    assert!(
        alone.reasons[0].contains("priorRegisteredRole"),
        "{:?}",
        alone.reasons
    );
    let other = tell(&town, merge, &message(add, "P-1", None));
    assert_eq!(other.verdict, Verdict::Rejected);
    let nonsense = words::envelope(
        "urn:hl7-org:v3:PRPA_IN201301UV02",
        "<x xmlns='urn:hl7-org:v3'/>",
    );
    let answer = raw::soap(town.port(1), "/registry", &nonsense);
    assert!(
        answer.fault().reason.contains("PRPA_IN201301UV02"),
        "{}",
        answer.text()
    );
    assert_eq!(provide(&town, "P-1").await, ["XDSUnknownPatientId"]);
    let alert = |record: &serde_json::Value| record["event"] == "Security Alert";
    assert_eq!(town.records().iter().filter(|it| alert(it)).count(), 4);
}
