//! What is acquired of whom, and with which device. Of the patient only what bears on the images:
//! no name, number, date of birth or comment.

use super::{Parameter, code, number, text};

#[rustfmt::skip]
pub(super) const PARAMETERS: &[Parameter] = &[
    text("Modality", "Kind of device, as in CID 29 and 33"),
    text("SOPClassUID", "Kind of object"),
    text("ImageType", "Each of its values: ORIGINAL, PRIMARY, AXIAL"),
    text("ProtocolName", "Name of the protocol on the device"),
    text("AcquisitionProtocolName", "Name of the acquisition protocol, of enhanced objects"),
    code("ProcedureCodeSequence", "Procedure that was performed"),
    code("PerformedProtocolCodeSequence", "Protocol that was performed"),
    text("PresentationIntentType", "FOR PRESENTATION or FOR PROCESSING"),
    text("QualityControlImage", "Whether it was made of a phantom, for quality control"),
    text("BurnedInAnnotation", "Whether text that identifies is part of the pixels"),

    code("bodyPart", "Anatomic region, SNOMED CT where that is known"),
    text("BodyPartExamined", "Body part as the device has it"),
    code("laterality", "Side: CID 244"),
    text("PatientPosition", "How the patient lies in the device: HFS, FFP"),
    text("PatientOrientation", "Directions of rows and columns: A\\F"),
    code("PatientOrientationCodeSequence", "How the patient is oriented to gravity"),
    code("PatientOrientationModifierCodeSequence", "More of how the patient lies"),
    code("PatientGantryRelationshipCodeSequence", "Head first or feet first"),
    number("PatientAge", "a", "Age at acquisition"),
    text("PatientSex", "M, F or O"),
    number("PatientSize", "m", "Height of the patient"),
    number("PatientWeight", "kg", "Weight of the patient"),

    text("Manufacturer", "Manufacturer of the device"),
    text("ManufacturerModelName", "Model of the device"),
    text("DeviceSerialNumber", "Serial number of the device"),
    text("DeviceUID", "Unique identifier of the device"),
    text("SoftwareVersions", "Versions of its software"),
    text("StationName", "Name of the station"),
    text("InstitutionalDepartmentName", "Department that has the device"),
    text("DetectorType", "DIRECT, SCINTILLATOR, STORAGE, FILM"),
    text("DetectorID", "Identifier of the detector"),
    text("DetectorConfiguration", "AREA or SLOT"),
    text("DetectorDescription", "What detector it is"),
    text("DetectorMode", "Mode of the detector"),
];
