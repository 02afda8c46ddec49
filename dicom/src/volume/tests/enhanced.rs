//! Several frames in a file: enhanced objects, and mosaics.

use std::io::Write;

use dicom_core::value::PrimitiveValue;

use super::dcm2niix::{compare, compare_files};
use super::made::ds;
use super::*;
use crate::write::Builder;

/// An enhanced MR of these slices from the last to the first, as often as `times` says; `change` adds
/// to the functional groups of a slice's frames.
fn enhanced(
    slices: &Slices,
    count: usize,
    times: usize,
    change: impl Fn(Builder, usize) -> Builder,
) -> Vec<u8> {
    let mut groups = Vec::new();
    let mut pixels = Vec::new();
    for time in 0..times {
        for slice in (0..count).rev() {
            let group = frame(slices, slice, time, count - slice);
            groups.push(change(group, slice));
            for row in 0..usize::from(slices.rows) {
                let number = |column| slices.number(slice, row, column) as u16 + time as u16;
                pixels.extend((0..usize::from(slices.columns)).map(number));
            }
        }
    }
    let pointer = |tag| PrimitiveValue::Tags([tag].as_slice().into());
    let dimensions = [
        tags::IN_STACK_POSITION_NUMBER,
        tags::TEMPORAL_POSITION_INDEX,
    ]
    .map(|tag| {
        Builder::new()
            .value(tags::DIMENSION_INDEX_POINTER, VR::AT, pointer(tag))
            .value(
                tags::FUNCTIONAL_GROUP_POINTER,
                VR::AT,
                pointer(tags::FRAME_CONTENT_SEQUENCE),
            )
    });
    object(slices)
        .text(tags::NUMBER_OF_FRAMES, VR::IS, &groups.len().to_string())
        .items(tags::DIMENSION_INDEX_SEQUENCE, dimensions)
        .items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared(slices)])
        .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups)
        .value(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into()))
        .part10()
        .unwrap()
}

/// Functional groups of a frame.
fn frame(slices: &Slices, slice: usize, time: usize, in_stack: usize) -> Builder {
    let along = |i: usize| slices.first[i] + slices.step[i] * slice as f64;
    let position = ds(&[along(0), along(1), along(2)]);
    // `dcm2niix` takes this order of dimensions for granted.
    let index = [in_stack as u32, time as u32 + 1];
    let moment = format!("202401021012{:02}", 3 * time);
    let content = Builder::new()
        .value(tags::TEMPORAL_POSITION_INDEX, VR::UL, time as u32 + 1)
        .text(tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, &moment)
        .text(tags::STACK_ID, VR::SH, "1")
        .value(tags::IN_STACK_POSITION_NUMBER, VR::UL, in_stack as u32)
        .value(
            tags::DIMENSION_INDEX_VALUES,
            VR::UL,
            PrimitiveValue::U32(index.as_slice().into()),
        );
    let plane = Builder::new().text(tags::IMAGE_POSITION_PATIENT, VR::DS, &position);
    Builder::new()
        .items(tags::FRAME_CONTENT_SEQUENCE, [content])
        .items(tags::PLANE_POSITION_SEQUENCE, [plane])
}

/// Functional groups of all frames.
fn shared(slices: &Slices) -> Builder {
    let spacing = nifti::orientation::distance(slices.step, [0.0; 3]).to_string();
    let measures = Builder::new()
        .text(tags::SLICE_THICKNESS, VR::DS, &spacing)
        .text(tags::SPACING_BETWEEN_SLICES, VR::DS, &spacing)
        .text(tags::PIXEL_SPACING, VR::DS, &ds(&slices.spacing));
    let along = ds(&slices.along.concat());
    let orientation = Builder::new().text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &along);
    let timing = Builder::new()
        .text(tags::REPETITION_TIME, VR::DS, "2500")
        .text(tags::FLIP_ANGLE, VR::DS, "9");
    let echo = Builder::new().value(tags::EFFECTIVE_ECHO_TIME, VR::FD, 4.5);
    Builder::new()
        .items(tags::PIXEL_MEASURES_SEQUENCE, [measures])
        .items(tags::PLANE_ORIENTATION_SEQUENCE, [orientation])
        .items(tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE, [timing])
        .items(tags::MR_ECHO_SEQUENCE, [echo])
}

/// What the object says outside of functional groups, but for its frames.
fn object(slices: &Slices) -> Builder {
    Builder::new()
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\NONE")
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.4.1")
        .text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.4711")
        .text(tags::STUDY_DATE, VR::DA, "20240102")
        .text(tags::STUDY_TIME, VR::TM, "101112")
        .text(tags::ACQUISITION_DATE_TIME, VR::DT, "20240102101112")
        .text(tags::MODALITY, VR::CS, "MR")
        // Of makers that it does not know, `dcm2niix` mixes the frames of series in time.
        .text(tags::MANUFACTURER, VR::LO, "Philips Medical Systems")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "2.25.1")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.2")
        .text(tags::SERIES_NUMBER, VR::IS, "4")
        .text(tags::INSTANCE_NUMBER, VR::IS, "1")
        .value(tags::MAGNETIC_FIELD_STRENGTH, VR::FD, 3.0)
        .value(tags::SAMPLES_PER_PIXEL, VR::US, 1_u16)
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .value(tags::ROWS, VR::US, slices.rows)
        .value(tags::COLUMNS, VR::US, slices.columns)
        .value(tags::BITS_ALLOCATED, VR::US, 16_u16)
        .value(tags::BITS_STORED, VR::US, slices.stored)
        .value(tags::HIGH_BIT, VR::US, slices.stored - 1)
        .value(tags::PIXEL_REPRESENTATION, VR::US, 0_u16)
}

#[test]
fn an_enhanced_object_is_a_volume() {
    let slices = Slices::oblique();
    let file = enhanced(&slices, 5, 1, |group, _| group);
    let folder = tempfile::tempdir().unwrap();
    let (plan, volume) = convert(&folder, &store(folder.path(), std::slice::from_ref(&file)));
    assert_voxels(&slices, 5, &volume, (1.0, 0.0));
    assert_eq!(plan.source_instance_uids.len(), 1);
    let sidecar: serde_json::Value = serde_json::from_str(&plan.sidecar()).unwrap();
    assert_eq!(
        (
            sidecar["RepetitionTime"].as_f64(),
            sidecar["EchoTime"].as_f64()
        ),
        (Some(2.5), Some(0.0045))
    );
    assert_eq!(sidecar["FlipAngle"], 9.0);
    compare(&[file], 0.0);
}

#[test]
fn an_enhanced_object_in_time() {
    let file = enhanced(&Slices::axial_ct(), 4, 3, |group, _| group);
    let folder = tempfile::tempdir().unwrap();
    let (plan, volume) = convert(&folder, &store(folder.path(), std::slice::from_ref(&file)));
    assert_eq!((plan.size[2], plan.volumes), (4, 3));
    assert_eq!(
        volume.value([0, 11, 0, 2]) - volume.value([0, 11, 0, 0]),
        2.0
    );
    let expected = FourthDimension::Time {
        step_s: Some(3.0),
        starts_s: vec![0.0, 3.0, 6.0],
    };
    assert_eq!(plan.fourth, Some(expected));
    compare(&[file], 0.0);
}

/// The same file with its data set deflated.
fn deflated(file: &[u8]) -> Vec<u8> {
    let native = b"1.2.840.10008.1.2.1\0";
    let at = file
        .windows(native.len())
        .position(|it| it == native)
        .unwrap();
    // Group 0008 begins the data set.
    let data = file
        .windows(6)
        .position(|it| it == b"\x08\0\x08\0CS")
        .unwrap();
    let mut head = file[..at - 2].to_vec();
    head.extend([22, 0]);
    head.extend(b"1.2.840.10008.1.2.1.99");
    head.extend(&file[at + native.len()..data]);
    let mut packed = flate2::write::DeflateEncoder::new(head, flate2::Compression::fast());
    packed.write_all(&file[data..]).unwrap();
    packed.finish().unwrap()
}

#[test]
fn frames_of_a_deflated_object_are_found_in_any_order() {
    let slices = Slices::oblique();
    let file = deflated(&enhanced(&slices, 5, 1, |group, _| group));
    let folder = tempfile::tempdir().unwrap();
    // They stand in it from the last to the first.
    let (_, volume) = convert(&folder, &store(folder.path(), &[file]));
    assert_voxels(&slices, 5, &volume, (1.0, 0.0));
}

#[test]
fn frames_have_their_own_scaling() {
    let slices = Slices::axial_ct();
    let scaling = |group: Builder, slice: usize| {
        let it = Builder::new()
            .text(tags::RESCALE_INTERCEPT, VR::DS, "0")
            .text(tags::RESCALE_SLOPE, VR::DS, &(slice + 1).to_string())
            .text(tags::RESCALE_TYPE, VR::LO, "US");
        group.items(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, [it])
    };
    let file = enhanced(&slices, 3, 1, scaling);
    let folder = tempfile::tempdir().unwrap();
    let (plan, volume) = convert(&folder, &store(folder.path(), &[file]));
    assert_eq!(plan.datatype.0, 16);
    let value = f64::from(slices.number(2, 11, 4) * 3);
    assert_eq!(volume.value([4, 0, 2, 0]), value);
}

/// A text of a CSA header's entry.
fn csa_entry(name: &str, vr: &str, values: &[&str]) -> Vec<u8> {
    let mut entry = vec![0; 64];
    entry[..name.len()].copy_from_slice(name.as_bytes());
    entry.extend((values.len() as u32).to_le_bytes());
    entry.extend(vr.as_bytes());
    entry.extend([0, 0]);
    entry.extend(3_u32.to_le_bytes());
    entry.extend((values.len() as u32).to_le_bytes());
    entry.extend(77_u32.to_le_bytes());
    for value in values {
        let mut text = value.as_bytes().to_vec();
        text.push(0);
        for _ in 0..4 {
            entry.extend((text.len() as u32).to_le_bytes());
        }
        text.resize(text.len().next_multiple_of(4), 0);
        entry.extend(text);
    }
    entry
}

/// Five slices of 10 x 12 in a mosaic of three times three.
pub(super) fn mosaic(slices: &Slices, change: impl Fn(Elements) -> Elements) -> Vec<u8> {
    let [rows, columns] = [slices.rows, slices.columns].map(usize::from);
    let mut pixels = vec![0; 9 * rows * columns];
    for slice in 0..5 {
        for row in 0..rows {
            for column in 0..columns {
                let at = ((slice / 3 * rows + row) * 3 + slice % 3) * columns + column;
                pixels[at] = slices.number(slice, row, column) as u16;
            }
        }
    }
    // The corner of an image as large as the mosaic, around the centre of the slices.
    let right = scaled(slices.along[0], -slices.spacing[1] * columns as f64);
    let down = scaled(slices.along[1], -slices.spacing[0] * rows as f64);
    let corner = add(slices.first, add(right, down));
    let size = nifti::orientation::distance(slices.step, [0.0; 3]);
    let normal = slices.step.map(|it| format!("{:.8}", it / size));
    let mut csa = b"SV10\x04\x03\x02\x01".to_vec();
    csa.extend(2_u32.to_le_bytes());
    csa.extend(77_u32.to_le_bytes());
    csa.extend(csa_entry("NumberOfImagesInMosaic", "US", &["5"]));
    csa.extend(csa_entry(
        "SliceNormalVector",
        "FD",
        &normal.each_ref().map(String::as_str),
    ));
    let it = slices
        .slice(0)
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC")
        .text(tags::MANUFACTURER, VR::LO, "SIEMENS")
        .text(tags::SPACING_BETWEEN_SLICES, VR::DS, &size.to_string())
        .text(tags::IMAGE_POSITION_PATIENT, VR::DS, &ds(&corner))
        .short(tags::ROWS, slices.rows * 3)
        .short(tags::COLUMNS, slices.columns * 3)
        .text(
            dicom_core::Tag(0x0029, 0x0010),
            VR::LO,
            "SIEMENS CSA HEADER",
        )
        .bytes(dicom_core::Tag(0x0029, 0x1010), VR::OB, csa)
        .shorts(tags::PIXEL_DATA, VR::OW, pixels);
    change(it).part10(Syntax::Explicit)
}

#[test]
fn a_mosaic_is_taken_apart() {
    let slices = Slices::oblique();
    let folder = tempfile::tempdir().unwrap();
    let file = mosaic(&slices, |it| it);
    let (_, volume) = convert(&folder, &store(folder.path(), std::slice::from_ref(&file)));
    assert_voxels(&slices, 5, &volume, (1.0, 0.0));
    let dicom = tempfile::tempdir().unwrap();
    let paths = store(dicom.path(), &[file]);
    compare_files(dicom.path(), &paths, 0.0);
}

#[test]
fn a_mosaic_without_its_private_header_is_refused() {
    let bare = mosaic(&Slices::oblique(), |it| {
        it.without(dicom_core::Tag(0x0029, 0x1010))
    });
    assert!(refusal(&[bare]).contains("nobody knows how many slices"));
    let garbled = mosaic(&Slices::oblique(), |it| {
        it.bytes(
            dicom_core::Tag(0x0029, 0x1010),
            VR::OB,
            b"SV10\x04\x03\x02\x01\xFF\xFF\xFF\xFF".to_vec(),
        )
        .text(dicom_core::Tag(0x0019, 0x0010), VR::LO, "SIEMENS MR HEADER")
        .short(dicom_core::Tag(0x0019, 0x100A), 5)
    });
    assert!(refusal(&[garbled]).contains("no CSA header"));
}
