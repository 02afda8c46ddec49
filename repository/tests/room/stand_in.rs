//! A registry that does what a test tells it, and otherwise what matters to a repository.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hilum_security::Permission;
use hilum_transport::{Call, Incoming, Limits, Reply};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xds_schemas::codes::ebrim_uuids::document_entry;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{
    AdhocQueryResponse, RegistryError, RegistryResponse, SubmitObjectsRequest,
};
use xds_schemas::iti18_registry_stored_query::{Names, RegistryStoredQuery, StoredQuery};
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::metadata::DocumentEntry;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;

/// What to answer to the next ITI-42.
pub(crate) enum Say {
    /// Registered, with these remarks.
    Success(Vec<RegistryError>),
    /// Refused, for these reasons.
    Failure(Vec<RegistryError>),
    /// Registered, and then a fault.
    RegisteredAndFault,
    /// Refused as a message.
    SenderFault,
}

#[derive(Default)]
pub(crate) struct StandIn {
    /// Answers for the next submissions; [`Say::Success`] when there are none.
    pub(crate) script: Mutex<VecDeque<Say>>,
    /// How long each ITI-42 takes before it is carried out, and after that.
    pub(crate) delays: Mutex<(Duration, Duration)>,
    /// Every submission that came.
    pub(crate) submissions: Mutex<Vec<SubmitObjectsRequest>>,
    /// What is registered, by entryUUID.
    pub(crate) registered: Mutex<HashMap<String, RegistryObject>>,
    /// Hashes by uniqueId.
    hashes: Mutex<HashMap<String, Option<String>>>,
    /// How many times it was asked what it knows.
    pub(crate) questions: Mutex<usize>,
    /// Answers to that with a failure.
    pub(crate) confused: Mutex<bool>,
}

impl StandIn {
    pub(crate) async fn serve(self: Arc<Self>) -> (u16, JoinHandle<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes = move |incoming| {
            let registry = Arc::clone(&self);
            async move { registry.routes(incoming).await }
        };
        let limits = Limits::default();
        let serving =
            hilum_transport::serve(listener, None, limits, routes, std::future::pending());
        (port, tokio::spawn(serving))
    }

    pub(crate) fn say(&self, say: Say) {
        self.script.lock().unwrap().push_back(say);
    }

    /// What the repository sent last.
    pub(crate) fn last_entries(&self) -> Vec<DocumentEntry> {
        let submissions = self.submissions.lock().unwrap();
        let objects = &submissions.last().unwrap().objects.objects;
        entries(objects).collect()
    }

    async fn routes(&self, incoming: Incoming) -> Reply {
        let call = match incoming {
            Incoming::Call(call) => call,
            // It keeps no consents.
            Incoming::Get(_) | Incoming::Request(_) => return Reply::empty(404),
            Incoming::Refused(_) => panic!("the repository sends what can be read"),
        };
        let answered = match call.action() {
            RegisterDocumentSet::ACTION => self.register(call).await,
            RegistryStoredQuery::ACTION => self.query(call),
            other => Err(Fault::action_not_supported(other)),
        };
        answered.unwrap_or_else(|fault| Reply::fault(&fault))
    }

    async fn register(&self, call: Call) -> Result<Reply, Fault> {
        let call = call.permitted(Permission::Register)?;
        let (_, request, _) = call.read::<RegisterDocumentSet>()?;
        let (before, after) = *self.delays.lock().unwrap();
        tokio::time::sleep(before).await;
        let answered = self.judge(request);
        tokio::time::sleep(after).await;
        answered
    }

    fn judge(&self, request: SubmitObjectsRequest) -> Result<Reply, Fault> {
        let say = self.script.lock().unwrap().pop_front();
        self.submissions.lock().unwrap().push(request.clone());
        let say = say.unwrap_or(Say::Success(Vec::new()));
        if let Say::Failure(errors) = say {
            let response = RegistryResponse::failure(errors);
            return Ok(Reply::of::<RegisterDocumentSet>(&response));
        }
        if let Say::SenderFault = say {
            return Err(Fault::sender("as asked"));
        }
        let mut hashes = self.hashes.lock().unwrap();
        for entry in entries(&request.objects.objects) {
            let known = hashes
                .entry(entry.unique_id.0)
                .or_insert(entry.hash.clone());
            if *known != entry.hash {
                let error = RegistryError::error(ErrorCode::NonIdenticalHash, "differs");
                let response = RegistryResponse::failure(vec![error]);
                return Ok(Reply::of::<RegisterDocumentSet>(&response));
            }
        }
        let mut registered = self.registered.lock().unwrap();
        for object in request.objects.objects {
            assert!(object.id.starts_with("urn:uuid:"), "{}", object.id);
            registered.insert(object.id.clone(), object);
        }
        match say {
            Say::Success(warnings) => {
                let response = RegistryResponse::success(warnings);
                Ok(Reply::of::<RegisterDocumentSet>(&response))
            }
            _ => Err(Fault::receiver("as asked")),
        }
    }

    fn query(&self, call: Call) -> Result<Reply, Fault> {
        let call = call.permitted(Permission::Query)?;
        let (_, request, _) = call.read::<RegistryStoredQuery>()?;
        *self.questions.lock().unwrap() += 1;
        let query = StoredQuery::read(&request).unwrap();
        let mut response = AdhocQueryResponse {
            status: ResponseStatus::Success,
            errors: Vec::new(),
            objects: Vec::new(),
        };
        if *self.confused.lock().unwrap() {
            response.status = ResponseStatus::Failure;
            let error = RegistryError::error(ErrorCode::RegistryBusy, "as asked");
            response.errors.push(error);
        } else {
            let registered = self.registered.lock().unwrap();
            let found = registered.values().filter(|object| answers(object, &query));
            response.objects.extend(found.cloned());
        }
        Ok(Reply::of::<RegistryStoredQuery>(&response))
    }
}

/// Whether an object is part of the answer, as far as a repository asks.
fn answers(object: &RegistryObject, query: &StoredQuery) -> bool {
    match query {
        StoredQuery::GetDocuments(Names::EntryUuids(ids)) => {
            ids.iter().any(|id| id.as_str() == object.id)
        }
        StoredQuery::GetDocuments(Names::UniqueIds(ids)) => {
            let unique_id = object.external_identifier(document_entry::UNIQUE_ID);
            ids.iter().any(|id| unique_id == Some(id.as_str()))
        }
        StoredQuery::FindDocuments(find) => {
            let mut types = find.filter.entry_types.iter();
            types.any(|wanted| object.object_type.as_deref() == Some(wanted.as_str()))
        }
        // There is one submission with whatever is asked for.
        StoredQuery::GetSubmissionSets(_) => !matches!(object.body, Body::ExtrinsicObject { .. }),
        other => panic!("another query than expected: {other:?}"),
    }
}

pub(crate) fn entries(objects: &[RegistryObject]) -> impl Iterator<Item = DocumentEntry> {
    let documents = objects
        .iter()
        .filter(|object| matches!(object.body, Body::ExtrinsicObject { .. }));
    documents.map(|object| DocumentEntry::from_ebrim(object).unwrap())
}
