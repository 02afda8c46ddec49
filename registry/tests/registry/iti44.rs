//! ITI-44: the same as ITI-8 in HL7 v3.

use hilum_transport::ClientError;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::hl7v3::{AcceptAcknowledgement, InstanceId, Transmission, Verdict};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti44_patient_identity_feed_hl7v3::{
    DuplicatesResolved, PatientRecordMessage, RecordAdded, RecordRevised,
};
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::transaction::Transaction;

use crate::iti18::find_documents;
use crate::site::Site;
use crate::words::{one, patient};

fn message(announcement: &Announcement) -> PatientRecordMessage {
    let transmission = Transmission {
        id: InstanceId::new("2.25.4711"),
        processing_code: "T".to_owned(),
        sender: InstanceId::new("1.2.3.11"),
        receiver: InstanceId::new("1.2.3.12"),
        ..Transmission::default()
    };
    let now = Timestamp::from_unix(1_700_000_000);
    PatientRecordMessage::of(announcement, transmission, &now)
}

async fn tell<T>(
    site: &Site,
    announcement: &Announcement,
) -> Result<AcceptAcknowledgement, ClientError>
where
    T: Transaction<Request = PatientRecordMessage, Response = AcceptAcknowledgement>,
{
    let message = message(announcement);
    let sent = site.client.send::<T>(&site.url, &message, Vec::new());
    Ok(sent.await?.response)
}

fn add(id: &str) -> Announcement {
    Announcement::Add(vec![patient(id)])
}

fn merge(subsumed: &str, survivor: &str) -> Announcement {
    Announcement::Merge {
        subsumed: patient(subsumed),
        survivor: patient(survivor),
    }
}

/// ITI TF-2 3.44.4.1.4 and O.1.2: the acknowledgement names the message, and sender and receiver
/// change places. A revision is taken and changes nothing.
pub(crate) async fn patients_become_known_in_hl7v3(site: Site) {
    let revision = Announcement::Revise(vec![patient("N1")]);
    let answer = tell::<RecordRevised>(&site, &revision).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Accepted);
    let (submission, _) = one(&patient("N1"));
    site.refuse(&submission, &[ErrorCode::UnknownPatientId])
        .await;
    for _ in 0..2 {
        let answer = tell::<RecordAdded>(&site, &add("N1")).await.unwrap();
        assert_eq!(answer.verdict, Verdict::Accepted, "{:?}", answer.reasons);
        assert_eq!(answer.target, InstanceId::new("2.25.4711"));
        assert_eq!(answer.transmission.sender, InstanceId::new("1.2.3.12"));
        assert_eq!(answer.transmission.receiver, InstanceId::new("1.2.3.11"));
        assert_eq!(answer.transmission.processing_code, "T");
    }
    site.accept(&submission).await;
}

/// ITI TF-2 3.44.4.2.4: the same refusals, the same consequences.
pub(crate) async fn merges_are_those_of_iti8(site: Site) {
    let site = site.with_patients().await;
    for id in ["P1", "P2"] {
        site.accept(&one(&patient(id)).0).await;
    }
    for (subsumed, survivor, said) in [
        ("P1", "P1", "the same"),
        ("P9", "P1", "subsumed patient identifier is not known"),
        ("P1", "P9", "surviving patient identifier is not known"),
    ] {
        let answer = tell::<DuplicatesResolved>(&site, &merge(subsumed, survivor)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.verdict, Verdict::Error);
        assert!(
            answer.reasons.concat().contains(said),
            "{:?}",
            answer.reasons
        );
    }
    let answer = tell::<DuplicatesResolved>(&site, &merge("P2", "P1"))
        .await
        .unwrap();
    assert_eq!(answer.verdict, Verdict::Accepted, "{:?}", answer.reasons);
    assert_eq!(site.find(&find_documents(&patient("P1"))).await.len(), 2);
    assert_eq!(site.find(&find_documents(&patient("P2"))).await, []);
    site.refuse(&one(&patient("P2")).0, &[ErrorCode::UnknownPatientId])
        .await;
    let answer = tell::<DuplicatesResolved>(&site, &merge("P2", "P1"))
        .await
        .unwrap();
    assert!(
        answer.reasons.concat().contains("was subsumed"),
        "{:?}",
        answer.reasons
    );
    let gist: Vec<_> = site
        .audit()
        .iter()
        .filter(|it| it.transaction.as_deref() == Some("ITI-44"))
        .map(|it| {
            (
                it.action.clone(),
                it.outcome.clone(),
                it.patient.clone().unwrap(),
            )
        })
        .collect();
    let of = |action: &str, outcome: &str, id: &str| {
        (
            action.to_owned(),
            outcome.to_owned(),
            patient(id).to_string(),
        )
    };
    assert_eq!(gist[6..8], [of("D", "0", "P2"), of("U", "0", "P1")]);
    assert_eq!(gist.len(), 10);
}

pub(crate) async fn what_is_wrong_is_told_in_hl7v3(site: Site) {
    let foreign = Announcement::Add(vec![PatientId::new("N1", "1.2.3.7")]);
    let answer = tell::<RecordAdded>(&site, &foreign).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Error);
    assert!(
        answer.reasons.concat().contains("1.2.3.9"),
        "{:?}",
        answer.reasons
    );
    // The action says something else than the body.
    let answer = tell::<DuplicatesResolved>(&site, &add("N1")).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Rejected);
    assert!(
        answer.reasons.concat().contains("wsa:Action"),
        "{:?}",
        answer.reasons
    );
    site.refuse(&one(&patient("N1")).0, &[ErrorCode::UnknownPatientId])
        .await;
    let alerts = site.audit();
    let alerts = alerts.iter().filter(|it| it.event == "Security Alert");
    assert_eq!(alerts.count(), 2);
}
