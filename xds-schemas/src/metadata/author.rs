//! Author: who wrote a document or submitted it (ITI TF-3 4.2.3.1.4).

use super::Extra;

/// The humans or machines and the institutions behind a document or submission. Values of
/// different fields do not belong together by position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// `authorPerson`: XCN, as it was sent, because queries match it with LIKE.
    pub person: Option<String>,
    /// `authorInstitution`: XON.
    pub institutions: Vec<String>,
    /// `authorRole`: text or coded string.
    pub roles: Vec<String>,
    /// `authorSpecialty`: text or coded string.
    pub specialties: Vec<String>,
    /// `authorTelecommunication`: XTN.
    pub telecommunications: Vec<String>,
    /// The UUID of the classification. Empty unless the sender gave one; writing makes one then.
    pub id: String,
    /// Everything else in the classification.
    pub extra: Extra,
}
