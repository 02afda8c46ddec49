//! The codes of described manifests: what content items are named, modalities, regions.

use serde::{Deserialize, Serialize};

use crate::instance::CodedConcept;
use crate::scan::Series;

/// Code value, coding scheme designator, code meaning.
pub(crate) type Code<'a> = (&'a str, &'a str, &'a str);

/// Under which codes a MADO manifest is written. Those of the trial implementation are temporary;
/// DICOM has given final ones since (CP-2595).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadoCodes {
    /// `MADOTEMP001` and others of scheme `99IHE`: IHE RAD MADO rev. 1.1, March 2026.
    #[default]
    Temporary,
    /// 131560 to 131565 of scheme `DCM`.
    Dicom,
}

/// What a content item is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concept {
    ManifestWithDescription,
    SeriesDescription,
    SeriesDate,
    SeriesTime,
    SeriesRelatedInstances,
    StudyRelatedSeries,
    DocumentTitle,
    DocumentTitleModifier,
    ImageLibrary,
    ImageLibraryGroup,
    InstanceNumber,
    KeyObjectDescription,
    Modality,
    NumberOfFrames,
    ProcedureCode,
    SeriesInstanceUid,
    SeriesNumber,
    TargetRegion,
}

impl Concept {
    /// The code, and for those that had others before: the temporary one, and that of the drafts.
    const fn codes(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::ManifestWithDescription => (
                "131560",
                &["MADOTEMP001", "ddd001"],
                "Manifest with Description",
            ),
            Self::SeriesDate => ("131561", &["MADOTEMP003", "ddd003"], "Series Date"),
            Self::SeriesTime => ("131562", &["MADOTEMP004", "ddd004"], "Series Time"),
            Self::SeriesDescription => ("131563", &["MADOTEMP002", "ddd002"], "Series Description"),
            Self::SeriesRelatedInstances => (
                "131564",
                &["MADOTEMP007", "ddd007"],
                "Number of Series Related Instances",
            ),
            Self::StudyRelatedSeries => (
                "131565",
                &["MADOTEMP009", "ddd009"],
                "Number of Study Related Series",
            ),
            Self::DocumentTitle => ("121144", &[], "Document Title"),
            Self::DocumentTitleModifier => ("113011", &[], "Document Title Modifier"),
            Self::ImageLibrary => ("111028", &[], "Image Library"),
            Self::ImageLibraryGroup => ("126200", &[], "Image Library Group"),
            Self::InstanceNumber => ("113609", &[], "Instance Number"),
            Self::KeyObjectDescription => ("113012", &[], "Key Object Description"),
            Self::Modality => ("121139", &[], "Modality"),
            Self::NumberOfFrames => ("121140", &[], "Number of Frames"),
            Self::ProcedureCode => ("121023", &[], "Procedure Code"),
            Self::SeriesInstanceUid => ("112002", &[], "Series Instance UID"),
            Self::SeriesNumber => ("113607", &[], "Series Number"),
            Self::TargetRegion => ("123014", &[], "Target Region"),
        }
    }

    /// The code under which it is written.
    pub(crate) const fn code(self, codes: MadoCodes) -> Code<'static> {
        match (codes, self.codes()) {
            (MadoCodes::Temporary, (_, [temporary, ..], meaning)) => (temporary, "99IHE", meaning),
            (_, (code, _, meaning)) => (code, "DCM", meaning),
        }
    }

    /// Whether a name means it. The scheme does not count: drafts got it wrong, and no two schemes
    /// use the same value for different things here.
    pub(crate) fn is_named(self, name: &CodedConcept) -> bool {
        let (code, others, _) = self.codes();
        name.value == code || others.contains(&name.value.as_str())
    }
}

/// Modalities: PS3.16 CID 29, which acquire, then CID 32, which do not.
#[rustfmt::skip]
const MODALITIES: [(&str, &str); 78] = [
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
    ("ANN", "Annotation"),
    ("ASMT", "Content Assessment Result"),
    ("AU", "Audio"),
    ("CTPROTOCOL", "CT Protocol"),
    ("DOC", "Document"),
    ("FID", "Fiducials"),
    ("HC", "Hard Copy"),
    ("IOL", "Intraocular Lens Calculation"),
    ("KO", "Key Object Selection"),
    ("M3D", "Model for 3D Manufacturing"),
    ("MPR", "Multi-planar reconstruction"),
    ("OT", "Other Modality"),
    ("PLAN", "Plan"),
    ("PR", "Presentation State"),
    ("REG", "Registration"),
    ("RTDOSE", "RT Dose"),
    ("RTINTENT", "RT Intent"),
    ("RTPLAN", "RT Plan"),
    ("RTRAD", "RT Radiation"),
    ("RTRECORD", "RT Treatment Record"),
    ("RTSEGANN", "RT Segment Annotation"),
    ("RTSTRUCT", "RT Structure Set"),
    ("RWV", "Real World Value Map"),
    ("SEG", "Segmentation"),
    ("SR", "Structured Report Document"),
    ("STAIN", "Automated Slide Stainer"),
    ("TEXTUREMAP", "Texture Map"),
];
const ACQUIRE: usize = 51;

/// The code of a series' modality, and whether it acquires something. Unknown ones are "other".
pub(super) fn modality(series: &Series) -> (Code<'static>, bool) {
    let said = series.facts.modality.as_deref().unwrap_or_default();
    let at = MODALITIES.iter().position(|(code, _)| *code == said);
    match at {
        Some(at) => {
            let (code, meaning) = MODALITIES[at];
            ((code, "DCM", meaning), at < ACQUIRE)
        }
        None => (("OT", "DCM", "Other Modality"), false),
    }
}

/// High-level regions (CID IHE-MADO1, 1.3.6.1.4.1.19376.1.1.86.1).
const BODY: Code<'_> = ("38266002", "SCT", "Entire body");
const HEAD: Code<'_> = ("774007", "SCT", "Head and neck");
const UPPER_TRUNK: Code<'_> = ("67734004", "SCT", "Upper trunk");
const LOWER_TRUNK: Code<'_> = ("63337009", "SCT", "Lower trunk");
const UPPER_LIMB: Code<'_> = ("53120007", "SCT", "Upper limb");
const LOWER_LIMB: Code<'_> = ("61685007", "SCT", "Lower limb");
const VESSELS: Code<'_> = ("113257007", "SCT", "Cardiovascular system");
const HEART: Code<'_> = ("80891009", "SCT", "Heart");
const BREAST: Code<'_> = ("76752008", "SCT", "Breast");
const SPINE: Code<'_> = ("1141981001", "SCT", "Vertebral Column");

/// Body Part Examined (PS3.16 annex L), its SNOMED CT code and meaning, and in which high-level
/// region it lies.
#[rustfmt::skip]
const REGIONS: [(&str, &str, &str, Code<'_>); 62] = [
    ("WHOLEBODY", "38266002", "Entire body", BODY),
    ("HEAD", "69536005", "Head", HEAD),
    ("HEADNECK", "774007", "Head and neck", HEAD),
    ("SKULL", "89546000", "Skull", HEAD),
    ("BRAIN", "12738006", "Brain", HEAD),
    ("NECK", "45048000", "Neck", HEAD),
    ("EYE", "81745001", "Eye", HEAD),
    ("ORBIT", "363654007", "Orbit", HEAD),
    ("FACE", "89545001", "Face", HEAD),
    ("JAW", "661005", "Jaw region", HEAD),
    ("MAXILLA", "70925003", "Maxilla", HEAD),
    ("MANDIBLE", "91609006", "Mandible", HEAD),
    ("EAR", "117590005", "Ear", HEAD),
    ("SINUS", "2095001", "Nasal sinus", HEAD),
    ("PITUITARY", "56329008", "Pituitary", HEAD),
    ("THYROID", "69748006", "Thyroid", HEAD),
    ("LARYNX", "4596009", "Larynx", HEAD),
    ("CHEST", "51185008", "Chest", UPPER_TRUNK),
    ("UPPERTRUNK", "67734004", "Upper trunk", UPPER_TRUNK),
    ("LUNG", "39607008", "Lung", UPPER_TRUNK),
    ("MEDIASTINUM", "72410000", "Mediastinum", UPPER_TRUNK),
    ("ESOPHAGUS", "32849002", "Esophagus", UPPER_TRUNK),
    ("RIB", "113197003", "Rib", UPPER_TRUNK),
    ("STERNUM", "56873002", "Sternum", UPPER_TRUNK),
    ("CLAVICLE", "51299004", "Clavicle", UPPER_TRUNK),
    ("SCAPULA", "79601000", "Scapula", UPPER_TRUNK),
    ("HEART", "80891009", "Heart", HEART),
    ("BREAST", "76752008", "Breast", BREAST),
    ("ABDOMEN", "113345001", "Abdomen", LOWER_TRUNK),
    ("LOWERTRUNK", "63337009", "Lower trunk", LOWER_TRUNK),
    ("ABDOMENPELVIS", "416949008", "Abdomen and Pelvis", LOWER_TRUNK),
    ("LIVER", "10200004", "Liver", LOWER_TRUNK),
    ("KIDNEY", "64033007", "Kidney", LOWER_TRUNK),
    ("PANCREAS", "15776009", "Pancreas", LOWER_TRUNK),
    ("SPLEEN", "78961009", "Spleen", LOWER_TRUNK),
    ("STOMACH", "69695003", "Stomach", LOWER_TRUNK),
    ("COLON", "71854001", "Colon", LOWER_TRUNK),
    ("RECTUM", "34402009", "Rectum", LOWER_TRUNK),
    ("BLADDER", "89837001", "Bladder", LOWER_TRUNK),
    ("GALLBLADDER", "28231008", "Gallbladder", LOWER_TRUNK),
    ("PELVIS", "12921003", "Pelvis", LOWER_TRUNK),
    ("PROSTATE", "41216001", "Prostate", LOWER_TRUNK),
    ("UTERUS", "35039007", "Uterus", LOWER_TRUNK),
    ("SPINE", "421060004", "Spine", SPINE),
    ("CSPINE", "122494005", "Cervical spine", SPINE),
    ("TSPINE", "122495006", "Thoracic spine", SPINE),
    ("LSPINE", "122496007", "Lumbar spine", SPINE),
    ("SSPINE", "54735007", "Sacrum", SPINE),
    ("ARM", "53120007", "Upper limb", UPPER_LIMB),
    ("SHOULDER", "16982005", "Shoulder", UPPER_LIMB),
    ("HUMERUS", "85050009", "Humerus", UPPER_LIMB),
    ("ELBOW", "127949000", "Elbow", UPPER_LIMB),
    ("FOREARM", "14975008", "Forearm", UPPER_LIMB),
    ("WRIST", "74670003", "Wrist joint", UPPER_LIMB),
    ("HAND", "85562004", "Hand", UPPER_LIMB),
    ("LEG", "61685007", "Lower limb", LOWER_LIMB),
    ("HIP", "29836001", "Hip", LOWER_LIMB),
    ("FEMUR", "71341001", "Femur", LOWER_LIMB),
    ("KNEE", "72696002", "Knee", LOWER_LIMB),
    ("ANKLE", "70258002", "Ankle joint", LOWER_LIMB),
    ("FOOT", "56459004", "Foot", LOWER_LIMB),
    ("", "113257007", "Cardiovascular system", VESSELS),
];

/// The regions that a series names by code, or else the one that it names by a word.
pub(super) fn regions(series: &Series) -> Vec<CodedConcept> {
    if !series.facts.anatomic_regions.is_empty() {
        return series.facts.anatomic_regions.clone();
    }
    let word = series.facts.body_part.as_deref().unwrap_or_default();
    let found = REGIONS
        .iter()
        .find(|(known, ..)| !known.is_empty() && *known == word);
    let concept = |(_, code, meaning, _): &(&str, &str, &str, Code<'_>)| CodedConcept {
        value: (*code).to_owned(),
        scheme: "SCT".to_owned(),
        meaning: (*meaning).to_owned(),
    };
    found.map(concept).into_iter().collect()
}

/// In which high-level regions what was examined lies. If no series says, that is somewhere in the
/// body.
pub(super) fn high_level<'a>(series: impl Iterator<Item = &'a Series>) -> Vec<CodedConcept> {
    let fine = series.flat_map(regions);
    let mut found: Vec<Code<'_>> = Vec::new();
    for region in fine {
        let known = REGIONS
            .iter()
            .find(|(_, code, ..)| region.scheme == "SCT" && *code == region.value);
        if let Some((.., high)) = known
            && !found.contains(high)
        {
            found.push(*high);
        }
    }
    if found.is_empty() {
        found.push(BODY);
    }
    let concept = |(value, scheme, meaning): Code<'_>| CodedConcept {
        value: value.to_owned(),
        scheme: scheme.to_owned(),
        meaning: meaning.to_owned(),
    };
    found.into_iter().map(concept).collect()
}
