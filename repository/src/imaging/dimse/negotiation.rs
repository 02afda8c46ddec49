//! How an association is agreed upon (PS3.7 annex D, PS3.8 section 7.1): what the other end proposes,
//! and what is accepted of it.

use std::collections::BTreeMap;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason,
    AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};

use super::DimseConfig;
use super::association::{ANNOUNCED, Agreed};
use super::syntaxes;

/// The only application context there is (PS3.7 annex A).
pub(super) const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// The same as in files that are written here.
const IMPLEMENTATION_CLASS_UID: &str = "2.25.127469321879431873294612370983187213041";
const IMPLEMENTATION_VERSION_NAME: &str = "HILUM";
/// What is meant by a requestor that says nothing of it.
const USUAL_PDU: u32 = 16 * 1024;

/// An association as it was agreed upon.
#[derive(Debug)]
pub(super) struct Agreement {
    pub(super) answer: AssociationAC,
    pub(super) contexts: BTreeMap<u8, Agreed>,
    /// The longest PDU that the other end takes.
    pub(super) taken: u32,
}

/// Why an association is rejected, for the other end and in words.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) answer: AssociationRJ,
    pub(super) reason: &'static str,
}

/// Decides about a request for an association.
pub(super) fn negotiate(
    config: &DimseConfig,
    request: &AssociationRQ,
) -> Result<Agreement, Rejected> {
    if request.protocol_version & 1 == 0 {
        let reason = AssociationRJServiceProviderASCEReason::ProtocolVersionNotSupported;
        let source = AssociationRJSource::ServiceProviderASCE(reason);
        return Err(rejected(
            source,
            "it speaks another version of the protocol",
        ));
    }
    if uid(&request.application_context_name) != APPLICATION_CONTEXT {
        let reason = AssociationRJServiceUserReason::ApplicationContextNameNotSupported;
        let source = AssociationRJSource::ServiceUser(reason);
        return Err(rejected(source, "its application context is not DICOM's"));
    }
    let (calling, called) = (
        title(&request.calling_ae_title),
        title(&request.called_ae_title),
    );
    if !config.any_called && called != Some(&config.ae_title) {
        let reason = AssociationRJServiceUserReason::CalledAETitleNotRecognized;
        let source = AssociationRJSource::ServiceUser(reason);
        return Err(rejected(source, "it calls another application entity"));
    }
    let callers = &config.callers;
    let is_known = |calling| callers.is_empty() || callers.iter().any(|it| it == calling);
    if !calling.is_some_and(is_known) {
        let reason = AssociationRJServiceUserReason::CallingAETitleNotRecognized;
        let source = AssociationRJSource::ServiceUser(reason);
        return Err(rejected(source, "its application entity is not known here"));
    }
    let mut contexts = BTreeMap::new();
    let proposed = request.presentation_contexts.iter();
    let results = proposed
        .map(|proposed| answer(proposed, &mut contexts))
        .collect();
    let mut user_variables = user_variables();
    user_variables.extend(roles(&request.user_variables));
    Ok(Agreement {
        answer: AssociationAC {
            protocol_version: 1,
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            // As they came (PS3.8 section 9.3.3).
            called_ae_title: request.called_ae_title.clone(),
            calling_ae_title: request.calling_ae_title.clone(),
            presentation_contexts: results,
            user_variables,
        },
        contexts,
        taken: taken_by(&request.user_variables),
    })
}

fn rejected(source: AssociationRJSource, reason: &'static str) -> Rejected {
    let result = AssociationRJResult::Permanent;
    Rejected {
        answer: AssociationRJ { result, source },
        reason,
    }
}

/// Accepts a presentation context, or says why not.
fn answer(
    proposed: &PresentationContextProposed,
    contexts: &mut BTreeMap<u8, Agreed>,
) -> PresentationContextResult {
    let abstract_syntax = uid(&proposed.abstract_syntax);
    let syntaxes = proposed.transfer_syntaxes.iter();
    let syntaxes: Vec<String> = syntaxes.map(|it| uid(it).to_owned()).collect();
    let transfer_syntax = match abstract_syntax {
        uids::VERIFICATION | uids::STORAGE_COMMITMENT_PUSH_MODEL => {
            Some(syntaxes::chosen_for_words(&syntaxes))
        }
        class if syntaxes::is_storage(class) => Some(syntaxes::chosen(&syntaxes)),
        _ => None,
    };
    // Identifiers are odd, and each stands for one context (PS3.8 section 9.3.2.2).
    let is_sound = proposed.id % 2 == 1 && !contexts.contains_key(&proposed.id);
    let (reason, transfer_syntax) = match transfer_syntax {
        _ if !is_sound => (PresentationContextResultReason::NoReason, None),
        None => {
            let reason = PresentationContextResultReason::AbstractSyntaxNotSupported;
            (reason, None)
        }
        Some(None) => {
            let reason = PresentationContextResultReason::TransferSyntaxesNotSupported;
            (reason, None)
        }
        Some(chosen) => (PresentationContextResultReason::Acceptance, chosen),
    };
    if let Some(transfer_syntax) = transfer_syntax {
        let agreed = Agreed {
            abstract_syntax: abstract_syntax.to_owned(),
            transfer_syntax: transfer_syntax.to_owned(),
        };
        contexts.insert(proposed.id, agreed);
    }
    PresentationContextResult {
        id: proposed.id,
        reason,
        // Of a rejected context it means nothing, but must be there.
        transfer_syntax: transfer_syntax
            .unwrap_or(uids::IMPLICIT_VR_LITTLE_ENDIAN)
            .to_owned(),
    }
}

/// Roles that were proposed: we are the provider of everything, and nobody else is (PS3.7 section
/// D.3.3.4).
fn roles(proposed: &[UserVariableItem]) -> impl Iterator<Item = UserVariableItem> {
    proposed.iter().filter_map(|item| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => {
            let roles = RequestorRoles {
                scu: roles.scu,
                scp: false,
            };
            let class = uid(class).to_owned();
            Some(UserVariableItem::ScuScpRoleSelectionSubItem(class, roles))
        }
        _ => None,
    })
}

/// What is said of ourselves when an association is made. Of the asynchronous operations window
/// nothing is said, so one operation at a time is meant (PS3.7 section D.3.3.3).
pub(super) fn user_variables() -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(ANNOUNCED),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

/// The longest PDU that the other end takes.
pub(super) fn taken_by(variables: &[UserVariableItem]) -> u32 {
    let most = variables.iter().find_map(|it| match it {
        UserVariableItem::MaxLength(most) => Some(*most),
        _ => None,
    });
    most.unwrap_or(USUAL_PDU)
}

/// An AE title without its padding, if it is one (PS3.5 section 6.2): logs and lists show it.
pub(super) fn title(text: &str) -> Option<&str> {
    let title = uid(text);
    let is_plain = |byte| matches!(byte, b' '..=b'~') && byte != b'\\';
    (!title.is_empty() && title.bytes().all(is_plain)).then_some(title)
}

/// UIDs need no padding here, but some pad them.
pub(super) fn uid(text: &str) -> &str {
    text.trim_matches([' ', '\0'])
}

#[cfg(test)]
mod tests {
    use dicom_ul::pdu::{Pdu, read_pdu, write_pdu};
    use proptest::prelude::*;

    use super::*;

    fn request() -> AssociationRQ {
        let context = |id, class: &str, syntaxes: &[&str]| PresentationContextProposed {
            id,
            abstract_syntax: class.to_owned(),
            transfer_syntaxes: syntaxes.iter().map(|it| (*it).to_owned()).collect(),
        };
        let roles = RequestorRoles {
            scu: true,
            scp: true,
        };
        let class = uids::STORAGE_COMMITMENT_PUSH_MODEL;
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "CT1".to_owned(),
            called_ae_title: "HILUM".to_owned(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: vec![
                context(1, uids::VERIFICATION, &[uids::IMPLICIT_VR_LITTLE_ENDIAN]),
                context(3, class, &[uids::EXPLICIT_VR_LITTLE_ENDIAN]),
                context(
                    5,
                    uids::CT_IMAGE_STORAGE,
                    &[uids::JPEG_LOSSLESS_SV1, uids::IMPLICIT_VR_LITTLE_ENDIAN],
                ),
            ],
            user_variables: vec![
                UserVariableItem::MaxLength(16384),
                UserVariableItem::ScuScpRoleSelectionSubItem(class.to_owned(), roles),
            ],
        }
    }

    #[test]
    fn an_agreement() {
        let agreement = negotiate(&DimseConfig::new("HILUM"), &request()).unwrap();
        assert_eq!(agreement.contexts.len(), 3);
        assert_eq!(
            agreement.contexts[&5].transfer_syntax,
            uids::JPEG_LOSSLESS_SV1
        );
        assert_eq!(agreement.taken, 16384);
        let role = UserVariableItem::ScuScpRoleSelectionSubItem(
            uids::STORAGE_COMMITMENT_PUSH_MODEL.to_owned(),
            RequestorRoles {
                scu: true,
                scp: false,
            },
        );
        assert!(agreement.answer.user_variables.contains(&role));
    }

    #[test]
    fn titles() {
        let config = DimseConfig {
            callers: vec!["CT1".to_owned()],
            ..DimseConfig::new("HILUM")
        };
        let is_taken = |calling: &str, called: &str| {
            let request = AssociationRQ {
                calling_ae_title: calling.to_owned(),
                called_ae_title: called.to_owned(),
                ..request()
            };
            negotiate(&config, &request).is_ok()
        };
        assert!(is_taken("CT1", "HILUM") && is_taken("CT1\0\0", "HILUM \0"));
        assert!(!is_taken("CT2", "HILUM") && !is_taken("CT1", "hilum"));
        assert!(!is_taken("", "HILUM") && !is_taken("CT1", ""));
        assert_eq!(title("C\u{1b}[2J"), None);
        assert_eq!(title("A\\B"), None);
    }

    proptest! {
        /// Requests of which a part was turned into something else.
        #[test]
        fn requests_that_were_damaged(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let mut bytes = Vec::new();
            write_pdu(&mut bytes, &Pdu::AssociationRQ(request())).unwrap();
            for (at, value) in changes {
                // The length is right.
                let at = 6 + at.index(bytes.len() - 6);
                bytes[at] = value;
            }
            if let Ok(Some(Pdu::AssociationRQ(read))) = read_pdu(&bytes[..], 1 << 18, true)
                && let Ok(agreement) = negotiate(&DimseConfig::new("HILUM"), &read)
            {
                let results = &agreement.answer.presentation_contexts;
                prop_assert_eq!(results.len(), read.presentation_contexts.len());
                let mut answer = Vec::new();
                prop_assert!(write_pdu(&mut answer, &Pdu::AssociationAC(agreement.answer)).is_ok());
            }
        }
    }
}
