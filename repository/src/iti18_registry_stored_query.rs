//! ITI-18 Registry Stored Query: what the registry knows.
//!
//! Asked by this repository when it does not know what became of documents, whether documents may
//! be removed, and what there is to be said on demand; answered by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

use std::sync::Arc;

use hilum_audit::{Event, Outcome, Parties, Query};
use hilum_security::User;
use hilum_transport::{Client, ClientError};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError, ReturnType};
use xds_schemas::iti18_registry_stored_query::{
    MetadataLevel, RegistryStoredQuery, StoredQuery, Visibility,
};
use xds_schemas::metadata::DocumentEntry;
use xds_schemas::xml::{ToXml, Writer};

use crate::iti42_register_document_set::outcome;

/// Why the registry did not say what it knows.
#[derive(Debug)]
pub(crate) enum Silence {
    /// It gave no answer, so that there is no use in asking anything else.
    Away(ClientError),
    /// It did not answer this question, for these reasons.
    Refused(Vec<RegistryError>),
}

impl Silence {
    /// In a few words, for those who asked this repository. Says nothing about patients.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Away(_) => "the registry gave no answer".to_owned(),
            Self::Refused(errors) => {
                let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
                format!("the registry answered {}", codes.join(" "))
            }
        }
    }
}

/// What everybody sees.
pub(crate) const USUAL: Visibility = Visibility {
    level: MetadataLevel::One,
    association_statuses: Vec::new(),
};
/// Old versions and what is offline, too: whatever the registry knows of a document. Registries
/// without versions ignore it.
pub(crate) const EVERYTHING: Visibility = Visibility {
    level: MetadataLevel::Two,
    association_statuses: Vec::new(),
};

/// Asks for whole objects, on behalf of a person if there is one. The event is to be recorded
/// before anybody learns of the answer. `patients` are those whom it concerns, as CX.
pub(crate) async fn send(
    (client, url): (&Client, &str),
    person: Option<&Arc<User>>,
    (query, visibility): (&StoredQuery, &Visibility),
    patients: &[&str],
) -> (Result<Vec<RegistryObject>, Silence>, Event) {
    let request = query.to_visible_request(ReturnType::LeafClass, visibility);
    let answer = client.send::<RegistryStoredQuery>(url, &request, Vec::new());
    let (objects, outcome) = match answer.await {
        Ok(answer) => {
            let response = answer.response;
            let outcome = outcome(response.status, &response.errors);
            match response.status {
                ResponseStatus::Success => (Ok(response.objects), outcome),
                _ => (Err(Silence::Refused(response.errors)), outcome),
            }
        }
        Err(error) => {
            tracing::warn!(%error, "the registry did not answer ITI-18");
            let outcome = Outcome::Failure(error.to_string());
            (Err(Silence::Away(error)), outcome)
        }
    };
    let parties = Parties::asked(url).on_behalf_of(person.cloned());
    (objects, event(&parties, &request, patients, &outcome))
}

/// The document entries among what was found.
pub(crate) fn document_entries(objects: &[RegistryObject]) -> impl Iterator<Item = DocumentEntry> {
    let entry = |object| DocumentEntry::from_ebrim(object).ok();
    objects.iter().filter_map(entry)
}

fn event(
    parties: &Parties,
    request: &AdhocQueryRequest,
    patients: &[&str],
    outcome: &Outcome,
) -> Event {
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let query = Query {
        id: &request.id,
        request: &writer.finish(),
        patients,
        home_community_id: request.home.as_deref(),
    };
    Event::queried(parties, query, outcome)
}
