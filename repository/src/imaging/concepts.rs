//! What DICOM says about a study, in codes of XDS: acquisition modalities and anatomic regions.

use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};
use xds_schemas::metadata::Code;

use super::{LOINC, SNOMED_CT};
use hilum_dicom::instance::CodedConcept;
use hilum_dicom::scan::{Series, Study};

/// The codes that DICOM itself defines (PS3.16 annex D).
const DCM: &str = "1.2.840.10008.2.16.4";

/// Modalities that acquire something: PS3.16 CID 29. Others, like SR, PR and KO, say nothing about
/// how a study was made.
#[rustfmt::skip]
const MODALITIES: [(&str, &str); 51] = [
    ("AR", "Autorefraction"),
    ("BDUS", "Ultrasound Bone Densitometry"),
    ("BI", "Biomagnetic Imaging"),
    ("BMD", "Bone Mineral Densitometry"),
    ("CFM", "Confocal Microscopy"),
    ("CR", "Computed Radiography"),
    ("CT", "Computed Tomography"),
    ("DG", "Diaphanography"),
    ("DMS", "Dermoscopy"),
    ("DX", "Digital Radiography"),
    ("ECG", "Electrocardiography"),
    ("EEG", "Electroencephalography"),
    ("EMG", "Electromyography"),
    ("EOG", "Electrooculography"),
    ("EPS", "Cardiac Electrophysiology"),
    ("ES", "Endoscopy"),
    ("GM", "General Microscopy"),
    ("HD", "Hemodynamic Waveform"),
    ("IO", "Intra-oral Radiography"),
    ("IVOCT", "Intravascular Optical Coherence Tomography"),
    ("IVUS", "Intravascular Ultrasound"),
    ("KER", "Keratometry"),
    ("LEN", "Lensometry"),
    ("LS", "Laser Scan"),
    ("MG", "Mammography"),
    ("MR", "Magnetic Resonance"),
    ("NM", "Nuclear Medicine"),
    ("OAM", "Ophthalmic Axial Measurements"),
    ("OCT", "Optical Coherence Tomography"),
    ("OP", "Ophthalmic Photography"),
    ("OPM", "Ophthalmic Mapping"),
    ("OPT", "Ophthalmic Tomography"),
    ("OPTBSV", "Ophthalmic Tomography B-scan Volume Analysis"),
    ("OPTENF", "Ophthalmic Tomography En Face"),
    ("OPV", "Ophthalmic Visual Field"),
    ("OSS", "Optical Surface Scanner"),
    ("PA", "Photoacoustic"),
    ("POS", "Position Sensor"),
    ("PT", "Positron emission tomography"),
    ("PX", "Panoramic X-Ray"),
    ("RESP", "Respiratory Waveform"),
    ("RF", "Radiofluoroscopy"),
    ("RG", "Radiographic imaging"),
    ("RTIMAGE", "RT Image"),
    ("SM", "Slide Microscopy"),
    ("SRF", "Subjective Refraction"),
    ("TG", "Thermography"),
    ("US", "Ultrasound"),
    ("VA", "Visual Acuity"),
    ("XA", "X-Ray Angiography"),
    ("XC", "External-camera Photography"),
];

/// Anatomic regions: SNOMED CT code, its code in SNOMED RT, which older devices use, Body Part
/// Examined (PS3.16 annex L), and what it means.
#[rustfmt::skip]
const REGIONS: [(&str, &str, &str, &str); 30] = [
    ("38266002", "T-D0010", "WHOLEBODY", "Entire body"),
    ("69536005", "T-D1100", "HEAD", "Head"),
    ("89546000", "T-11100", "SKULL", "Skull"),
    ("12738006", "T-A0100", "BRAIN", "Brain"),
    ("45048000", "T-D1600", "NECK", "Neck"),
    ("774007", "T-D1000", "HEADNECK", "Head and Neck"),
    ("51185008", "T-D3000", "CHEST", "Chest"),
    ("39607008", "T-28000", "LUNG", "Lung"),
    ("80891009", "T-32000", "HEART", "Heart"),
    ("76752008", "T-04000", "BREAST", "Breast"),
    ("113345001", "T-D4000", "ABDOMEN", "Abdomen"),
    ("10200004", "T-62000", "LIVER", "Liver"),
    ("64033007", "T-71000", "KIDNEY", "Kidney"),
    ("12921003", "T-D6000", "PELVIS", "Pelvis"),
    ("41216001", "T-92000", "PROSTATE", "Prostate"),
    ("421060004", "T-D04FF", "SPINE", "Spine"),
    ("122494005", "T-11501", "CSPINE", "Cervical spine"),
    ("122495006", "T-11502", "TSPINE", "Thoracic spine"),
    ("122496007", "T-11503", "LSPINE", "Lumbar spine"),
    ("66019005", "T-D0300", "EXTREMITY", "Extremity"),
    ("53120007", "T-D8000", "ARM", "Upper limb"),
    ("16982005", "T-D2220", "SHOULDER", "Shoulder"),
    ("74670003", "T-15460", "WRIST", "Wrist joint"),
    ("85562004", "T-D8700", "HAND", "Hand"),
    ("61685007", "T-D9000", "LEG", "Lower limb"),
    ("29836001", "T-D2500", "HIP", "Hip"),
    ("72696002", "T-D9200", "KNEE", "Knee"),
    ("70258002", "T-15750", "ANKLE", "Ankle joint"),
    ("56459004", "T-D9700", "FOOT", "Foot"),
    ("113257007", "T-30000", "", "Cardiovascular system"),
];

/// `eventCodeList` of a study: its acquisition modalities, then its anatomic regions, each once.
/// What the affinity domain has no code for is left out, since the list is optional and a
/// registry refuses foreign codes.
pub(super) fn event_codes(study: &Study, domain: &AffinityCodes) -> Vec<Code> {
    let modalities = study.series.iter().filter_map(modality);
    let regions = study.series.iter().flat_map(regions);
    let mut codes: Vec<Code> = Vec::new();
    for code in modalities.chain(regions) {
        let allowed = domain.allows(CodeKind::EventCode, &code.code, &code.scheme);
        if allowed && !codes.iter().any(|known| known.means(&code)) {
            codes.push(code);
        }
    }
    codes
}

/// `typeCode` of a study: the first of its procedures that the affinity domain has as a type.
pub(super) fn type_code(study: &Study, domain: &AffinityCodes) -> Option<Code> {
    let procedures = study.facts.procedure_codes.iter();
    procedures.filter_map(code).find_map(|code| {
        // A kind that is not listed is not restricted; procedures are no types by themselves then.
        domain.code(CodeKind::TypeCode, &code.code, &code.scheme)
    })
}

fn modality(series: &Series) -> Option<Code> {
    let modality = series.facts.modality.as_deref()?;
    let (code, meaning) = MODALITIES.iter().find(|(code, _)| *code == modality)?;
    Some(Code::new(*code, DCM, *meaning))
}

/// The regions that a series names by code, or else the one that it names by a word.
fn regions(series: &Series) -> Vec<Code> {
    let coded: Vec<Code> = series
        .facts
        .anatomic_regions
        .iter()
        .filter_map(code)
        .collect();
    let word = series
        .facts
        .body_part
        .as_deref()
        .filter(|_| coded.is_empty());
    let of_word = word.and_then(|word| REGIONS.iter().find(|(_, _, known, _)| *known == word));
    let region =
        |(code, _, _, meaning): &(&str, &str, &str, &str)| Code::new(*code, SNOMED_CT, *meaning);
    coded.into_iter().chain(of_word.map(region)).collect()
}

/// A coded concept of DICOM, whose scheme has a short name (PS3.16 Table 8-1), with the OID that
/// XDS wants.
fn code(concept: &CodedConcept) -> Option<Code> {
    let scheme = match concept.scheme.as_str() {
        "SCT" => SNOMED_CT,
        "LN" => LOINC,
        "DCM" => DCM,
        "RADLEX" => "2.16.840.1.113883.6.256",
        // The regions are what old devices still write in SNOMED RT.
        "SRT" | "SNM3" | "99SDM" => {
            let (code, _, _, meaning) = REGIONS
                .iter()
                .find(|(_, old, _, _)| *old == concept.value)?;
            return Some(Code::new(*code, SNOMED_CT, *meaning));
        }
        _ => return None,
    };
    Some(Code::new(&concept.value, scheme, &concept.meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concept(value: &str, scheme: &str) -> CodedConcept {
        CodedConcept {
            value: value.to_owned(),
            scheme: scheme.to_owned(),
            meaning: "m".to_owned(),
        }
    }

    #[test]
    fn schemes_become_oids() {
        let chest = code(&concept("51185008", "SCT")).unwrap();
        let old = code(&concept("T-D3000", "SRT")).unwrap();
        assert!(chest.means(&old));
        assert_eq!(old.display.first(), Some("Chest"));
        assert_eq!(code(&concept("24627-2", "LN")).unwrap().scheme, LOINC);
        assert!(code(&concept("T-99999", "SRT")).is_none());
        assert!(code(&concept("X1", "99LOCAL")).is_none());
    }

    #[test]
    fn each_concept_stands_once_in_the_tables() {
        for (at, (code, _)) in MODALITIES.iter().enumerate() {
            assert!(MODALITIES[..at].iter().all(|(other, _)| other != code));
        }
        for (at, (sct, srt, word, _)) in REGIONS.iter().enumerate() {
            let others = &REGIONS[..at];
            assert!(
                others
                    .iter()
                    .all(|it| it.0 != *sct && it.1 != *srt && it.2 != *word)
            );
        }
    }
}
