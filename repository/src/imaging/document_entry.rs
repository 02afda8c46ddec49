//! DocumentEntry and SubmissionSet of a manifest, from what the study says (RAD TF-2: 4.68.4.1.2.3).

use std::time::SystemTime;

use sha1::{Digest, Sha1};
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::hl7;
use xds_schemas::metadata::patient_id::id_type;
use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, EntryUuid, Extra, PatientId, ReferenceId,
    Submission, SubmissionSet, Timestamp, UniqueId,
};
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;

use super::ImagingConfig;
use super::manifest::Manifest;
use super::{concepts, findings};
use hilum_dicom::instance::{Accession, Order, Patient};
use hilum_dicom::manifest::{ManifestFormat, mado};
use hilum_dicom::moment::{UtcOffset, date_and_time, point_in_time};
use hilum_dicom::scan::Study;
use hilum_dicom::specimens;

/// The patient of a study in the affinity domain: its Patient ID (0010,0020), taken as one of the
/// domain's authority. `None` if the study names nobody.
pub(super) fn patient_id(config: &ImagingConfig, study: &Study) -> Option<PatientId> {
    domain_patient(config, &study.patient)
}

/// The same of a patient.
pub(super) fn domain_patient(config: &ImagingConfig, patient: &Patient) -> Option<PatientId> {
    let id = patient.id.as_deref()?;
    Some(PatientId::new(id, &config.patient_id_authority))
}

/// Another authority that the study says gave it its Patient ID.
pub(super) fn foreign_issuer<'a>(config: &ImagingConfig, study: &'a Study) -> Option<&'a str> {
    let issuer = study.patient.issuer_oid.as_deref()?;
    (issuer != config.patient_id_authority).then_some(issuer)
}

/// The submission with which a manifest is handed in.
pub(super) fn submission(
    config: &ImagingConfig,
    entry: DocumentEntry,
    manifest: &Manifest,
) -> Submission {
    let set = SubmissionSet {
        title: entry.title.clone(),
        authors: entry.authors.clone(),
        content_type_code: Some(config.department.content_type_code.clone()),
        patient_id: entry.patient_id.clone(),
        submission_time: utc(manifest.made()),
        ..SubmissionSet::new(
            "SubmissionSet",
            manifest.submission_set_uid.as_str(),
            config.repository_unique_id.as_str(),
        )
    };
    let mut submission = Submission::new(set);
    let uuid = entry.entry_uuid.clone();
    submission.add_document(entry);
    if let Some(replaced) = &manifest.replaces {
        let replaced = EntryUuid(replaced.clone());
        submission.relate(uuid, AssociationType::Replace, replaced);
    }
    submission
}

/// The document entry of a manifest.
pub(super) fn document_entry(
    config: &ImagingConfig,
    domain: &AffinityCodes,
    patient: &PatientId,
    study: &Study,
    manifest: &Manifest,
    document: &[u8],
) -> DocumentEntry {
    let department = &config.department;
    let extra = Extra {
        slots: findings::slots(study),
        ..Extra::default()
    };
    let source_patient = source_patient_id(config, &study.patient, patient);
    let time = study_time(study, config.utc_offset);
    DocumentEntry {
        title: title(study).map(InternationalString::of),
        authors: author(study).into_iter().collect(),
        class_code: Some(department.class_code.clone()),
        confidentiality_codes: vec![department.confidentiality_code.clone()],
        event_codes: concepts::event_codes(config.manifests.format, study, domain),
        format_code: Some(Code::new(
            rad68::FORMAT_CODE,
            rad68::FORMAT_CODE_SCHEME,
            "Key Object Selection Document",
        )),
        healthcare_facility_type_code: Some(department.healthcare_facility_type_code.clone()),
        practice_setting_code: Some(department.practice_setting_code.clone()),
        type_code: concepts::type_code(study, domain)
            .or_else(|| Some(department.type_code.clone())),
        creation_time: utc(manifest.made()),
        hash: Some(hex(&Sha1::digest(document))),
        size: Some(document.len() as u64),
        language_code: Some(department.language_code.clone()),
        patient_id: Some(patient.clone()),
        source_patient_info: source_patient_info(&study.patient, &source_patient),
        source_patient_id: Some(source_patient),
        reference_ids: reference_ids(config, study),
        extra,
        // A study is a point in time as far as its files tell: nothing says when it ended.
        service_stop_time: time.clone(),
        service_start_time: time,
        ..DocumentEntry::new(
            manifest.entry_uuid.as_str(),
            UniqueId::from(manifest.sop_instance_uid.as_str()),
            rad68::MIME_TYPE,
        )
    }
}

/// Titles may have this many characters (ITI TF-3 4.2.3.2.24); Study Descriptions have fewer, but
/// not in every file.
const TITLE_CHARACTERS: usize = 128;

/// Study Description, or else what was examined with.
fn title(study: &Study) -> Option<String> {
    let of_modality = || {
        let modality = study.series.first()?.facts.modality.as_deref()?;
        Some(format!("{modality} study"))
    };
    let title = study.facts.description.clone().or_else(of_modality)?;
    Some(title.chars().take(TITLE_CHARACTERS).collect())
}

/// The institution: who examined and who read is not said in images, and the referring physician
/// is no author. XON (ITI TF-3 Table 4.2.3.1.7-2).
fn author(study: &Study) -> Option<Author> {
    let institution = study.facts.institution.as_deref()?;
    Some(Author {
        institutions: vec![hl7::escape(institution)],
        ..Author::default()
    })
}

/// Where the study was made, the Patient ID is one of the issuer that the file names; if it names
/// none by its OID, of the affinity domain's authority.
fn source_patient_id(
    config: &ImagingConfig,
    patient: &Patient,
    in_domain: &PatientId,
) -> PatientId {
    let issuer = patient.issuer_oid.as_deref().filter(|oid| hl7::is_oid(oid));
    PatientId::new(
        in_domain.id.as_str(),
        issuer.unwrap_or(&config.patient_id_authority),
    )
}

/// PID-3, 5, 7 and 8, as far as the study has them.
fn source_patient_info(patient: &Patient, id: &PatientId) -> Vec<String> {
    let mut fields = vec![format!("PID-3|{id}")];
    if let Some(name) = &patient.name {
        let name = xpn(name);
        if !name.is_empty() {
            fields.push(format!("PID-5|{name}"));
        }
    }
    if let Some(date) = &patient.birth_date
        && date.len() == 8
        && Timestamp::parse(date).is_ok()
    {
        fields.push(format!("PID-7|{date}"));
    }
    if let Some(sex) = &patient.sex
        && matches!(sex.as_str(), "M" | "F" | "O")
    {
        fields.push(format!("PID-8|{sex}"));
    }
    fields
}

/// The alphabetic group of a DICOM PN as an HL7 XPN. The last two components change places: DICOM
/// has prefix before suffix, HL7 has it behind.
fn xpn(name: &str) -> String {
    let alphabetic = name.split('=').next().unwrap_or_default();
    let parts: Vec<String> = alphabetic
        .split('^')
        .map(|it| hl7::escape(it.trim()))
        .collect();
    let part = |at: usize| parts.get(at).map_or("", String::as_str);
    let xpn = [part(0), part(1), part(2), part(4), part(3)].join("^");
    xpn.trim_end_matches('^').to_owned()
}

/// The study itself, every accession number, every order and every specimen, once.
fn reference_ids(config: &ImagingConfig, study: &Study) -> Vec<ReferenceId> {
    let site = &config.manifests;
    let accession = |accession: &Accession| {
        let issuer = accession.issuer_oid.as_deref();
        match issuer.or(site.accession_issuer.as_deref()) {
            Some(oid) if hl7::is_oid(oid) => ReferenceId::accession(&accession.number, oid),
            _ => ReferenceId {
                id: accession.number.clone(),
                authority: None,
                id_type: id_type::ACCESSION.to_owned(),
            },
        }
    };
    // An order is nobody's without the one who placed it (ITI TF-3 Table 4.2.3.1.7-2).
    let order = |order: &Order| {
        let issuer = order.issuer_oid.as_deref();
        let oid = issuer.or(site.order_issuer.as_deref())?;
        hl7::is_oid(oid).then(|| ReferenceId {
            id_type: id_type::ORDER.to_owned(),
            ..ReferenceId::accession(&order.number, oid)
        })
    };
    // A described manifest of a study without accession number makes one up.
    let accessions = match site.format {
        ManifestFormat::Kos => study.accessions.clone(),
        ManifestFormat::Mado => mado::accessions(study),
    };
    let specimens = study.instances().flat_map(|it| &it.specimens);
    let all = std::iter::once(ReferenceId::study(study.uid.as_str()))
        .chain(accessions.iter().map(accession))
        .chain(study.orders.iter().filter_map(order))
        .chain(specimens::reference_ids(specimens));
    let mut once: Vec<ReferenceId> = Vec::new();
    for reference in all {
        if !once.contains(&reference) {
            once.push(reference);
        }
    }
    once
}

/// Study Date and Time in UTC, as precisely as they are known: a date alone stays as it is.
fn study_time(study: &Study, usual: UtcOffset) -> Option<Timestamp> {
    let (date, time) = (study.facts.date.as_deref()?, study.facts.time.as_deref());
    let offset = study.utc_offset(usual);
    let Some(time) = time else {
        let midnight = point_in_time(date, None, UtcOffset::default())?;
        let (date, _) = date_and_time(midnight, UtcOffset::default());
        return Timestamp::parse(&date).ok();
    };
    utc(point_in_time(date, Some(time), offset)?)
}

/// As `hash` is written.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn utc(at: SystemTime) -> Option<Timestamp> {
    let (date, time) = date_and_time(at, UtcOffset::default());
    Timestamp::parse(&format!("{date}{time}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_hl7_writes_them() {
        assert_eq!(xpn("Doe^Jane^Q^Dr.^Jr."), "Doe^Jane^Q^Jr.^Dr.");
        assert_eq!(xpn("Hilum^Anna"), "Hilum^Anna");
        assert_eq!(xpn("Yamada^Tarou=山田^太郎"), "Yamada^Tarou");
        assert_eq!(xpn("A&B^C|D"), r"A\T\B^C\F\D");
        assert_eq!(xpn("^^^^"), "");
    }
}
