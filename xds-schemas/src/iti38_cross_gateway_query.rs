//! ITI-38 Cross Gateway Query: ask another community what it has.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways. The message is that of ITI-18; what
//! is answered says of each object from which community it is.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-38.html>

use crate::codes::ebrim_uuids::{document_entry, folder, submission_set};
use crate::codes::error_code::ErrorCode;
use crate::ebrim::RegistryObject;
use crate::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use crate::iti18_registry_stored_query::parameters::slot;
use crate::iti18_registry_stored_query::syntax;
use crate::metadata::{HomeCommunityId, PatientId};
use crate::transaction::Transaction;

/// ITI-38.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayQuery;

impl Transaction for CrossGatewayQuery {
    const ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayQuery";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayQueryResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = AdhocQueryRequest;
    type Response = AdhocQueryResponse;
}

/// Which communities an Initiating Gateway is to ask (ITI TF-1 18.2.6); of several values.
pub const TARGET_COMMUNITIES: &str = "$targetCommunityIdList";

/// The communities that `request` wants asked: none if it does not say.
///
/// # Errors
/// Says what is wrong with how they are written.
pub fn target_communities(
    request: &AdhocQueryRequest,
) -> Result<Vec<HomeCommunityId>, RegistryError> {
    let slots = request.slots.iter();
    let slots = slots.filter(|slot| slot.name == TARGET_COMMUNITIES);
    let mut homes = Vec::new();
    for slot in slots {
        let values = syntax::read(&slot.values).map_err(|problem| {
            let context = format!("{TARGET_COMMUNITIES}: {problem}");
            RegistryError::error(ErrorCode::RegistryError, context)
        })?;
        homes.extend(values.into_iter().map(HomeCommunityId));
    }
    Ok(homes)
}

/// The parameters that name patients: one or, for queries about several, any number.
const PATIENT_PARAMETERS: [&str; 4] = [
    slot::DE_PATIENT,
    slot::SS_PATIENT,
    slot::FD_PATIENT,
    slot::PATIENT,
];

/// The question with other identifiers for its patients, as another community knows them; those to whom
/// `known` gives none are left out. `None` if it names patients and nobody is left: then the community has
/// nobody to be asked for.
pub fn with_patients(
    request: &AdhocQueryRequest,
    mut known: impl FnMut(&PatientId) -> Option<PatientId>,
) -> Option<AdhocQueryRequest> {
    let mut request = request.clone();
    let (mut named, mut left) = (false, false);
    for slot in &mut request.slots {
        if !PATIENT_PARAMETERS.contains(&slot.name.as_str()) {
            continue;
        }
        // Who asked with something that cannot be read was refused before.
        let values = syntax::read(&slot.values).unwrap_or_default();
        named |= !values.is_empty();
        let patients = values.iter().filter_map(|it| PatientId::parse(it).ok());
        let quoted = |it: PatientId| format!("'{}'", it.to_string().replace('\'', "''"));
        let patients: Vec<String> = patients.filter_map(|it| known(&it)).map(quoted).collect();
        left |= !patients.is_empty();
        let is_list = slot.values.iter().any(|it| it.trim().starts_with('('));
        slot.values = match (patients.as_slice(), is_list) {
            ([one], false) => vec![one.clone()],
            _ => vec![format!("({})", patients.join(","))],
        };
    }
    (left || !named).then_some(request)
}

/// The places in an object of an answer that name its patient.
pub fn patients_of(object: &mut RegistryObject) -> impl Iterator<Item = &mut String> {
    let schemes = [
        document_entry::PATIENT_ID,
        submission_set::PATIENT_ID,
        folder::PATIENT_ID,
    ];
    let identifiers = object.external_identifiers.iter_mut();
    identifiers
        .filter(move |it| schemes.contains(&it.scheme.as_str()))
        .map(|it| &mut it.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::Slot;

    fn asked(name: &str, values: &[&str]) -> AdhocQueryRequest {
        let slot = Slot {
            values: values.iter().map(|it| (*it).to_owned()).collect(),
            ..Slot::single(name, "")
        };
        AdhocQueryRequest {
            slots: vec![slot, Slot::single("$other", "'P^^^&1.2&ISO'")],
            ..AdhocQueryRequest::default()
        }
    }

    fn there(patient: &PatientId) -> Option<PatientId> {
        (patient.authority == "1.2").then(|| PatientId::new(format!("{}'s", patient.id), "1.3"))
    }

    #[test]
    fn patients_get_the_names_they_have_elsewhere() {
        for name in PATIENT_PARAMETERS {
            let request = with_patients(&asked(name, &["'P^^^&1.2&ISO'"]), there).unwrap();
            assert_eq!(request.slots[0].values, ["'P''s^^^&1.3&ISO'"]);
            assert_eq!(request.slots[1].values, ["'P^^^&1.2&ISO'"], "{name}");
        }
        let several = ["('A^^^&1.2&ISO','B^^^&9.9&ISO')", "('C^^^&1.2&ISO')"];
        let request = with_patients(&asked(slot::DE_PATIENT, &several), there).unwrap();
        let left = "('A''s^^^&1.3&ISO','C''s^^^&1.3&ISO')";
        assert_eq!(request.slots[0].values, [left]);
    }

    #[test]
    fn who_has_no_name_elsewhere_is_not_asked_for() {
        for values in [&["'B^^^&9.9&ISO'"][..], &["('B^^^&9.9&ISO','C')"]] {
            assert_eq!(with_patients(&asked(slot::PATIENT, values), there), None);
        }
        let nobody = asked("$more", &["'x'"]);
        assert_eq!(with_patients(&nobody, there), Some(nobody));
    }

    #[test]
    fn target_communities_are_a_list() {
        let asked = |values: &[&str]| {
            let slots = values
                .iter()
                .map(|it| Slot::single(TARGET_COMMUNITIES, *it));
            let request = AdhocQueryRequest {
                slots: slots.collect(),
                ..AdhocQueryRequest::default()
            };
            target_communities(&request)
        };
        assert_eq!(asked(&[]), Ok(Vec::new()));
        let both: Vec<HomeCommunityId> = ["urn:oid:1.2", "urn:oid:1.3"].map(Into::into).into();
        assert_eq!(asked(&["('urn:oid:1.2','urn:oid:1.3')"]), Ok(both.clone()));
        assert_eq!(asked(&["('urn:oid:1.2')", "('urn:oid:1.3')"]), Ok(both));
        let wrong = asked(&["('urn:oid:1.2'"]).unwrap_err();
        assert!(wrong.context.contains("parenthesis"), "{}", wrong.context);
    }
}
