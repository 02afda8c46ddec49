//! Which of the documents that are asked for the caller may have, or remove.
//!
//! What documents are, the registry knows: it is asked as a node of the infrastructure. What is not
//! given looks like what is not there, and takes the same questions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_security::access::{Asking, Consent, Described, Level, Policy};
use hilum_security::{Caller, Permission};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::{DocumentEntry, UniqueId};

use crate::Room;
use crate::consents::Consents;
use crate::iti18_registry_stored_query::{self as iti18, Silence};
use crate::iti43_retrieve_document_set::Found;

/// What one caller may have.
pub(crate) struct Guard<'a> {
    room: &'a Room,
    policy: Arc<Policy>,
    caller: &'a Caller,
    now: SystemTime,
    consents: HashMap<String, Arc<[Consent]>>,
    /// Whether the registry did not tell something that was needed.
    in_the_dark: bool,
    /// What the registry was asked, and what is alarming.
    events: Vec<Event>,
}

impl<'a> Guard<'a> {
    /// Nobody, if there is nothing to be decided document by document because the caller may have all.
    pub(crate) fn of(
        room: &'a Room,
        (caller, permission): (&'a Caller, Permission),
        now: SystemTime,
    ) -> Option<Self> {
        let policy = room.config.access.policy()?;
        let guard = Self {
            room,
            policy,
            caller,
            now,
            consents: HashMap::new(),
            in_the_dark: false,
            events: Vec::new(),
        };
        let for_all = guard.policy.decide_for_all(&guard.asking(permission));
        match for_all {
            Some(it) if it.level == Level::Full && !it.glass_broken => None,
            _ => Some(guard),
        }
    }

    fn asking(&self, permission: Permission) -> Asking<'a> {
        Asking {
            caller: self.caller,
            permission,
            now: self.now,
        }
    }

    /// Takes back what the caller may not have. Gives whether each may be made on demand.
    pub(crate) async fn withhold(&mut self, found: &mut [Found]) -> Vec<bool> {
        let entries = self.entries(found).await;
        let mut may = Vec::with_capacity(found.len());
        for (request, _) in found.iter() {
            let own = entries.iter();
            let own = own.filter(|it| it.unique_id == request.document_unique_id);
            may.push(self.may_have(own).await);
        }
        for ((request, found), may) in found.iter_mut().zip(&may) {
            let here = request.repository_unique_id == self.room.config.repository_unique_id;
            if *may || !here {
                continue;
            }
            let id = &request.document_unique_id;
            let error = match self.in_the_dark {
                false => absent(id),
                // Whether they are here or not.
                true => RegistryError::error(
                    ErrorCode::RepositoryError,
                    format!("whether {id} may be given cannot be decided now"),
                ),
            };
            *found = Err(error.at(id.as_str()));
        }
        may
    }

    /// What the registry says of the documents.
    async fn entries(&mut self, found: &[Found]) -> Vec<DocumentEntry> {
        let mut ids: Vec<UniqueId> = Vec::new();
        for (request, _) in found {
            let here = request.repository_unique_id == self.room.config.repository_unique_id;
            if here && !ids.contains(&request.document_unique_id) {
                ids.push(request.document_unique_id.clone());
            }
        }
        if ids.is_empty() {
            return Vec::new();
        }
        match self.ask(ids.clone()).await {
            Some(entries) => entries,
            // To a question about several patients the registry gives no answer.
            None => {
                let mut entries = Vec::new();
                for id in ids {
                    entries.extend(self.ask(vec![id]).await.unwrap_or_default());
                }
                entries
            }
        }
    }

    /// What the registry says of documents; `None` if they are of several patients.
    async fn ask(&mut self, ids: Vec<UniqueId>) -> Option<Vec<DocumentEntry>> {
        let query = StoredQuery::GetDocuments(Names::UniqueIds(ids));
        let asked = (&query, &iti18::USUAL);
        let (objects, event) = iti18::send(self.room.registry(), None, asked, &[]).await;
        self.events.push(event);
        let silence = match objects {
            Ok(objects) => return Some(iti18::document_entries(&objects).collect()),
            Err(silence) => silence,
        };
        if let Silence::Refused(errors) = &silence
            && errors
                .iter()
                .any(|it| it.code == ErrorCode::ResultNotSinglePatient)
        {
            return None;
        }
        tracing::error!(
            why = silence.told(),
            "what documents are is not known, so nothing of them is given"
        );
        self.in_the_dark = true;
        Some(Vec::new())
    }

    /// Whether the caller may remove a document. Of one that is not registered any more, it is not
    /// known what it is.
    pub(crate) async fn may_remove(&mut self, id: &UniqueId) -> bool {
        let Some(entries) = self.ask(vec![id.clone()]).await else {
            return false;
        };
        let mut documents: Vec<Described> = entries.iter().map(Described::of).collect();
        if documents.is_empty() {
            documents.push(Described {
                unique_id: Some(id.0.clone()),
                ..Described::default()
            });
        }
        for document in &documents {
            let decision = self.decide(Permission::Remove, document).await;
            if decision.is_none_or(|it| it.level != Level::Full) {
                return false;
            }
        }
        !self.in_the_dark
    }

    /// Whether the caller may have a document of which the registry says this. If it says several
    /// things, all of them must allow it.
    async fn may_have(&mut self, entries: impl Iterator<Item = &DocumentEntry>) -> bool {
        let documents: Vec<Described> = entries.map(Described::of).collect();
        let mut broken = Vec::new();
        for document in &documents {
            let Some(decision) = self.decide(Permission::Retrieve, document).await else {
                return false;
            };
            if decision.level < Level::Full {
                tracing::info!(rule = &*decision.rule, "a document is withheld");
                return false;
            }
            if decision.glass_broken {
                broken.push((document, decision.rule));
            }
        }
        for (document, rule) in broken {
            self.alert(document, &rule);
        }
        !documents.is_empty()
    }

    /// Those of a patient's documents of which the caller may know.
    pub(crate) async fn known(&mut self, entries: Vec<DocumentEntry>) -> Vec<DocumentEntry> {
        let mut known = Vec::new();
        for entry in entries {
            let decision = self.decide(Permission::Query, &Described::of(&entry)).await;
            if decision.is_some_and(|it| it.level >= Level::Metadata) {
                known.push(entry);
            }
        }
        known
    }

    async fn decide(
        &mut self,
        permission: Permission,
        document: &Described,
    ) -> Option<hilum_security::access::Decision> {
        let asking = self.asking(permission);
        if let Some(decision) = self.policy.decide_without_consents(&asking, document) {
            return Some(decision);
        }
        let consents = match document.patient_id.as_deref() {
            Some(patient) => self.consents_of(patient).await?,
            None => [].into(),
        };
        Some(self.policy.decide(&asking, document, &consents))
    }

    async fn consents_of(&mut self, patient: &str) -> Option<Arc<[Consent]>> {
        if let Some(known) = self.consents.get(patient) {
            return Some(Arc::clone(known));
        }
        let (client, registry) = self.room.registry();
        match Consents::of(client.clone(), registry).find(patient).await {
            Ok(consents) => {
                let consents: Arc<[Consent]> = consents.into();
                self.consents
                    .insert(patient.to_owned(), Arc::clone(&consents));
                Some(consents)
            }
            Err(error) => {
                tracing::error!(%error, "what a patient wished is not known, so nothing is given");
                self.in_the_dark = true;
                None
            }
        }
    }

    fn alert(&mut self, document: &Described, rule: &str) {
        let user = self.caller.user.as_deref();
        let reason = user
            .and_then(|user| user.reason.as_deref())
            .unwrap_or_default();
        let ids: Vec<&str> = document.unique_id.as_deref().into_iter().collect();
        let patient = document.patient_id.as_deref();
        tracing::warn!(
            rule,
            "the glass is broken: a document is given in an emergency"
        );
        let event = Event::emergency_access(self.caller, patient, &ids, reason);
        self.events.push(event);
    }

    /// What is to be recorded.
    pub(crate) fn into_events(self) -> Vec<Event> {
        self.events
    }
}

/// The answer for a document that is not there, and for one that may not be had.
pub(crate) fn absent(unique_id: &UniqueId) -> RegistryError {
    RegistryError::error(
        ErrorCode::DocumentUniqueIdError,
        format!("there is no document {unique_id} here"),
    )
}
