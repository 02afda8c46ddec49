//! A Patient Identity Source: messages of HL7 v2 as text, and a connection that carries them.

use hilum_security::iti19_authenticate_node::client_config;
use hilum_transport::Limits;
use hilum_transport::mllp::Connection;
use xds_schemas::hl7v2::Acknowledgement;

use crate::Town;
use crate::words::PATIENT_AUTHORITY;

/// A message that makes a patient known.
pub fn add(event: &str, id: &str) -> String {
    format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^{event}^ADT_A01|M-{event}-{}|P|2.3.1\r\
         EVN|{event}|20260101120000\r\
         PID|1||L-{id}^^^HOSPITAL~{id}^^^&{PATIENT_AUTHORITY}&ISO^PI||Doe^Jane||19700101|F\r\
         PV1||O\r",
        id.len()
    )
}

/// A message that merges two patients.
pub fn merge(subsumed: &str, survivor: &str) -> String {
    format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^A40^ADT_A39|M-A40|P|2.3.1\r\
         EVN|A40|20260101120000\r\
         PID|1||{survivor}^^^&{PATIENT_AUTHORITY}&ISO||Doe^Jane\r\
         MRG|{subsumed}^^^&{PATIENT_AUTHORITY}&ISO\r"
    )
}

/// A source that is connected to a town.
#[derive(Debug)]
pub struct Source {
    connection: Connection<'static>,
}

impl Source {
    /// Connects with the certificate of the town's client.
    pub async fn of(town: &Town) -> Self {
        let files = town.client_files();
        let tls = files.map(|files| client_config(&files).expect("good certificates"));
        let limits: &'static Limits = Box::leak(Box::default());
        let connection = Connection::open(&town.feed(), tls.as_ref(), limits).await;
        Self {
            connection: connection.expect("the node listens"),
        }
    }

    /// Sends a message and takes its acknowledgement.
    pub async fn tell(&mut self, message: &str) -> Acknowledgement {
        let answer = self.connection.exchange(message.as_bytes()).await;
        let answer = answer.expect("an answer");
        Acknowledgement::read(&answer).expect("an acknowledgement")
    }
}
