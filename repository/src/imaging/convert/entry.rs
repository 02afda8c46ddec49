//! DocumentEntry and SubmissionSet of a volume that was made of a series.

use hilum_dicom::scan::{Series, Study};
use hilum_dicom::volume::Plan;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{AssociationType, EntryUuid, Submission, UniqueId};

use super::Beside;
use crate::imaging::document_entry::{document_entry, utc};
use crate::imaging::import::Importing;
use crate::imaging::volumes::{
    self, COMMENT_CHARACTERS, Names, PreparedDocument, format_code, parameters, slots,
};

/// Titles may have this many characters (ITI TF-3 4.2.3.2.24).
const TITLE_CHARACTERS: usize = 128;

/// What a volume is handed in with: all that the manifest's entry says of this series and its patient,
/// and what the volume is.
pub(super) fn submission(
    importing: &Importing<'_>,
    beside: &Beside<'_>,
    series: &Series,
    plan: &Plan,
    prepared: &PreparedDocument,
) -> (Names, Submission) {
    let (config, patient) = (importing.config, &beside.patient);
    let made_of = format!("{}/{}", beside.manifest.sop_instance_uid, series.uid);
    let names = Names::of(&config.repository_unique_id, patient, prepared, &made_of);
    let study = Study {
        series: vec![series.clone()],
        ..beside.study.clone()
    };
    let manifest = beside.manifest;
    let mut entry = document_entry(config, importing.codes, patient, &study, manifest, &[]);
    entry.entry_uuid = EntryUuid(names.entry_uuid.clone());
    entry.unique_id = UniqueId::from(names.document.as_str());
    prepared.words.mime_type.clone_into(&mut entry.mime_type);
    entry.format_code = Some(format_code(prepared));
    entry.creation_time = utc(importing.now);
    entry.hash = Some(prepared.sha1.clone());
    entry.size = Some(prepared.size);
    entry.title = Some(InternationalString::of(title(series)));
    let notes = plan.notes.join(" ");
    let notes: String = notes.chars().take(COMMENT_CHARACTERS).collect();
    entry.comments = (!notes.is_empty()).then(|| InternationalString::of(notes));
    let acquired = match series.acquired.is_empty() {
        true => parameters(prepared, &series.uid),
        false => series.acquired.series(&series.uid),
    };
    entry.extra.slots = slots(prepared, &acquired);
    let mut submission = volumes::submission(importing, entry, &names);
    let target = beside.target.clone();
    let uuid = EntryUuid(names.entry_uuid.clone());
    submission.relate(uuid, AssociationType::Transform, target);
    (names, submission)
}

/// Series Description, or else what it is.
fn title(series: &Series) -> String {
    let number = series.facts.number;
    let plain = || {
        let modality = series.facts.modality.as_deref().unwrap_or("imaging");
        match number {
            Some(number) => format!("{modality} series {number}"),
            None => format!("{modality} series"),
        }
    };
    let title = series.facts.description.clone().unwrap_or_else(plain);
    title.chars().take(TITLE_CHARACTERS).collect()
}
