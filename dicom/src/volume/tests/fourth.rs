//! Several images at each position.

use super::*;
use crate::nifti::{TimeAxis, TimeUnit};

/// Three positions, and at each images that `change` makes different; the first pixel of each says
/// where it lies and which it is.
pub(super) fn several(count: usize, change: impl Fn(Elements, usize) -> Elements) -> Vec<Vec<u8>> {
    let it = Slices::axial_ct();
    let mut files = Vec::new();
    for at in 0..3 {
        for volume in 0..count {
            let uid = format!("2.25.{at}.{volume}");
            let number = (volume * 3 + at + 1).to_string();
            let mut pixels = vec![at as u16; 120];
            pixels[110] = (at * 100 + volume) as u16;
            let slice = it
                .slice(at)
                .text(tags::SOP_INSTANCE_UID, VR::UI, &uid)
                .text(tags::INSTANCE_NUMBER, VR::IS, &number)
                .shorts(tags::PIXEL_DATA, VR::OW, pixels);
            files.push(change(slice, volume).part10(Syntax::Explicit));
        }
    }
    files
}

fn temporal(it: Elements, position: usize) -> Elements {
    it.text(
        tags::TEMPORAL_POSITION_IDENTIFIER,
        VR::IS,
        &position.to_string(),
    )
}

/// The plan, which images follow each other at the second position, and the fourth axis.
fn sorted(files: &[Vec<u8>]) -> (Plan, Vec<f64>, TimeAxis) {
    let folder = tempfile::tempdir().unwrap();
    let (plan, volume) = convert(&folder, &store(folder.path(), files));
    let first = |t| volume.value([0, 0, 1, t]);
    let order = (0..volume.size[3]).map(first).collect();
    let facts = nifti::verify(&folder.path().join("ours.nii.gz")).unwrap();
    (plan, order, facts.time.unwrap())
}

#[test]
fn time_by_temporal_positions() {
    // The latest volume is listed first.
    let (plan, order, time) = sorted(&several(3, |it, volume| {
        let clock = format!("1012{:04.1}", 2.5 * (3 - volume) as f64);
        temporal(it, 3 - volume).text(tags::ACQUISITION_TIME, VR::TM, &clock)
    }));
    assert_eq!(order, [102.0, 101.0, 100.0]);
    let expected = FourthDimension::Time {
        step_s: Some(2.5),
        starts_s: vec![0.0, 2.5, 5.0],
    };
    assert_eq!(plan.fourth, Some(expected));
    assert_eq!((time.step, time.unit), (2.5, TimeUnit::Second));
}

#[test]
fn time_over_midnight() {
    let (plan, order, _) = sorted(&several(2, |it, volume| {
        let [date, time] = [["20240229", "235955"], ["20240301", "000010"]][volume];
        it.text(tags::ACQUISITION_DATE, VR::DA, date)
            .text(tags::ACQUISITION_TIME, VR::TM, time)
    }));
    assert_eq!(order, [100.0, 101.0]);
    let expected = FourthDimension::Time {
        step_s: Some(15.0),
        starts_s: vec![0.0, 15.0],
    };
    assert_eq!(plan.fourth, Some(expected));
}

#[test]
fn unequal_steps_in_time_are_listed_and_no_step_is_stated() {
    let (plan, _, time) = sorted(&several(3, |it, volume| {
        let at = [0, 5000, 15000][volume].to_string();
        it.text(tags::FRAME_REFERENCE_TIME, VR::DS, &at)
    }));
    let expected = FourthDimension::Time {
        step_s: None,
        starts_s: vec![0.0, 5.0, 15.0],
    };
    assert_eq!(plan.fourth, Some(expected));
    assert_eq!((time.step, time.unit), (1.0, TimeUnit::Unknown));
    let sidecar: serde_json::Value = serde_json::from_str(&plan.sidecar()).unwrap();
    assert_eq!(
        sidecar["FrameTimesStart"],
        serde_json::json!([0.0, 5.0, 15.0])
    );
}

#[test]
fn echoes_are_no_time() {
    let (plan, order, time) = sorted(&several(2, |it, volume| {
        it.text(tags::ECHO_TIME, VR::DS, ["7.02", "4.56"][volume])
    }));
    assert_eq!(plan.fourth, Some(FourthDimension::Echo(vec![4.56, 7.02])));
    assert_eq!(order, [101.0, 100.0]);
    assert_eq!((time.step, time.unit), (1.0, TimeUnit::Unknown));
    let sidecar: serde_json::Value = serde_json::from_str(&plan.sidecar()).unwrap();
    assert_eq!(sidecar["EchoTime"], serde_json::json!([0.00456, 0.00702]));
}

fn double(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|it| it.to_le_bytes()).collect()
}

/// Unweighted, to the left, and to the back and up.
pub(super) fn weighted(it: Elements, volume: usize) -> Elements {
    let (b_value, direction) = [
        (0.0, None),
        (1000.0, Some([1.0, 0.0, 0.0])),
        (1000.0, Some([0.0, 0.6, 0.8])),
    ][volume];
    let it = it.bytes(tags::DIFFUSION_B_VALUE, VR::FD, double(&[b_value]));
    match direction {
        Some(parts) => it.bytes(tags::DIFFUSION_GRADIENT_ORIENTATION, VR::FD, double(&parts)),
        None => it,
    }
}

#[test]
fn diffusion_has_directions_along_the_stored_axes() {
    let (plan, order, _) = sorted(&several(3, weighted));
    // Of the same b-value, by direction.
    assert_eq!(order, [100.0, 102.0, 101.0]);
    assert_eq!(
        plan.fourth,
        Some(FourthDimension::Diffusion(vec![0.0, 1000.0, 1000.0]))
    );
    let [b_values, directions] = plan.gradients().unwrap();
    assert_eq!(b_values, "0 1000 1000\n");
    // To the back is against the stored columns.
    let expected =
        "0.000000 0.000000 1.000000\n0.000000 -0.600000 0.000000\n0.000000 0.800000 0.000000\n";
    assert_eq!(directions, expected);
}

#[test]
fn phases_of_the_heart() {
    let (plan, order, time) = sorted(&several(2, |it, volume| {
        it.text(tags::TRIGGER_TIME, VR::DS, ["350", "20"][volume])
    }));
    assert_eq!(
        plan.fourth,
        Some(FourthDimension::TriggerDelay(vec![20.0, 350.0]))
    );
    assert_eq!((order, time.unit), (vec![101.0, 100.0], TimeUnit::Unknown));
}

#[test]
fn more_than_one_difference_is_refused() {
    let two = several(4, |it, volume| {
        temporal(it, volume).text(tags::ECHO_TIME, VR::DS, ["4", "8"][volume % 2])
    });
    let expected = "there are 4 images at each position, and both echo and time differ";
    assert_eq!(refusal(&two), expected);
    let phase = several(2, |it, volume| {
        let types = ["ORIGINAL\\PRIMARY\\M", "ORIGINAL\\PRIMARY\\P"];
        temporal(it, volume).text(tags::IMAGE_TYPE, VR::CS, types[volume])
    });
    assert!(refusal(&phase).contains("magnitude and phase"));
    // Positions of which each has its own labels do not belong together.
    let apart = several(2, |it, volume| {
        it.text(tags::ACQUISITION_TIME, VR::TM, ["1012", "x"][volume])
    });
    assert!(refusal(&apart).contains("nothing tells them apart"));
}
