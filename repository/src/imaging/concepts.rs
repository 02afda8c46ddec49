//! What DICOM says about a study, in codes of XDS: acquisition modalities and anatomic regions.

use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};
use xds_schemas::metadata::Code;

use super::{LOINC, SNOMED_CT};
use hilum_dicom::anatomy;
use hilum_dicom::instance::CodedConcept;
use hilum_dicom::manifest::ManifestFormat;
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

/// `eventCodeList` of a study: its acquisition modalities, then its anatomic regions, and of described
/// manifests (MADO, mapping to XDS) its procedures, each once.
/// What the affinity domain has no code for is left out, since the list is optional and a
/// registry refuses foreign codes; of a region it may have the code of any edition of PS3.16.
pub(super) fn event_codes(
    format: ManifestFormat,
    study: &Study,
    domain: &AffinityCodes,
) -> Vec<Code> {
    let modalities = study.series.iter().filter_map(modality);
    let regions = study.series.iter().flat_map(regions);
    let procedures = study.facts.procedure_codes.iter().filter_map(code);
    let procedures = procedures.filter(|_| format == ManifestFormat::Mado);
    of_domain(modalities.chain(regions).chain(procedures), domain)
}

/// The acquisition modality of this name, if the affinity domain has a code for it.
pub(super) fn modality_code(modality: &str, domain: &AffinityCodes) -> Vec<Code> {
    of_domain(acquiring(modality).into_iter(), domain)
}

fn of_domain(found: impl Iterator<Item = Code>, domain: &AffinityCodes) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    for code in found {
        let allowed = |code: &Code| domain.allows(CodeKind::EventCode, &code.code, &code.scheme);
        let region = anatomy::by_snomed_ct(&code.code).filter(|_| code.scheme == SNOMED_CT);
        let editions = region.into_iter().flat_map(anatomy::Region::codes);
        let code = std::iter::once(code).chain(editions).find(allowed);
        codes.extend(code.filter(|code| !codes.iter().any(|known| known.means(code))));
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
    acquiring(series.facts.modality.as_deref()?)
}

fn acquiring(modality: &str) -> Option<Code> {
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
    let of_word = word.and_then(anatomy::by_word);
    let of_word = of_word.map(anatomy::Region::code);
    coded.into_iter().chain(of_word).collect()
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
            return anatomy::by_snomed_rt(&concept.value).map(anatomy::Region::code);
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
        let chest = code(&concept("816094009", "SCT")).unwrap();
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
    }

    #[test]
    fn a_region_is_said_in_the_edition_of_the_domain() {
        let one = |code: &str| {
            format!(
                r#"<Codes><CodeType name="eventCodeList"
                    classScheme="urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4">
                    <Code code="{code}" codingScheme="{SNOMED_CT}"/></CodeType></Codes>"#
            )
        };
        for code in ["51185008", "816094009"] {
            let domain = AffinityCodes::parse(&one(code)).unwrap();
            let chest = anatomy::by_word("CHEST").unwrap().codes();
            let found = of_domain(chest, &domain);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].code, code);
            let head = anatomy::by_word("HEAD").unwrap().codes();
            assert!(of_domain(head, &domain).is_empty());
        }
    }
}
