//! The Imaging Document Source: studies become findable by manifests, images stay where they are.
//!
//! [`import()`] reads folders and hands in one manifest for each study (RAD-68); [`routes`] is what
//! the source answers (RAD-69). Between the two stands the index, which says where instances are.
//! Importing and answering may happen in different processes.
//!
//! Volumes of NIfTI and Analyze are imported with them, as documents (ITI-41); [`convert`] makes such
//! volumes of series.

mod access;
pub mod archives;
mod cache;
mod concepts;
pub mod convert;
pub mod dicomweb;
pub mod dimse;
mod document_entry;
mod findings;
pub mod gate;
pub mod import;
mod index;
mod intake;
mod iti18_registry_stored_query;
mod iti41_provide_and_register_document_set;
mod iti57_update_document_set;
mod manifest;
mod place;
mod publish;
mod publisher;
pub mod quarantine;
mod rad68_provide_and_register_imaging_document_set;
mod rad69_retrieve_imaging_document_set;
pub mod reject;
pub mod removal;
pub mod routes;
mod volumes;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_security::access::Access;
use hilum_security::at_rest::Vault;
use xds_schemas::metadata::{Code, HomeCommunityId, RepositoryUniqueId};

use hilum_dicom::manifest::{MadoCodes, ManifestFormat};
use hilum_dicom::moment::UtcOffset;

pub use import::{Fate, Imported, Importing, Progress, Report, import, import_with_volumes};
pub use index::kept_back::Quarantined;
pub use intake::Taken;
pub use publisher::Publishing;
pub use volumes::{ImportedVolume, VolumeFate, Whose};

use crate::Consents;

use cache::Cache;
use gate::Gate;
use index::Index;
use index::work::Way;
use intake::Intake;

/// LOINC.
const LOINC: &str = "2.16.840.1.113883.6.1";
/// SNOMED CT.
const SNOMED_CT: &str = "2.16.840.1.113883.6.96";

/// Retrieve AE Title of manifests, unless another is given: consumers of XDS-I retrieve by RAD-69
/// and need none, but the attribute is required.
pub const RETRIEVE_AE_TITLE: &str = "HILUM";

/// A study that was sent here is published when nothing more of it has come for so long.
pub const SETTLE_SECONDS: u64 = 10;

/// What an imaging source needs to know.
#[derive(Debug, Clone)]
pub struct ImagingConfig {
    /// The `repositoryUniqueId` that RAD-69 asks for, and Retrieve Location UID of manifests.
    pub repository_unique_id: RepositoryUniqueId,
    /// The community it belongs to, for the audit.
    pub home_community_id: Option<HomeCommunityId>,
    /// Where the index is kept: `file:PATH`.
    pub store: String,
    /// The authority in which a Patient ID (0010,0020) is a `patientId` of the affinity domain.
    pub patient_id_authority: String,
    /// [`RETRIEVE_AE_TITLE`]
    pub retrieve_ae_title: String,
    /// Which manifests are made, and what they say of the site.
    pub manifests: Manifests,
    /// Local time of studies that do not say how far from UTC they are.
    pub utc_offset: UtcOffset,
    /// What a DICOM file does not say.
    pub department: Department,
    /// [`SETTLE_SECONDS`]
    pub settle: Duration,
    /// What stands before `/studies` in addresses that are given to others, such as
    /// `https://images.example/dicom-web`; what they have asked, if there is none.
    pub web_url: Option<String>,
    /// Origins such as `https://viewer.example` whose scripts may ask in browsers.
    pub cors_origins: Vec<String>,
    /// Folders from which files are taken as soon as they are complete.
    pub watch: Vec<PathBuf>,
    /// The collections into which objects come.
    pub gate: Gate,
    /// Who may have which studies.
    pub access: Access,
    /// Whom to ask what patients wished, if that depends on it.
    pub consents: Option<Consents>,
    /// How files of what is sent here are written.
    pub vault: Vault,
}

/// How a site describes its studies in manifests. When this changes, other manifests replace those that
/// were made before.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    /// References alone, or with a description.
    pub format: ManifestFormat,
    /// Codes of descriptions.
    pub codes: MadoCodes,
    /// Base address of WADO-RS, for consumers that address by it.
    pub retrieve_url: Option<String>,
    /// Who makes the manifests, as XON: `Some Hospital^^^^^^^^^1.2.3`. Said in descriptions.
    pub institution: String,
    /// OID of who gives accession numbers, for files that do not say it.
    pub accession_issuer: Option<String>,
    /// OID of who gives order numbers, for files that do not say it.
    pub order_issuer: Option<String>,
}

/// Metadata that a DICOM file does not say: how the department labels its studies.
#[derive(Debug, Clone)]
pub struct Department {
    /// `classCode`.
    pub class_code: Code,
    /// `typeCode` of studies whose procedure the affinity domain has no code for.
    pub type_code: Code,
    /// `practiceSettingCode`.
    pub practice_setting_code: Code,
    /// `healthcareFacilityTypeCode`.
    pub healthcare_facility_type_code: Code,
    /// `confidentialityCode`.
    pub confidentiality_code: Code,
    /// `contentTypeCode` of submission sets.
    pub content_type_code: Code,
    /// `languageCode`.
    pub language_code: String,
}

impl Default for Department {
    /// A radiology department in a hospital.
    fn default() -> Self {
        let study = Code::new("18748-4", LOINC, "Diagnostic imaging study");
        Self {
            class_code: Code::new("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images"),
            type_code: study.clone(),
            practice_setting_code: Code::new("394914008", SNOMED_CT, "Radiology"),
            healthcare_facility_type_code: Code::new("22232009", SNOMED_CT, "Hospital"),
            confidentiality_code: Code::new("N", "2.16.840.1.113883.5.25", "Normal"),
            content_type_code: study,
            language_code: "en".to_owned(),
        }
    }
}

impl ImagingConfig {
    /// The configuration of the imaging source with this id, with the usual labels.
    pub fn new(
        repository_unique_id: RepositoryUniqueId,
        patient_id_authority: impl Into<String>,
        store: impl Into<String>,
    ) -> Self {
        Self {
            repository_unique_id,
            home_community_id: None,
            store: store.into(),
            patient_id_authority: patient_id_authority.into(),
            retrieve_ae_title: RETRIEVE_AE_TITLE.to_owned(),
            manifests: Manifests::default(),
            utc_offset: UtcOffset::default(),
            department: Department::default(),
            settle: Duration::from_secs(SETTLE_SECONDS),
            web_url: None,
            cors_origins: Vec::new(),
            watch: Vec::new(),
            gate: Gate::default(),
            access: Access::everything(),
            consents: None,
            vault: Vault::default(),
        }
    }
}

impl ImagingConfig {
    /// What manifests say beside the study, so that it can be seen whether that has changed.
    fn described(&self) -> String {
        let Self {
            repository_unique_id,
            retrieve_ae_title,
            manifests,
            utc_offset,
            ..
        } = self;
        format!("{repository_unique_id} {retrieve_ae_title} {manifests:?} {utc_offset}")
    }
}

/// An Imaging Document Source. Clones share it.
#[derive(Debug, Clone)]
pub struct ImagingSource {
    room: Arc<Room>,
}

/// What the transactions of the imaging source share.
#[derive(Debug)]
struct Room {
    config: ImagingConfig,
    audit: Audit,
    studies: Cache,
    intake: Intake,
    archives: OnceLock<archives::Archives>,
}

impl ImagingSource {
    /// Opens the imaging source. Studies that are imported later, by whichever process, are served
    /// as soon as they are in the index.
    ///
    /// # Errors
    /// If the store is no folder that can be made or listed.
    pub fn open(config: ImagingConfig, audit: Audit) -> anyhow::Result<Self> {
        let index = Index::open(&config.store, &config.vault)?;
        let quiet = i64::try_from(config.settle.as_millis())?;
        let intake = Intake::open(index.clone(), config.gate.clone(), quiet)?;
        let room = Room {
            config,
            audit,
            studies: Cache::of(index),
            intake,
            archives: OnceLock::new(),
        };
        Ok(Self {
            room: Arc::new(room),
        })
    }

    /// Takes a copy of a file of DICOM. When this returns, it is safe; `origin` says for people where
    /// it comes from.
    ///
    /// # Errors
    /// If the file cannot be read, or nothing can be kept here.
    pub async fn take_file(&self, file: &Path, origin: &str) -> anyhow::Result<Taken> {
        self.room.take_file(file, origin).await
    }

    /// Publishes from now on what is sent here: a manifest for each study when nothing more of it
    /// comes. Must be called in a tokio runtime; it ends with the source.
    ///
    /// If studies are to be described otherwise than before, all that were published are published anew.
    pub fn publish(&self, publishing: Publishing) {
        tokio::spawn(publisher::run(publishing, Arc::downgrade(&self.room)));
    }

    /// Takes files from the watched folders from now on. Must be called in a tokio runtime; it ends
    /// with the source.
    pub fn watch(&self) {
        for folder in &self.room.config.watch {
            tokio::spawn(watch::run(folder.clone(), Arc::downgrade(&self.room)));
        }
    }
}

impl Room {
    async fn take_file(&self, file: &Path, origin: &str) -> anyhow::Result<Taken> {
        let (taken, _) = self.intake.take_file(file, origin, Way::Sent).await?;
        Ok(taken)
    }
}

/// Whether the store can be used, and how many studies are in it. A folder that is not there yet is
/// as good as an empty one, and is not made.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_store(url: &str, vault: &Vault) -> anyhow::Result<usize> {
    if !folder_of(url)?.exists() {
        return Ok(0);
    }
    let index = Index::open(url, vault)?;
    index.probe()?;
    let studies = index.studies()?;
    for study in &studies {
        index.read(study)?;
    }
    Ok(studies.len())
}

/// What identifies patients in an index, for those who change keys or turn encryption on.
pub(crate) mod index_at_rest {
    use std::path::Path;

    use hilum_security::at_rest::{KeyId, KeyRing};

    use super::index::{DATABASE, encrypting, fields};

    /// Whether it could be used with this ring, and whether it is encrypted; nothing if there is none.
    pub(crate) fn check(folder: &Path, ring: Option<&KeyRing>) -> anyhow::Result<Option<bool>> {
        let fields = fields::check(&folder.join(DATABASE), ring)?;
        Ok(fields.map(|fields| fields.are_sealed()))
    }

    /// The key that it needs, if it is encrypted.
    pub(crate) fn key(folder: &Path) -> anyhow::Result<Option<KeyId>> {
        fields::key(&folder.join(DATABASE))
    }

    /// Gives it the current key; says whether it had another one, or nothing if it is not encrypted.
    pub(crate) fn rotate(folder: &Path, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
        fields::rotate(&folder.join(DATABASE), ring)
    }

    /// Encrypts it; says how many rows that were, or nothing if there is none.
    pub(crate) fn encrypt(
        folder: &Path,
        ring: &KeyRing,
        progress: &mut dyn FnMut(u64),
    ) -> anyhow::Result<Option<u64>> {
        encrypting::encrypt(&folder.join(DATABASE), ring, progress)
    }
}

/// Waits until no other process brings files to their places or takes them away; none does until what
/// this gives is dropped.
pub(crate) fn lock_objects(
    url: &str,
    vault: &Vault,
) -> anyhow::Result<impl std::fmt::Debug + use<>> {
    Index::open(url, vault)?.lock_objects()
}

/// The folder that a store's URL names.
fn folder_of(url: &str) -> anyhow::Result<PathBuf> {
    let path = url.strip_prefix("file:").filter(|path| !path.is_empty());
    let path = path.context("the folder of the images is given as file:PATH")?;
    Ok(PathBuf::from(path))
}
