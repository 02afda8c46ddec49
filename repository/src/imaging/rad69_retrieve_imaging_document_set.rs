//! RAD-69 Retrieve Imaging Document Set: give instances.
//!
//! Asked by Imaging Document Consumers and by gateways; answered by the Imaging Document Source.
//! Instances go from their files to the connection, or from the archive in which they are. One that
//! cannot be given does not keep the others back; one that breaks off in an archive after the answer
//! has begun breaks the answer off. An instance is given as it is stored if the consumer reads that
//! transfer syntax; otherwise it is converted without loss to one that it reads, if that is possible.
//! <https://www.ihe.net/resources/technical_frameworks/#radiology> (RAD TF-2: 4.69)

mod recorded;

use std::collections::HashMap;
use std::sync::Arc;

use hilum_audit::{Parties, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{Part, PartSource, Reply};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, DocumentResponse, RetrieveDocumentSetResponse,
};
use xds_schemas::mtom::Content;
use xds_schemas::rad68_provide_and_register_imaging_document_set::MIME_TYPE;
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest,
};
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use super::Room;
use super::access::Guard;
use super::archives::NotGiven;
use super::cache::Loaded;
use super::place::{self, Giving, Here, ToGive, Tried};
use crate::failure;
use hilum_dicom::Uid;
use hilum_dicom::scan::StoredInstance;

use recorded::Told;

/// Gives the instances that are here, and an error for each that is not.
pub(super) async fn answer(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    request: RetrieveImagingDocumentSetRequest,
) -> Result<Recorded<Reply>, Fault> {
    let here = Arc::clone(room);
    let guard = Guard::of(room, caller, Permission::Retrieve);
    let by = guard.clone();
    // Looking up reads the index.
    let looked = move || looked_up(&here, &request, by.as_deref());
    let looked = tokio::task::spawn_blocking(looked).await;
    let lost = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "looking up instances was lost");
        Fault::receiver("the instances could not be looked up")
    };
    let looked = looked.map_err(|error| lost(&error))?;
    let found = looked.iter().filter_map(|it| it.found.as_ref().ok());
    let found = found.cloned().collect();
    let opened = place::open(room, found).await;
    let opened = opened.map_err(|error| lost(&format!("{error:#}")))?;
    let giving = looked.iter().filter_map(|it| it.found.as_ref().ok());
    let giving: Vec<ToGive> = giving.cloned().collect();
    // Trying to decode takes time.
    let opened = tokio::task::spawn_blocking(move || in_wanted_syntaxes(&giving, opened)).await;
    let opened = opened.map_err(|error| lost(&error))?;
    let found = Found::of(room, looked, opened);
    let parties = Parties::answered(caller, endpoint);
    let event = found
        .told
        .event(&parties, &found.response.registry_response);
    let event = Guard::with_alerts(guard.as_ref(), event);
    let mut writer = Writer::with_capacity(1024 + 512 * found.parts.len());
    found.response.to_xml(&mut writer);
    let reply = Reply::mtom::<RetrieveImagingDocumentSet>(writer.finish(), found.parts);
    Ok(room.audit.record(event, reply).await?)
}

/// What is answered, sent and recorded.
struct Found {
    response: RetrieveDocumentSetResponse,
    parts: Vec<Part>,
    told: Told,
}

impl Found {
    /// `opened` are those that were found, in their order.
    fn of(room: &Room, looked: Vec<Looked>, opened: Vec<Result<PartSource, NotGiven>>) -> Self {
        let mut found = Self {
            response: RetrieveDocumentSetResponse {
                registry_response: RegistryResponse::success(Vec::new()),
                documents: Vec::new(),
            },
            parts: Vec::new(),
            told: Told::of(room),
        };
        let mut opened = opened.into_iter();
        for looked in looked {
            let Looked {
                study,
                asked,
                patient,
                place,
                found: instance,
            } = looked;
            let given = instance.and_then(|instance| match opened.next() {
                Some(Ok(source)) => Ok((instance, source)),
                Some(Err(not_given)) => Err(refused(&not_given, &place)),
                None => Err(refuse(format!("{place}: it was lost"))),
            });
            match given {
                Ok((instance, source)) => {
                    let class = instance.stored.sop_class_uid.as_str();
                    found.told.given(patient, &study, &asked, class);
                    found.give(&asked, source);
                }
                Err(error) => {
                    found.told.missing(patient, &study, &asked);
                    let at = error.at(asked.document_unique_id.as_str());
                    found.response.registry_response.errors.push(at);
                }
            }
        }
        found.response.registry_response.status = match (
            found.parts.is_empty(),
            found.response.registry_response.errors.is_empty(),
        ) {
            (_, true) => ResponseStatus::Success,
            (false, false) => ResponseStatus::PartialSuccess,
            (true, false) => ResponseStatus::Failure,
        };
        found
    }

    fn give(&mut self, asked: &DocumentRequest, source: PartSource) {
        let content_id = format!("instance-{}@hilum", self.parts.len() + 1);
        self.response.documents.push(DocumentResponse {
            home_community_id: asked.home_community_id.clone(),
            repository_unique_id: asked.repository_unique_id.clone(),
            document_unique_id: asked.document_unique_id.clone(),
            new_repository_unique_id: None,
            new_document_unique_id: None,
            mime_type: MIME_TYPE.to_owned(),
            content: Content::Include(content_id.clone()),
        });
        self.parts.push(Part {
            content_id,
            content_type: MIME_TYPE.to_owned(),
            source,
        });
    }
}

/// An instance that was asked for, and what the index knows of it.
struct Looked {
    /// Its study, as it was asked for.
    study: String,
    asked: DocumentRequest,
    patient: Option<String>,
    /// Study, series and instance as they were asked for, for error texts.
    place: String,
    found: Result<ToGive, RegistryError>,
}

fn looked_up(
    room: &Room,
    request: &RetrieveImagingDocumentSetRequest,
    guard: Option<&Guard>,
) -> Vec<Looked> {
    let mut looking = Looking {
        room,
        guard,
        transfer_syntaxes: request.transfer_syntax_uids.clone().into(),
        studies: HashMap::new(),
    };
    let mut all = Vec::new();
    for (study, series, asked) in request.instances() {
        let found = looking.instance(study, series, asked);
        all.push(Looked {
            study: study.to_owned(),
            asked: asked.clone(),
            patient: looking.patient(study),
            place: format!("{study}:{series}:{}", asked.document_unique_id),
            found,
        });
    }
    all
}

/// What one request needs while its instances are looked up.
struct Looking<'a> {
    room: &'a Room,
    /// Who says what may be had; nobody if that is everything.
    guard: Option<&'a Guard>,
    transfer_syntaxes: Arc<[String]>,
    /// By Study Instance UID as it was asked for: the study, if it is here.
    studies: HashMap<&'a str, Result<Option<Arc<Loaded>>, RegistryError>>,
}

impl<'a> Looking<'a> {
    /// An instance that can be given, or why it cannot. The codes are those that ITI-43 has for
    /// the like, since RAD TF-2 names none of its own; `codeContext` says which instance is meant.
    fn instance(
        &mut self,
        study: &'a str,
        series: &str,
        asked: &DocumentRequest,
    ) -> Result<ToGive, RegistryError> {
        let here = &self.room.config.repository_unique_id;
        let sop = asked.document_unique_id.as_str();
        if asked.repository_unique_id != *here {
            let context = format!(
                "{} is not the repositoryUniqueId of this imaging source",
                asked.repository_unique_id
            );
            return Err(RegistryError::error(
                ErrorCode::UnknownRepositoryId,
                context,
            ));
        }
        if study.is_empty() || series.is_empty() {
            let context =
                format!("{study}:{series}:{sop}: Study and Series Instance UID are needed");
            return Err(refuse(context));
        }
        let syntaxes = Arc::clone(&self.transfer_syntaxes);
        let nothing = || {
            let context = format!("{study}:{series}:{sop}: there is no such instance here");
            RegistryError::error(ErrorCode::DocumentUniqueIdError, context)
        };
        let loaded = self.study(study)?.ok_or_else(nothing)?;
        let uid = Uid::parse(sop).map_err(|_| nothing())?;
        let (of_series, instance) = loaded.find(&uid).ok_or_else(nothing)?;
        if of_series.uid.as_str() != series {
            return Err(nothing());
        }
        is_readable(instance, &syntaxes)
            .map_err(|problem| refuse(format!("{study}:{series}:{sop}: {problem}")))?;
        Ok(ToGive {
            study: loaded.indexed.study.uid.clone(),
            series: of_series.uid.clone(),
            stored: instance.clone(),
            patient: loaded.indexed.patient_id.clone(),
            syntaxes: Arc::clone(&self.transfer_syntaxes),
        })
    }

    /// The patient of a study that was looked up, as CX.
    fn patient(&self, study: &str) -> Option<String> {
        let loaded = self.studies.get(study)?.as_ref().ok()?.as_ref()?;
        loaded.indexed.patient_id.clone()
    }

    fn study(&mut self, uid: &'a str) -> Result<Option<Arc<Loaded>>, RegistryError> {
        let (room, guard) = (self.room, self.guard);
        let may = |loaded: &Arc<Loaded>| guard.is_none_or(|guard| guard.gives(loaded));
        let read = || match Uid::parse(uid) {
            Ok(uid) => room
                .studies
                .study(&uid)
                .map(|loaded| loaded.filter(may))
                .map_err(|error| failure::internal(&error)),
            Err(_) => Ok(None),
        };
        self.studies.entry(uid).or_insert_with(read).clone()
    }
}

/// Whether an instance can be given in a transfer syntax that the request names.
fn is_readable(instance: &StoredInstance, syntaxes: &[String]) -> Result<(), String> {
    let stored = instance.transfer_syntax_uid.as_str();
    if syntaxes.is_empty() {
        return Err("the request names no transfer syntax".to_owned());
    }
    if place::chosen(stored, syntaxes).is_none() {
        return Err(format!(
            "it is stored in transfer syntax {stored}, and cannot be given without loss in one that \
             the request names"
        ));
    }
    Ok(())
}

/// Converts files that are stored in another transfer syntax than the request names, while they are
/// sent. Whether that is possible is tried before, see [`Tried`], so that it can still be said.
fn in_wanted_syntaxes(
    instances: &[ToGive],
    opened: Vec<Result<Giving, NotGiven>>,
) -> Vec<Result<PartSource, NotGiven>> {
    let mut tried = Tried::default();
    let pairs = instances.iter().zip(opened);
    let convert = |(instance, giving): (&ToGive, Result<Giving, NotGiven>)| {
        let stored = instance.stored.transfer_syntax_uid.as_str();
        match giving? {
            Giving::File(path, length)
                if place::chosen(stored, &instance.syntaxes) != Some(stored) =>
            {
                tried.convert(instance, Here::File(path, length))
            }
            giving => Ok(giving.into_source()),
        }
    };
    pairs.map(convert).collect()
}

/// What an archive says it does not have is not there; the rest is trouble.
fn refused(not_given: &NotGiven, place: &str) -> RegistryError {
    let context = format!("{place}: {}", not_given.reason);
    match not_given.gone {
        true => RegistryError::error(ErrorCode::DocumentUniqueIdError, context),
        false => refuse(context),
    }
}

fn refuse(context: String) -> RegistryError {
    RegistryError::error(ErrorCode::RepositoryError, context)
}
