//! A permitted request, as far as it says how it is to be answered.

use hilum_audit::Parties;
use hilum_security::Caller;
use hilum_transport::rest::Accept;
use hilum_transport::{PermittedRequest, Reply};

use super::DICOM_WEB;
use super::refused::Refused;
use crate::imaging::Room;

/// Who asks, and how the answer may look.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) caller: Caller,
    pub(super) parties: Parties,
    /// What stands before `/studies`.
    pub(super) base: String,
    /// What follows the question mark, but for `accept`.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) accept: Accept,
    /// The header `Range`.
    pub(super) range: Option<String>,
    /// Whether the answer may be compressed.
    pub(super) gzip: bool,
}

impl Asked {
    pub(super) fn of(room: &Room, request: &PermittedRequest) -> Result<Self, Refused> {
        let request = request.request();
        let mut parameters = request.parameters()?;
        // What the URL says counts more than the header, which browsers write (PS3.18 8.3.3.1).
        let in_url: Vec<String> = parameters
            .extract_if(.., |(name, _)| name == "accept")
            // In a URL, a plus sign is a space unless it is encoded; media types have none.
            .map(|(_, value)| value.replace("dicom ", "dicom+"))
            .collect();
        let wanted = match in_url.is_empty() {
            true => request.header("accept"),
            false => Some(in_url.join(",")),
        };
        let mut accept = Accept::parse(wanted.as_deref().unwrap_or("*/*"));
        if accept.is_empty() && wanted.is_none_or(|wanted| wanted.trim().is_empty()) {
            accept = Accept::parse("*/*");
        }
        let encodings = request.header("accept-encoding").unwrap_or_default();
        let gzip = encodings.split(',').any(|encoding| {
            let (name, weight) = encoding.split_once(';').unwrap_or((encoding, ""));
            let unwanted = weight.replace(' ', "").starts_with("q=0")
                && !weight.contains(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
            name.trim().eq_ignore_ascii_case("gzip") && !unwanted
        });
        Ok(Self {
            caller: request.caller().clone(),
            parties: Parties::answered(request.caller(), request.endpoint()),
            base: match &room.config.web_url {
                Some(url) => url.trim_end_matches('/').to_owned(),
                None => format!("{}/{DICOM_WEB}", request.origin()),
            },
            parameters,
            accept,
            range: request.header("range"),
            gzip,
        })
    }

    /// The value of a parameter that may be there once.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Makes sure that DICOM JSON is wanted, or at least JSON.
    pub(super) fn takes_json(&self) -> Result<(), Refused> {
        let takes = |essence| self.accept.quality(essence) > 0;
        match takes("application/dicom+json") || takes("application/json") {
            true => Ok(()),
            false => Err(Refused::new(
                406,
                "this can be given as application/dicom+json only",
            )),
        }
    }

    /// A header that warns of something, in the words of PS3.18.
    pub(super) fn warning(&self, reply: Reply, text: &str) -> Reply {
        reply.and_header("warning", &format!("299 {} \"{text}\"", self.base))
    }
}
