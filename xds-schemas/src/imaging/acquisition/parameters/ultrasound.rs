//! Ultrasound (PS3.3 C.8.5), intravascular as well.

use super::{Parameter, code, count, number, text};

#[rustfmt::skip]
pub(super) const PARAMETERS: &[Parameter] = &[
    text("TransducerType", "SECTOR_PHASED, CURVED LINEAR, LINEAR"),
    text("TransducerData", "Transducer as the manufacturer has it"),
    number("TransducerFrequency", "kHz", "Frequency of the transducer in a region of the image"),
    number("PulseRepetitionFrequency", "Hz", "Pulses in a second"),
    number("DopplerCorrectionAngle", "deg", "Angle of the Doppler correction"),
    number("SteeringAngle", "deg", "Angle of the beam"),
    number("DepthOfScanField", "mm", "Depth"),
    count("MechanicalIndex", "MI"),
    count("BoneThermalIndex", "TIB"),
    count("CranialThermalIndex", "TIC"),
    count("SoftTissueThermalIndex", "TIS"),
    count("SoftTissueFocusThermalIndex", "TIS at the focus"),
    count("SoftTissueSurfaceThermalIndex", "TIS at the surface"),
    count("UltrasoundColorDataPresent", "1 if there is colour Doppler"),
    text("OutputPower", "Output power as the manufacturer has it"),
    text("ProcessingFunction", "Processing of the signal"),
    text("PostprocessingFunction", "Processing of the image"),
    text("StageName", "Stage of a stress examination"),
    text("ViewName", "View of a stage"),
    code("TransducerScanPatternCodeSequence", "Scan pattern: CID 12032"),
    code("TransducerGeometryCodeSequence", "Geometry of the transducer: CID 12033"),
    code("TransducerApplicationCodeSequence", "Place of the transducer: CID 12035"),
    text("IVUSAcquisition", "MOTOR_PULLBACK, MANUAL_PULLBACK, SELECTIVE, GATED_PULLBACK"),
    number("IVUSPullbackRate", "mm/s", "Speed of the pullback"),
];
