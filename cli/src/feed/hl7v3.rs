//! ITI-44: messages of HL7 v3 over SOAP.

use hilum_audit::{Event, Outcome, Parties, PatientFeed};
use hilum_transport::{Answer, ClientError};
use uuid::Uuid;
use xds_schemas::hl7v3::{AcceptAcknowledgement, InstanceId, Transmission, Verdict};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti44_patient_identity_feed_hl7v3::{
    DuplicatesResolved, PatientRecordMessage, RecordAdded, RecordRevised,
};

use super::{Told, now, said};
use crate::client::Node;

const TRANSACTION: &str = "ITI-44";

/// Sends a message for each announcement.
pub(super) async fn send(node: &Node, announcements: &[Announcement]) -> anyhow::Result<Vec<Told>> {
    let url = node.registry()?;
    let ledger = node.ledger()?;
    let mut all = Vec::with_capacity(announcements.len());
    for announcement in announcements {
        let message = PatientRecordMessage::of(announcement, transmission(node), &now());
        let answer = ask(node, &url, announcement, &message).await;
        let answer = answer.map(|answer| told(announcement, answer.response));
        let outcome = match &answer {
            Ok(told) => told.outcome(),
            Err(error) => Outcome::Failure(error.to_string()),
        };
        let event = Event::patients_announced(
            PatientFeed::PatientIdentityFeedHl7v3,
            &Parties::asked(&url),
            &message.transmission.id.to_string(),
            Some(announcement),
            &outcome,
        );
        all.push(ledger.record(event, answer).await?.into_inner()?);
    }
    Ok(all)
}

async fn ask(
    node: &Node,
    url: &str,
    announcement: &Announcement,
    message: &PatientRecordMessage,
) -> Result<Answer<AcceptAcknowledgement>, ClientError> {
    let client = &node.client;
    match announcement {
        Announcement::Add(_) => client.send::<RecordAdded>(url, message, Vec::new()).await,
        Announcement::Revise(_) => client.send::<RecordRevised>(url, message, Vec::new()).await,
        Announcement::Merge { .. } => {
            client
                .send::<DuplicatesResolved>(url, message, Vec::new())
                .await
        }
    }
}

/// The devices are named by the community that they belong to: "id.root SHALL be an ISO OID" (ITI
/// TF-2 O.1.1).
fn transmission(node: &Node) -> Transmission {
    let home = &node.config.home_community_id;
    let device = InstanceId::new(home.trim_start_matches("urn:oid:"));
    Transmission {
        id: InstanceId::new(format!("2.25.{}", Uuid::new_v4().as_u128())),
        processing_code: "P".to_owned(),
        sender: device.clone(),
        receiver: device,
        ..Transmission::default()
    }
}

fn told(announcement: &Announcement, acknowledgement: AcceptAcknowledgement) -> Told {
    Told {
        transaction: TRANSACTION,
        said: said(announcement),
        code: acknowledgement.verdict.as_str().to_owned(),
        accepted: acknowledgement.verdict == Verdict::Accepted,
        reasons: acknowledgement.reasons,
    }
}
