//! A Responding Gateway of somebody else, which answers ITI-55 as a test wants, on a connection for each
//! question.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xds_schemas::hl7v3::InstanceId;
use xds_schemas::hl7v3::find_candidates::{
    Candidate, Custodian, FindCandidatesQuery, FindCandidatesResponse,
};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::metadata::PatientId;
use xds_schemas::person::Person;
use xds_schemas::soap;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{ToXml, Writer};

use crate::partner::{Asked, Said};
use crate::words;

/// Somebody who listens.
#[derive(Debug)]
pub struct Stranger {
    /// Where.
    pub url: String,
    /// How many questions came.
    pub questions: Arc<AtomicUsize>,
}

impl Stranger {
    /// Somebody who answers so, with these header blocks.
    pub fn who_answers(
        header: &str,
        answer: impl Fn(&FindCandidatesQuery) -> FindCandidatesResponse + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let questions = Arc::new(AtomicUsize::new(0));
        let (count, header) = (Arc::clone(&questions), header.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                // Who does not understand the answer may go before it is written.
                let _ = serve(stream, &header, &answer);
            }
        });
        Self {
            url: format!("http://{address}/"),
            questions,
        }
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: TcpStream,
    header: &str,
    answer: &impl Fn(&FindCandidatesQuery) -> FindCandidatesResponse,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(asked) = Asked::read(&mut stream)? else {
        return Ok(());
    };
    let question = soap::read_body::<FindCandidatesQuery>(asked.body.as_bytes());
    let response = answer(&question.map_err(std::io::Error::other)?);
    let mut writer = Writer::default();
    response.to_xml(&mut writer);
    let action = CrossGatewayPatientDiscovery::RESPONSE_ACTION;
    let envelope = words::envelope_with(action, header, &writer.finish());
    Said::envelope(&envelope).write(stream.get_mut(), "close")
}

/// The answer that nobody is known.
pub fn nobody(question: &FindCandidatesQuery) -> FindCandidatesResponse {
    FindCandidatesResponse::to(
        question,
        InstanceId::new(words::new_oid()),
        "20260101120000",
    )
}

/// A patient of the community `home` (an OID).
pub fn candidate(home: &str, id: PatientId, person: Person) -> Candidate {
    Candidate {
        ids: vec![id],
        person,
        without: Vec::new(),
        degree: Some(88),
        custodian: Custodian {
            id: InstanceId::new(home),
            locator: None,
        },
    }
}
