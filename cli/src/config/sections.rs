//! The sections of `hilum.toml` and what may stand in them.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use hilum_dicom::manifest::{MadoCodes, ManifestFormat};
use hilum_dicom::moment::UtcOffset;
use serde::Deserialize;

use super::archives::ArchiveSection;
use super::audit_repository::AuditRepositorySection;
use super::collections::CollectionSection;
use super::sending::SendSection;

/// What the members of an affinity domain agreed upon.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AffinityDomain {
    /// The OID of the authority whose patient IDs are used.
    pub(crate) patient_id_authority: String,
    /// The namespace ID by which messages of HL7 v2 may name it.
    pub(crate) patient_id_namespace: Option<String>,
    /// The file of the codes that may be used.
    pub(crate) codes: PathBuf,
    #[serde(default)]
    pub(crate) unknown_patients: UnknownPatients,
    #[serde(default)]
    pub(crate) unknown_patients_in_queries: UnknownPatientsInQueries,
}

/// What to do with submissions for patients that no feed has announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownPatients {
    /// As the framework says: XDSUnknownPatientId.
    #[default]
    Refuse,
    /// A patient becomes known with the first submission.
    Accept,
}

/// What to answer to queries for patients that no feed has announced (ITI TF-2 3.18.4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownPatientsInQueries {
    /// That there is nothing.
    #[default]
    Empty,
    /// XDSUnknownPatientId.
    Refuse,
}

/// The Document Registry.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct RegistrySection {
    pub(crate) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
    pub(super) database: Option<String>,
    pub(crate) max_results: Option<NonZeroU32>,
    pub(crate) connections: Option<NonZeroU16>,
    /// Whether what feeds say of patients is kept.
    #[serde(default)]
    pub(crate) demographics: bool,
    #[serde(default)]
    pub(crate) extra_metadata: ExtraMetadata,
}

/// The URL of a database may hold a password, so it is not shown.
impl std::fmt::Debug for RegistrySection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RegistrySection")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// What becomes of slots that IHE does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExtraMetadata {
    /// They are kept and given back.
    #[default]
    Keep,
    /// They are dropped, and the submitter is told.
    Drop,
}

/// The Patient Identity Feed over MLLP, which the registry takes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct FeedSection {
    pub(crate) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
    /// MSH-5 of messages that are taken.
    pub(crate) application: Option<String>,
    /// MSH-6.
    pub(crate) facility: Option<String>,
}

/// The Document Repository.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RepositorySection {
    pub(crate) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
    pub(crate) unique_id: Option<String>,
    pub(super) registry: Option<String>,
    pub(super) store: Option<String>,
    pub(super) store_key: Option<String>,
    pub(super) store_secret: Option<Secret>,
    pub(super) store_trust: Option<Vec<PathBuf>>,
    pub(super) decision_seconds: Option<u32>,
    pub(super) settled_seconds: Option<u32>,
    #[serde(default)]
    pub(crate) remove_registered: RemoveRegistered,
    #[serde(default)]
    pub(crate) on_demand: OnDemand,
}

/// What to do with documents that are to be removed while the registry still knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RemoveRegistered {
    /// As the framework says: the administrator sees to the order.
    #[default]
    Allow,
    /// XDSRemoveDocumentsError.
    Refuse,
}

/// What to do with documents that are made when they are retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDemand {
    /// None is made.
    Off,
    /// They are made each time, and not kept.
    #[default]
    Transient,
    /// They are kept and registered.
    Persist,
}

/// Text that is not shown.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// The Imaging Document Source.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ImagingSection {
    pub(crate) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
    pub(super) unique_id: Option<String>,
    pub(super) store: Option<String>,
    /// Retrieve AE Title of manifests.
    pub(crate) retrieve_ae_title: Option<String>,
    /// Which manifests are made.
    #[serde(default)]
    pub(crate) manifest: ManifestFormat,
    /// Codes of described manifests.
    #[serde(default)]
    pub(crate) mado_codes: MadoCodes,
    /// Base address of WADO-RS, which manifests say then.
    pub(crate) retrieve_url: Option<String>,
    /// Who makes the manifests, as XON.
    pub(crate) institution: Option<String>,
    /// OID of who gives accession numbers.
    pub(crate) accession_issuer: Option<String>,
    /// OID of who gives order numbers.
    pub(crate) order_issuer: Option<String>,
    /// Local time of studies that do not say how far from UTC they are.
    pub(crate) utc_offset: Option<UtcOffset>,
    /// Seconds without another object after which a study that was sent is published.
    pub(crate) settle_seconds: Option<u32>,
    /// Folders from which files are taken.
    #[serde(default)]
    pub(crate) watch: Vec<PathBuf>,
    /// What is asked of objects at the door.
    #[serde(default)]
    pub(crate) collection: Vec<CollectionSection>,
    /// Archives beside it.
    #[serde(default)]
    pub(super) archive: Vec<ArchiveSection>,
    /// Origins whose scripts may ask in browsers.
    #[serde(default)]
    pub(crate) cors_origins: Vec<String>,
}

/// The Document Recipient.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RecipientSection {
    pub(crate) listen: Option<SocketAddr>,
    pub(super) url: Option<String>,
    pub(super) store: Option<String>,
    /// Whether limited metadata is accepted.
    pub(crate) limited_metadata: Option<bool>,
    /// Who is known here, as `intendedRecipient` names them.
    #[serde(default)]
    pub(crate) recipients: Vec<String>,
    pub(crate) max_submissions: Option<NonZeroU32>,
}

/// What media say of those who made them.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct MediaSection {
    pub(crate) institution: Option<String>,
    pub(crate) contact: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct AuditSection {
    pub(super) spool: Option<PathBuf>,
    pub(super) source_id: Option<String>,
    pub(super) enterprise_site: Option<String>,
    pub(super) host: Option<String>,
    pub(super) segment_bytes: Option<u64>,
    /// Receiving the records of others.
    #[serde(flatten)]
    pub(super) repository: AuditRepositorySection,
    /// Who gets every record.
    #[serde(default)]
    pub(super) send: Vec<SendSection>,
    /// To whom goes on what others send.
    #[serde(default)]
    pub(super) forward: Vec<SendSection>,
    pub(super) keep_days: Option<u32>,
}
