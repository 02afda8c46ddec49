//! What is recorded of what was fed to the Audit Record Repository and not taken.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::event::happenings::{SECURITY_ALERT, happened, object};
use crate::event::message::Coded;
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const USE_OF_RESTRICTED_FUNCTION: Coded = Coded::dcm("110132", "Use of Restricted Function");
const URI: Coded = Coded::rfc3881("12", "URI");
/// Bytes of what was sent that are recorded.
const CONTENT: usize = 256 * 1024;

impl Event {
    /// An event that somebody fed was refused. What was sent is in the record, in base64, or its
    /// beginning and what identifies it.
    pub fn feed_refused(parties: &Parties, reason: &str, content: &[u8]) -> Self {
        let hash: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut subject = object("13", &format!("urn:hilum:sha256:{hash}"), URI);
        let beginning = &content[..content.len().min(CONTENT)];
        subject.details = vec![
            ("Alert Description", reason.to_owned()),
            ("Refused Length", content.len().to_string()),
            ("Refused Content", BASE64.encode(beginning)),
        ];
        happened(
            SECURITY_ALERT,
            "E",
            USE_OF_RESTRICTED_FUNCTION,
            &Outcome::MinorFailure(reason.to_owned()),
            parties.participants(Direction::ToResponder),
            vec![subject],
        )
    }
}
