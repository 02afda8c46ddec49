//! ITI-108, as far as access needs it: what patients wished, asked of the node of the registry.
//!
//! Nothing is kept from one call to the next, so that a withdrawal is heeded at once.

use hilum_security::access::{Consent, consents_of, consents_url, search_of};
use hilum_transport::{Client, HttpRequest};
use thiserror::Error;
use xds_schemas::metadata::PatientId;

/// Bytes of an answer that are taken.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Where consents are asked for.
#[derive(Debug, Clone)]
pub struct Consents {
    client: Client,
    url: String,
}

/// Nobody said what a patient wished. Says nothing about the patient.
#[derive(Debug, Error)]
#[error("{url}: {reason}")]
pub struct Unknown {
    url: String,
    reason: String,
}

impl Consents {
    /// At the node of the registry that is called at this URL.
    pub fn of(client: Client, registry: &str) -> Self {
        Self {
            client,
            url: consents_url(registry),
        }
    }

    /// All consents of a patient.
    ///
    /// # Errors
    /// If nobody tells, or something that is not understood.
    pub async fn find(&self, patient: &str) -> Result<Vec<Consent>, Unknown> {
        let unknown = |reason: String| Unknown {
            url: self.url.clone(),
            reason,
        };
        let asked = PatientId::parse(patient).map_err(|error| unknown(format!("CX {error}")))?;
        let url = format!("{}?{}", self.url, search_of(&asked));
        let request = HttpRequest {
            method: "GET",
            url: &url,
            headers: &[("accept", "application/fhir+json".to_owned())],
            body: Default::default(),
        };
        let answer = self.client.exchange_http(request, MOST_BYTES).await;
        // The text of the error has the URL, in which the patient is named.
        let answer = answer.map_err(|_| unknown("it gave no answer".to_owned()))?;
        if answer.status != 200 {
            return Err(unknown(format!(
                "it answered with status {}",
                answer.status
            )));
        }
        let mut consents = consents_of(&answer.body).map_err(|error| unknown(error.to_string()))?;
        // The registry knows under which other identifiers a patient was known, and finds those too.
        for consent in &mut consents {
            patient.clone_into(&mut consent.patient_id);
        }
        Ok(consents)
    }
}
