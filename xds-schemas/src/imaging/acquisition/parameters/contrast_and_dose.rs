//! Contrast agents (PS3.3 C.7.6.4) and what radiation the patient got.

use super::{Parameter, code, number, text};

#[rustfmt::skip]
pub(super) const PARAMETERS: &[Parameter] = &[
    text("ContrastBolusAgent", "Contrast agent"),
    code("ContrastBolusAgentSequence", "Contrast agent: CID 12"),
    text("ContrastBolusRoute", "Way in which it was given"),
    code("ContrastBolusAdministrationRouteSequence", "Way in which it was given: CID 11"),
    number("ContrastBolusVolume", "mL", "Volume that was given, diluted"),
    number("ContrastBolusTotalDose", "mL", "Volume of undiluted agent"),
    number("ContrastFlowRate", "mL/s", "Rates of the injection"),
    number("ContrastFlowDuration", "s", "Durations of the injection"),
    text("ContrastBolusIngredient", "IODINE, GADOLINIUM, CARBON DIOXIDE, BARIUM"),
    code("ContrastBolusIngredientCodeSequence", "Active ingredient: CID 13"),
    number("ContrastBolusIngredientConcentration", "mg/mL", "Concentration of the ingredient"),
    code("InterventionDrugCodeSequence", "Drug given for the examination: CID 10"),

    number("CTDIvol", "mGy", "Volume computed tomography dose index"),
    code("CTDIPhantomTypeCodeSequence", "Phantom to which CTDIvol refers: CID 4052"),
    number("WaterEquivalentDiameter", "mm", "Diameter of a cylinder of water that attenuates as much"),
    number("doseLengthProduct", "mGy.cm", "DLP, where the images say it"),
    number("EstimatedDoseSaving", "%", "Dose saved by modulation"),
    number("EntranceDoseInmGy", "mGy", "Dose where the beam enters"),
    text("EntranceDoseDerivation", "How the entrance dose was found"),
    number("OrganDose", "mGy", "Mean dose of the organ; in mammography, glandular"),
    number("ImageAndFluoroscopyAreaDoseProduct", "dGy.cm2", "Dose area product"),
];
