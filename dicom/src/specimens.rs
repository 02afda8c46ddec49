//! Specimens that an object shows, and what they are in (Specimen module, PS3.3 section C.7.6.22).
//!
//! Their identifiers become reference ids of the document that lists the object, so that whoever
//! knows a specimen finds its images by the framework's own query.

#[cfg(test)]
mod tests;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};
use xds_schemas::metadata::ReferenceId;
use xds_schemas::metadata::hl7;

use crate::instance::{CodedConcept, concepts};
use crate::text::CharacterSet;
use crate::uid::Uid;
use crate::walk::{DataSet, Part10};

/// One object names at most this many specimens and containers; more are passed over.
pub const MAX_SPECIMENS: usize = 500;

/// A specimen, or a container whose content is not described.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specimen {
    /// Specimen Identifier (0040,0551).
    pub identifier: Option<Identifier>,
    /// Specimen UID (0040,0554).
    pub uid: Option<String>,
    /// Container Identifier (0040,0512) of the slide or block that it is in.
    pub container: Option<Identifier>,
    /// Other identifiers of the container (0040,0515).
    pub other_containers: Vec<Identifier>,
    /// Specimen Type Code Sequence (0040,059A).
    pub kind: Option<CodedConcept>,
    /// Primary Anatomic Structure Sequence (0008,2228): where it was taken.
    pub taken_from: Vec<CodedConcept>,
}

/// An identifier, and who gave it if the file says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identifier {
    /// As the laboratory writes it.
    pub id: String,
    /// Universal Entity ID of the issuer (0040,0032), if that is an OID.
    pub issuer_oid: Option<String>,
    /// Local Namespace Entity ID of the issuer (0040,0031).
    pub issuer_name: Option<String>,
}

/// The specimens that a file names which was walked whole.
pub fn read(file: &Part10) -> Vec<Specimen> {
    let data = &file.data;
    let set = CharacterSet::of(data);
    let container = identifier(
        data,
        tags::CONTAINER_IDENTIFIER,
        tags::ISSUER_OF_THE_CONTAINER_IDENTIFIER_SEQUENCE,
        &set,
    );
    let other_containers: Vec<_> = data
        .items(tags::ALTERNATE_CONTAINER_IDENTIFIER_SEQUENCE)
        .iter()
        .filter_map(|item| {
            let issuer = tags::ISSUER_OF_THE_CONTAINER_IDENTIFIER_SEQUENCE;
            identifier(item, tags::CONTAINER_IDENTIFIER, issuer, &set)
        })
        .take(MAX_SPECIMENS)
        .collect();
    let described = |item: &DataSet| {
        let specimen = specimen(item, &set);
        (specimen.identifier.is_some() || specimen.uid.is_some()).then_some(specimen)
    };
    let descriptions = data.items(tags::SPECIMEN_DESCRIPTION_SEQUENCE).iter();
    let mut specimens: Vec<_> = descriptions
        .filter_map(described)
        .take(MAX_SPECIMENS)
        .collect();
    let contained = container.is_some() || !other_containers.is_empty();
    if specimens.is_empty() && contained {
        specimens.push(Specimen::default());
    }
    // All specimens of an object are in one container.
    for (at, specimen) in specimens.iter_mut().enumerate() {
        specimen.container.clone_from(&container);
        if at == 0 {
            specimen.other_containers.clone_from(&other_containers);
        }
    }
    specimens
}

/// The reference ids of a document that shows these specimens, each once.
pub fn reference_ids<'a>(specimens: impl IntoIterator<Item = &'a Specimen>) -> Vec<ReferenceId> {
    let mut ids: Vec<ReferenceId> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for id in specimens.into_iter().flat_map(Specimen::reference_ids) {
        if known.insert(id.clone()) {
            ids.push(id);
        }
    }
    ids
}

impl Specimen {
    /// The reference ids by which a document of this specimen is found.
    pub fn reference_ids(&self) -> Vec<ReferenceId> {
        let by_identifier = self
            .identifier
            .iter()
            .map(|it| it.reference(ReferenceId::specimen(&it.id, it.issuer_oid.as_deref())));
        let by_uid = self.uid.iter().map(ReferenceId::specimen_uid);
        let by_container = self
            .container
            .iter()
            .chain(&self.other_containers)
            .map(|it| it.reference(ReferenceId::container(&it.id, it.issuer_oid.as_deref())));
        by_identifier.chain(by_uid).chain(by_container).collect()
    }
}

impl Identifier {
    /// `id`, whose authority is the issuer's name if it has no OID (CXi.4 may be a namespace alone).
    fn reference(&self, id: ReferenceId) -> ReferenceId {
        let name = self.issuer_name.as_deref().map(hl7::escape);
        ReferenceId {
            authority: id.authority.or(name),
            ..id
        }
    }
}

fn specimen(item: &DataSet, set: &CharacterSet) -> Specimen {
    let uid = item.ascii(tags::SPECIMEN_UID);
    Specimen {
        identifier: identifier(
            item,
            tags::SPECIMEN_IDENTIFIER,
            tags::ISSUER_OF_THE_SPECIMEN_IDENTIFIER_SEQUENCE,
            set,
        ),
        uid: uid.filter(|uid| Uid::parse(uid).is_ok()),
        kind: concepts(item.items(tags::SPECIMEN_TYPE_CODE_SEQUENCE), set).pop(),
        taken_from: concepts(item.items(tags::PRIMARY_ANATOMIC_STRUCTURE_SEQUENCE), set),
        ..Specimen::default()
    }
}

/// An identifier with its issuer (HL7 v2 Hierarchic Designator macro, PS3.3 section 10.14).
fn identifier(data: &DataSet, id: Tag, issuer: Tag, set: &CharacterSet) -> Option<Identifier> {
    let issuer = data.items(issuer).first();
    Some(Identifier {
        id: set.text(data, id)?,
        issuer_oid: issuer.and_then(crate::instance::universal_entity_oid),
        issuer_name: issuer.and_then(|it| set.text(it, tags::LOCAL_NAMESPACE_ENTITY_ID)),
    })
}
