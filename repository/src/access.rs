//! Which of the documents that are asked for the caller may have, or remove.
//!
//! What documents are, the registry knows: it is asked as a node of the infrastructure. What is not
//! given looks like what is not there, and takes the same questions.

mod referred;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_security::access::{Asking, Consent, Described, Level, Policy};
use hilum_security::{Caller, Permission};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery, Visibility};
use xds_schemas::metadata::{DocumentEntry, EntryUuid, UniqueId};

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
    /// Whether the registry did not say what documents are.
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
        for (request, found) in found.iter() {
            let came_with = found.as_ref().ok().and_then(|it| it.came_with.as_ref());
            may.push(
                match decisive(&entries, &request.document_unique_id, came_with) {
                    Some(entries) => self.may_have(entries).await,
                    None => false,
                },
            );
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
        if let Some(entries) = self.ask(Names::UniqueIds(ids.clone())).await {
            return entries;
        }
        // To a question about several patients the registry gives no answer.
        let mut entries = Vec::new();
        for id in ids {
            let came_with = found.iter().find_map(|(request, found)| {
                let given = found.as_ref().ok();
                let given = given.filter(|_| request.document_unique_id == id);
                given.and_then(|it| it.came_with.clone())
            });
            entries.extend(self.entries_of(id, came_with).await.unwrap_or_default());
        }
        entries
    }

    /// What the registry says of one document. If somebody else's entry has its uniqueId too, only the one
    /// with which it came is asked for; `None` if that is not known.
    async fn entries_of(
        &mut self,
        id: UniqueId,
        came_with: Option<EntryUuid>,
    ) -> Option<Vec<DocumentEntry>> {
        if let Some(entries) = self.ask(Names::UniqueIds(vec![id])).await {
            return Some(entries);
        }
        let came_with = came_with?;
        let entry = self.ask(Names::EntryUuids(vec![came_with.clone()])).await?;
        match entry.is_empty() {
            // There is a newer version.
            true => self.ask(Names::LogicalIds(vec![came_with])).await,
            false => Some(entry),
        }
    }

    /// What the registry says of documents; `None` if they are of several patients.
    async fn ask(&mut self, names: Names) -> Option<Vec<DocumentEntry>> {
        let visibility = match names {
            Names::LogicalIds(_) => &iti18::EVERYTHING,
            Names::EntryUuids(_) | Names::UniqueIds(_) => &iti18::USUAL,
        };
        self.ask_for(names, visibility).await
    }

    async fn ask_for(
        &mut self,
        names: Names,
        visibility: &Visibility,
    ) -> Option<Vec<DocumentEntry>> {
        let query = StoredQuery::GetDocuments(names);
        self.put((&query, visibility)).await
    }

    /// The document entries in the answer to a question, in the same way.
    async fn put(&mut self, asked: (&StoredQuery, &Visibility)) -> Option<Vec<DocumentEntry>> {
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

    /// Whether the caller may remove a document, which came with this entry if it is here. Of one that is
    /// not registered any more, it is not known what it is.
    pub(crate) async fn may_remove(&mut self, id: &UniqueId, came_with: Option<EntryUuid>) -> bool {
        let asked = self.entries_of(id.clone(), came_with.clone());
        let Some(entries) = asked.await else {
            return false;
        };
        let decisive = decisive(&entries, id, came_with.as_ref());
        let entries = decisive.into_iter().flatten();
        let mut documents: Vec<Described> = entries.map(Described::of).collect();
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
    async fn may_have(&mut self, entries: Vec<&DocumentEntry>) -> bool {
        let documents: Vec<Described> = entries.into_iter().map(Described::of).collect();
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
                // The caller is not told, since only of documents that are here it is asked.
                tracing::error!(%error, "what a patient wished is not known, so nothing is given");
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

/// The entries that decide about a document: the one with which it came, in its newest version. What others
/// registered under its uniqueId neither gives it to anybody nor hides it. All of them, if it is not known
/// any more with which it came, or if nothing came because it is made on demand; `None` if there is none.
fn decisive<'e>(
    entries: &'e [DocumentEntry],
    id: &UniqueId,
    came_with: Option<&EntryUuid>,
) -> Option<Vec<&'e DocumentEntry>> {
    let same = |one: &EntryUuid, other: &EntryUuid| one.0.eq_ignore_ascii_case(&other.0);
    let of_id = || entries.iter().filter(|it| it.unique_id == *id);
    let own: Vec<&DocumentEntry> = of_id()
        .filter(|entry| {
            came_with.is_some_and(|uuid| {
                let logical = entry.logical_id.as_ref();
                same(&entry.entry_uuid, uuid) || logical.is_some_and(|it| same(it, uuid))
            })
        })
        .collect();
    let all = match own.is_empty() {
        true => of_id().collect(),
        false => own,
    };
    (!all.is_empty()).then_some(all)
}

/// The answer for a document that is not there, and for one that may not be had.
pub(crate) fn absent(unique_id: &UniqueId) -> RegistryError {
    RegistryError::error(
        ErrorCode::DocumentUniqueIdError,
        format!("there is no document {unique_id} here"),
    )
}
