//! Who may hand in what: with rules, each document entry of a submission is decided before any of its
//! documents is taken from the connection (`docs/access.md`). A submission is admitted whole or not at all,
//! and whoever hands in what may not be handed in is told no more than that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_security::access::{
    Access as Rules, Asking, Consent, Decision, Described, Level, NotAdmitted, Policy,
};
use hilum_security::{Caller, Permission};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{HomeCommunityId, Submission};

use crate::consents::Consents;
use crate::failure::Failure;

/// Where somebody hands something in.
#[derive(Debug)]
pub(crate) struct Door<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) home: Option<&'a HomeCommunityId>,
    /// Whom to ask what patients wished; nobody, if nobody here knows.
    pub(crate) consents: Option<Consents>,
}

/// What decides in one call.
struct Admission<'a> {
    policy: Arc<Policy>,
    asking: Asking<'a>,
    consents: Option<Consents>,
    known: HashMap<String, Arc<[Consent]>>,
}

impl Door<'_> {
    /// Whether a caller may hand in a submission. Gives what is alarming about it.
    ///
    /// # Errors
    /// If it may not, and if it cannot be found out.
    pub(crate) async fn admit(
        self,
        caller: &Caller,
        submission: &Submission,
        now: SystemTime,
    ) -> Result<Option<Event>, Failure> {
        let Some(policy) = self.rules.policy() else {
            return Ok(None);
        };
        let asking = Asking {
            caller,
            permission: Permission::Provide,
            now,
        };
        let decision = policy.decide_for_all(&asking);
        if decision.is_some_and(|it| it.level == Level::Full && !it.glass_broken) {
            return Ok(None);
        }
        let mut admission = Admission {
            policy,
            asking,
            consents: self.consents,
            known: HashMap::new(),
        };
        let home = self.home.map(ToString::to_string);
        let mut alerts: Option<Event> = None;
        for document in documents(submission, home.as_deref()) {
            let decision = admission.decide(&document).await?;
            NotAdmitted::unless_full(asking.permission, &decision)
                .map_err(|refused| refused.told(caller))?;
            if decision.glass_broken {
                let alert = alert(caller, &document, &decision);
                alerts = Some(match alerts {
                    Some(alerts) => alerts.and(alert),
                    None => alert,
                });
            }
        }
        Ok(alerts)
    }
}

/// What is handed in, as rules look at it. Of what has no documents, nothing is known but its patient.
fn documents(submission: &Submission, home: Option<&str>) -> Vec<Described> {
    let entries = submission.document_entries.iter();
    let mut documents: Vec<Described> = entries.map(Described::of).collect();
    if documents.is_empty() {
        documents.push(Described::default());
    }
    let patient = submission.submission_set.patient_id.as_ref();
    for document in &mut documents {
        // It is going to lie here, whatever is said of it.
        if let Some(home) = home {
            document.home_community_id = Some(home.to_owned());
        }
        if document.patient_id.is_none() {
            document.patient_id = patient.map(ToString::to_string);
        }
    }
    documents
}

impl Admission<'_> {
    async fn decide(&mut self, document: &Described) -> Result<Decision, Failure> {
        if let Some(decision) = self.policy.decide_without_consents(&self.asking, document) {
            return Ok(decision);
        }
        let consents = match document.patient_id.as_deref() {
            Some(patient) => self.consents_of(patient).await?,
            None => [].into(),
        };
        Ok(self.policy.decide(&self.asking, document, &consents))
    }

    async fn consents_of(&mut self, patient: &str) -> Result<Arc<[Consent]>, Failure> {
        if let Some(known) = self.known.get(patient) {
            return Ok(Arc::clone(known));
        }
        // Whoever is not permitted whatever patients wish is told so before; this is an operator's matter.
        let unknown = || {
            let context =
                "the registry did not answer, so it cannot be decided what may be handed in";
            RegistryError::error(ErrorCode::RegistryNotAvailable, context)
        };
        let Some(asked) = &self.consents else {
            tracing::error!(
                "rules for handing in depend on consents, and there is no registry to ask for them"
            );
            return Err(unknown().into());
        };
        let found = asked.find(patient).await.map_err(|error| {
            tracing::error!(%error, "what a patient wished is not known, so nothing is taken");
            unknown()
        })?;
        let found: Arc<[Consent]> = found.into();
        self.known.insert(patient.to_owned(), Arc::clone(&found));
        Ok(found)
    }
}

fn alert(caller: &Caller, document: &Described, decision: &Decision) -> Event {
    tracing::warn!(
        rule = &*decision.rule,
        "the glass is broken: a document is handed in in an emergency"
    );
    let user = caller.user.as_deref();
    let reason = user.and_then(|user| user.reason.as_deref());
    let ids: Vec<&str> = document.unique_id.as_deref().into_iter().collect();
    let patient = document.patient_id.as_deref();
    Event::emergency_access(caller, patient, &ids, reason.unwrap_or_default())
}
