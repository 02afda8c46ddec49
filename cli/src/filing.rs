//! What came from elsewhere, on a medium or from a peer, is handed in to this node's repository.

mod adoption;
mod registered;

use std::path::PathBuf;

use hilum_audit::Audit;
use serde_json::{Value, json};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{PatientId, Submission};

use crate::client::Node;
use crate::domain::Domain;
use crate::refusal::{self, Refused};
use crate::submit::{self, Prepared};

/// A submission with its documents.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) submission: Submission,
    /// The file of each document entry, and its length.
    pub(crate) files: Vec<(PathBuf, u64)>,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Filed {
    /// It is registered now.
    Registered,
    /// It was registered before, with the same documents.
    Known,
    /// It cannot be registered as it is.
    Unsuitable(Vec<String>),
    /// The repository or the registry refused it.
    Refused(Refused),
}

impl Filed {
    /// In a word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Registered => "Registered",
            Self::Known => "Known",
            Self::Unsuitable(_) => "Unsuitable",
            Self::Refused(_) => "Refused",
        }
    }

    /// Whether it is registered.
    pub(crate) const fn is_registered(&self) -> bool {
        matches!(self, Self::Registered | Self::Known)
    }

    /// Why it is not registered, a line for each reason.
    pub(crate) fn reasons(&self) -> Vec<String> {
        match self {
            Self::Registered | Self::Known => Vec::new(),
            Self::Unsuitable(reasons) => reasons.clone(),
            Self::Refused(refused) => refused.to_string().lines().map(str::to_owned).collect(),
        }
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Refused(refused) => json!({ "errors": refusal::json(&refused.errors) }),
            other => json!({ "reasons": other.reasons() }),
        }
    }
}

/// Makes submissions from elsewhere those of this affinity domain.
pub(crate) struct Filing<'a> {
    pub(crate) node: &'a Node,
    pub(crate) ledger: &'a Audit,
    pub(crate) domain: &'a Domain,
    /// Who the patient is here; if nobody says it, as the submission says.
    pub(crate) patient: Option<PatientId>,
    /// Whether codes that are missing are taken from the affinity domain.
    pub(crate) complete: bool,
    /// What was taken from it.
    pub(crate) assumed: Vec<String>,
}

impl Filing<'_> {
    /// Hands a submission in by ITI-41, unless it is registered.
    pub(crate) async fn file(&mut self, mut case: Case) -> anyhow::Result<Filed> {
        self.adopt(&mut case.submission);
        if let Err(errors) = Submission::read(&case.submission.to_ebrim(), Rules::Receive) {
            let mut reasons: Vec<String> = errors.into_iter().map(|error| error.context).collect();
            if !self.complete {
                let advice = "say --complete to take what is missing from the affinity domain";
                reasons.push(advice.to_owned());
            }
            return Ok(Filed::Unsuitable(reasons));
        }
        if case.submission.submission_set.patient_id.is_none() {
            let reason = "nothing says who the patient is; say --patient";
            return Ok(Filed::Unsuitable(vec![reason.to_owned()]));
        }
        if let Some(known) = self.known(&case.submission).await? {
            return Ok(known);
        }
        self.fit_in(&mut case.submission).await?;
        let mut prepared = Prepared::default();
        prepared.request.submit.objects = case.submission.to_ebrim();
        for (entry, (path, length)) in case.submission.document_entries.iter().zip(case.files) {
            let id = entry.entry_uuid.as_str();
            prepared.attach_file(id, &entry.mime_type, path, length);
        }
        let response = submit::send(self.node, self.ledger, prepared).await?;
        if response.status == ResponseStatus::Success {
            refusal::judge(response.status, &response.errors, "")?;
            return Ok(Filed::Registered);
        }
        // Somebody else may have handed it in at the same moment.
        let taken = |error: &RegistryError| error.code == ErrorCode::DuplicateUniqueIdInRegistry;
        if response.errors.iter().any(taken)
            && let Some(known) = self.known(&case.submission).await?
        {
            return Ok(known);
        }
        Ok(Filed::Refused(Refused::new(
            "the repository refused the submission",
            response.errors,
        )))
    }
}
