//! The Document Recipient (XDR): documents that somebody sends here, without any registry.
//!
//! Read [`routes`] first: everything the recipient answers. What comes is kept in an inbox, one
//! folder for each submission, until a person has seen whom it is about and what is to become of
//! it. Nothing is done by itself, which senders are told.

mod administration;
mod inbox;
mod iti41_provide_and_register_document_set;
pub mod routes;

use std::sync::Arc;

use hilum_audit::Audit;
use hilum_security::access::Access;
use hilum_security::at_rest::Vault;
use xds_schemas::metadata::HomeCommunityId;

use crate::consents::Consents;

use inbox::Inbox;

/// Submissions that an inbox takes. Somebody should have looked into it by then.
pub const MAX_SUBMISSIONS: usize = 10_000;

/// What a recipient needs to know.
#[derive(Debug, Clone)]
pub struct RecipientConfig {
    /// Where the inbox is: `file:PATH`.
    pub store: String,
    /// The community it belongs to. What is meant for another one is refused.
    pub home_community_id: Option<HomeCommunityId>,
    /// Whether limited metadata is accepted (ITI TF-1 15.2.3).
    pub limited_metadata: bool,
    /// Persons, institutions and addresses that are known here, as `intendedRecipient` names them.
    /// If there are none, nobody is looked for.
    pub recipients: Vec<String>,
    /// [`MAX_SUBMISSIONS`]
    pub max_submissions: usize,
    /// How the inbox is written.
    pub vault: Vault,
    /// Who may send what here.
    pub access: Access,
    /// Whom to ask what patients wished, if that depends on it.
    pub consents: Option<Consents>,
}

impl RecipientConfig {
    /// A recipient with this inbox that accepts what the framework lets it accept.
    pub fn new(store: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            home_community_id: None,
            limited_metadata: true,
            recipients: Vec::new(),
            max_submissions: MAX_SUBMISSIONS,
            vault: Vault::default(),
            access: Access::everything(),
            consents: None,
        }
    }
}

/// A Document Recipient. Clones share it; when the last one is dropped, its inbox is closed.
#[derive(Debug, Clone)]
pub struct Recipient {
    room: Arc<Room>,
}

/// What the transactions of the recipient share.
#[derive(Debug)]
struct Room {
    config: RecipientConfig,
    audit: Audit,
    inbox: Inbox,
}

impl Recipient {
    /// Opens the recipient. What an earlier process had not received whole is removed: nobody was
    /// told that it was received.
    ///
    /// # Errors
    /// If the inbox cannot be opened or is in use by another process.
    pub fn open(config: RecipientConfig, audit: Audit) -> anyhow::Result<Self> {
        let inbox = Inbox::open(&config.store, config.max_submissions, config.vault.clone())?;
        let room = Room {
            config,
            audit,
            inbox,
        };
        Ok(Self {
            room: Arc::new(room),
        })
    }
}
