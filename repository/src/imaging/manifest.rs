//! Which manifest a study gets: its names, which are planned before anything is sent.
//!
//! The names are derived from what the manifest says and from the one before it. So the same study
//! always gets the same names, a second attempt is recognised wherever the first one arrived, and
//! a study that became again what it was still gets a manifest of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::metadata::PatientId;
use xds_schemas::xml::{ToXml, Writer};

use super::ImagingConfig;
use super::document_entry::{document_entry, foreign_issuer};
use hilum_dicom::Uid;
use hilum_dicom::manifest::{self, ManifestFormat, Plan, mado};
use hilum_dicom::scan::Study;

/// Under which the names are derived. Fixed forever.
const NAMESPACE: Uuid = Uuid::from_u128(0x3e0b_51c4_7c1d_4a0f_9a53_6f8e_21b7_d4c9);

/// The names of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The document's uniqueId.
    pub(super) sop_instance_uid: Uid,
    /// The series in which it is alone.
    series_instance_uid: Uid,
    /// `urn:uuid:…` of its document entry.
    pub(super) entry_uuid: String,
    /// The uniqueId of the submission set with which it is handed in.
    pub(super) submission_set_uid: Uid,
    /// When it was made: seconds since 1970.
    made: u64,
    /// The document entry that it replaces.
    pub(super) replaces: Option<String>,
    /// A digest of all that it and its metadata say, names and times aside.
    pub(super) says: String,
    /// Whether it was deprecated, because nothing is left of what it lists.
    #[serde(default)]
    pub(super) withdrawn: bool,
}

impl Manifest {
    /// Plans the manifest of a study. `previous` is the one that is registered.
    pub(super) fn plan(
        config: &ImagingConfig,
        domain: &AffinityCodes,
        patient: &PatientId,
        study: &Study,
        previous: Option<&Self>,
        now: SystemTime,
    ) -> anyhow::Result<Self> {
        let says = Self::nameless().digest(config, domain, patient, study)?;
        let previous_uid = previous.map_or("", |it| it.sop_instance_uid.as_str());
        let repository = &config.repository_unique_id;
        let basis = format!("{repository}/{}/{says}/{previous_uid}", study.uid);
        let uuid = |what: &str| Uuid::new_v5(&NAMESPACE, format!("{basis}/{what}").as_bytes());
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            sop_instance_uid: Uid::from_uuid(uuid("manifest")),
            series_instance_uid: Uid::from_uuid(uuid("series")),
            entry_uuid: uuid("entry").urn().to_string(),
            submission_set_uid: Uid::from_uuid(uuid("submission set")),
            made: since_1970.as_secs(),
            // What is deprecated cannot be replaced (ITI TF-2 3.42.4.1.3.5).
            replaces: previous
                .filter(|it| !it.withdrawn)
                .map(|it| it.entry_uuid.clone()),
            says,
            withdrawn: false,
        })
    }

    /// When it was made.
    pub(super) fn made(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.made)
    }

    /// The document itself. The same study and names always give the same bytes.
    pub(super) fn document(
        &self,
        config: &ImagingConfig,
        study: &Study,
    ) -> anyhow::Result<Vec<u8>> {
        let location = Uid::parse(config.repository_unique_id.as_str())
            .context("the repositoryUniqueId of the imaging source")?;
        let plan = Plan {
            sop_instance_uid: &self.sop_instance_uid,
            series_instance_uid: &self.series_instance_uid,
            made: self.made(),
            retrieve_ae_title: &config.retrieve_ae_title,
            retrieve_location_uid: &location,
            retrieve_url: config.manifests.retrieve_url.as_deref(),
            utc_offset: config.utc_offset,
        };
        Ok(match config.manifests.format {
            ManifestFormat::Kos => manifest::write(study, &plan)?,
            ManifestFormat::Mado => described(config, study, &plan)?,
        })
    }

    /// A manifest in which only the study counts.
    fn nameless() -> Self {
        let nothing = Uid::from_uuid(Uuid::nil());
        Self {
            sop_instance_uid: nothing.clone(),
            series_instance_uid: nothing.clone(),
            entry_uuid: Uuid::nil().urn().to_string(),
            submission_set_uid: nothing,
            made: 0,
            replaces: None,
            says: String::new(),
            withdrawn: false,
        }
    }

    fn digest(
        &self,
        config: &ImagingConfig,
        domain: &AffinityCodes,
        patient: &PatientId,
        study: &Study,
    ) -> anyhow::Result<String> {
        let document = self.document(config, study)?;
        let entry = document_entry(config, domain, patient, study, self, &document);
        let mut metadata = Writer::default();
        entry.to_ebrim().to_xml(&mut metadata);
        let mut digest = Sha256::new();
        digest.update(&document);
        digest.update(metadata.finish().as_bytes());
        let digest = digest.finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A manifest with a description of the study, as this site describes it.
fn described(config: &ImagingConfig, study: &Study, plan: &Plan<'_>) -> anyhow::Result<Vec<u8>> {
    let site = &config.manifests;
    let authority = &config.patient_id_authority;
    // Whoever gave the Patient ID, it is used as one of the domain.
    let foreign = foreign_issuer(config, study).and(study.patient.id.clone());
    let others: Vec<_> = foreign
        .map(|id| (id, authority.clone()))
        .into_iter()
        .collect();
    let description = mado::Description {
        codes: site.codes,
        institution: &site.institution,
        patient_id_issuer: Some(authority),
        other_patient_ids: &others,
        accession_issuer: site.accession_issuer.as_deref(),
        order_issuer: site.order_issuer.as_deref(),
        regions: &[],
    };
    Ok(mado::write(study, plan, &description)?)
}
