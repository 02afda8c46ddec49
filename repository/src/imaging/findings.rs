//! What a manifest's document entry says beyond the attributes of IHE: how the series were made, and
//! what was measured on them (`docs/imaging-metadata.md`).

use hilum_dicom::scan::Study;
use xds_schemas::ebrim::Slot;
use xds_schemas::imaging::{acquisition, measurement};

/// The extra slots of a study.
pub(super) fn slots(study: &Study) -> Vec<Slot> {
    let made = study.series.iter().filter(|it| !it.acquired.is_empty());
    let made: Vec<_> = made.map(|it| it.acquired.series(&it.uid)).collect();
    let measured: Vec<_> = study
        .instances()
        .filter_map(|it| it.measured.as_ref())
        .collect();
    let left_out = measured.iter().map(|it| it.left_out).sum();
    let values = measured.iter().flat_map(|it| &it.measurements);
    let values = values.map(measurement::Measurement::to_values);
    let mut slots = acquisition::to_slots(&made);
    slots.extend(measurement::numbered(values, left_out));
    slots
}
