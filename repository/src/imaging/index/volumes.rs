//! Volumes that were handed in, and those that are kept back.

use std::path::Path;

use diesel::prelude::*;
use hilum_dicom::Uid;

use super::Index;
use super::fields::BASIS;
use super::schema::{quarantined, volumes};

/// A volume that does not pass.
#[derive(Debug)]
pub(in crate::imaging) struct KeptVolume<'a> {
    /// The file, or the header of a pair.
    pub(in crate::imaging) path: &'a Path,
    /// The uniqueId that its document will have.
    pub(in crate::imaging) unique_id: &'a Uid,
    /// Whose it is.
    pub(in crate::imaging) patient_id: &'a str,
    /// Where it came from.
    pub(in crate::imaging) origin: &'a str,
    /// Why it is kept back.
    pub(in crate::imaging) reasons: &'a [String],
    /// Milliseconds since 1970.
    pub(in crate::imaging) arrived: i64,
}

impl Index {
    /// The document as which a volume was handed in, if that was on the same basis.
    pub(in crate::imaging) fn handed_in(
        &self,
        volume: &Path,
        basis: &str,
    ) -> anyhow::Result<Option<Uid>> {
        let basis = self.fields.pseudonym(BASIS, basis)?;
        let found: Option<String> = self.connections.read(|connection| {
            let row = volumes::table
                .filter(volumes::path.eq(volume.to_string_lossy()))
                .filter(volumes::basis.eq(basis))
                .select(volumes::unique_id);
            Ok(row.first(connection).optional()?)
        })?;
        Ok(found.as_deref().map(Uid::parse).transpose()?)
    }

    /// Notes as which document a volume was handed in. It is not kept back any more.
    pub(in crate::imaging) fn note_handed_in(
        &self,
        volume: &Path,
        basis: &str,
        unique_id: &Uid,
    ) -> anyhow::Result<()> {
        let basis = self.fields.pseudonym(BASIS, basis)?;
        self.connections.write(|connection| {
            let row = (
                volumes::path.eq(volume.to_string_lossy()),
                volumes::basis.eq(basis),
                volumes::unique_id.eq(unique_id.as_str()),
            );
            diesel::replace_into(volumes::table)
                .values(row)
                .execute(connection)?;
            let kept_back = quarantined::table
                .filter(quarantined::path.eq(volume.to_string_lossy()))
                .filter(quarantined::volume.eq(true))
                .filter(quarantined::released.eq(false));
            diesel::delete(kept_back).execute(connection)?;
            Ok(())
        })
    }

    /// Keeps a volume back. The same file is kept back once.
    pub(in crate::imaging) fn quarantine_volume(
        &self,
        kept: &KeptVolume<'_>,
    ) -> anyhow::Result<()> {
        let path = kept.path.to_string_lossy();
        let (patient_id, reasons) = self.kept_back(&path, kept.patient_id, kept.reasons)?;
        self.connections.write(|connection| {
            let row = (
                quarantined::study_uid.eq(""),
                quarantined::series_uid.eq(""),
                quarantined::uid.eq(kept.unique_id.as_str()),
                quarantined::patient_id.eq(patient_id),
                quarantined::arrived.eq(kept.arrived),
                quarantined::origin.eq(kept.origin),
                quarantined::reasons.eq(reasons),
                quarantined::path.eq(&path),
                quarantined::volume.eq(true),
            );
            diesel::replace_into(quarantined::table)
                .values(row)
                .execute(connection)?;
            Ok(())
        })
    }
}
