//! Series made here become volumes, which the `nifti` crate reads, and `dcm2niix` makes as well.

mod dcm2niix;
mod enhanced;
mod fourth;
mod made;
mod volumes;

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::nifti::{self, AffineSource};
use crate::phantoms::{self, Detail};
use crate::volume::geometry::{add, scaled};
use made::{Elements, SYNTAXES, Slices, Syntax, store};
use volumes::Volume;

/// Plans and writes; the volume is whole by our own reader.
fn convert(folder: &TempDir, files: &[PathBuf]) -> (Plan, Volume) {
    let plan = plan(files).unwrap();
    let path = folder.path().join("ours.nii.gz");
    plan.write(File::create(&path).unwrap(), &mut native_only)
        .unwrap();
    let facts = nifti::verify(&path).unwrap();
    assert_eq!(facts.problems, [""; 0]);
    assert_eq!(facts.orientation.source, AffineSource::Sform);
    assert_eq!(facts.orientation.radiological, Some(true));
    assert!(
        !facts
            .flags
            .iter()
            .any(|it| matches!(it, nifti::Flag::SformAndQformDisagree { .. }))
    );
    (plan, Volume::read(&path))
}

fn files_of(slices: &Slices, count: usize, syntax: Syntax) -> Vec<Vec<u8>> {
    (0..count)
        .map(|slice| slices.slice(slice).part10(syntax))
        .collect()
}

fn refusal(files: &[Vec<u8>]) -> String {
    let folder = tempfile::tempdir().unwrap();
    plan(&store(folder.path(), files)).unwrap_err().to_string()
}

/// Where a voxel of ours lies by DICOM: its value is compared with the pixel there.
fn assert_voxels(slices: &Slices, count: usize, volume: &Volume, rescale: (f64, f64)) {
    assert_eq!(
        volume.size,
        [
            usize::from(slices.columns),
            usize::from(slices.rows),
            count,
            1
        ]
    );
    let affine = volume.sform();
    for slice in 0..count {
        for row in 0..usize::from(slices.rows) {
            for column in 0..usize::from(slices.columns) {
                let j = usize::from(slices.rows) - 1 - row;
                let value = f64::from(slices.number(slice, row, column));
                let value = value.mul_add(rescale.0, rescale.1);
                let at = [column, j, slice, 0];
                assert!((volume.value(at) - value).abs() < 1e-3, "{at:?}");
                // PS3.3 equation C.7.6.2.1-1.
                let right = scaled(slices.along[0], slices.spacing[1] * column as f64);
                let down = scaled(slices.along[1], slices.spacing[0] * row as f64);
                let up = scaled(slices.step, slice as f64);
                let [x, y, z] = add(add(slices.first, up), add(right, down));
                let voxel = [column as f64, j as f64, slice as f64];
                let place = nifti::orientation::place(&affine, voxel);
                let off = nifti::orientation::distance(place, [-x, -y, z]);
                assert!(off < 1e-3, "{at:?}: {place:?}");
            }
        }
    }
}

#[test]
fn every_uncompressed_syntax_gives_the_same_bytes() {
    let slices = Slices::oblique();
    let mut all = Vec::new();
    for syntax in SYNTAXES {
        let folder = tempfile::tempdir().unwrap();
        let files = store(folder.path(), &files_of(&slices, 5, syntax));
        let (plan, volume) = convert(&folder, &files);
        assert_voxels(&slices, 5, &volume, (1.0, 0.0));
        assert_eq!(plan.source_instance_uids.len(), 5);
        assert_eq!(plan.series_instance_uid.as_str(), "2.25.2");
        assert!(!plan.compressed);
        all.push(fs::read(folder.path().join("ours.nii.gz")).unwrap());
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    // No time, no name, no system.
    assert_eq!(all[0][..10], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]);
}

#[test]
fn the_order_of_files_does_not_matter() {
    let slices = Slices::axial_ct();
    let folder = tempfile::tempdir().unwrap();
    let current = |slice: usize| {
        let text = (100 + slice).to_string();
        let it = slices
            .slice(slice)
            .text(tags::X_RAY_TUBE_CURRENT, VR::IS, &text);
        it.part10(Syntax::Explicit)
    };
    let mut files = store(folder.path(), &[current(0), current(1), current(2)]);
    let made = |files: &[PathBuf]| {
        let plan = plan(files).unwrap();
        let mut bytes = Vec::new();
        plan.write(&mut bytes, &mut native_only).unwrap();
        (bytes, plan.sidecar(), plan.source_instance_uids)
    };
    let first = made(&files);
    assert!(first.1.contains("MagneticFieldStrength") && !first.1.contains("XRayTubeCurrent"));
    for _ in 0..2 {
        files.rotate_left(1);
        assert!(made(&files) == first);
    }
}

#[test]
fn numbers_are_kept_with_their_sign_and_without_other_bits() {
    for (signed, stored, datatype) in [
        (true, 12, 4),
        (true, 16, 4),
        (false, 16, 512),
        (false, 15, 4),
    ] {
        let slices = Slices {
            signed,
            stored,
            ..Slices::axial_ct()
        };
        let folder = tempfile::tempdir().unwrap();
        let rescaled = |slice: usize| {
            let slice = slices.slice(slice).text(tags::RESCALE_SLOPE, VR::DS, "2");
            slice
                .text(tags::RESCALE_INTERCEPT, VR::DS, "-1024")
                .part10(Syntax::Explicit)
        };
        let files = store(folder.path(), &[rescaled(0), rescaled(1), rescaled(2)]);
        let (plan, volume) = convert(&folder, &files);
        assert_eq!(plan.datatype.0, datatype);
        assert_eq!(
            (volume.header.scl_slope, volume.header.scl_inter),
            (2.0, -1024.0)
        );
        assert_voxels(&slices, 3, &volume, (2.0, -1024.0));
    }
    // Overlays used to stand in the bits above, and pixels may stand above the lowest.
    let mut slices = Slices::axial_ct();
    slices.signed = true;
    let mut pixels = Vec::new();
    for row in 0..12 {
        pixels.extend(
            (0..10).map(|column| (slices.number(0, row, column) as u16) << 2 & 0x3FFC | 0x8001),
        );
    }
    let slice = slices
        .slice(0)
        .shorts(tags::PIXEL_DATA, VR::OW, pixels)
        .short(tags::HIGH_BIT, 13);
    let folder = tempfile::tempdir().unwrap();
    let (_, volume) = convert(
        &folder,
        &store(folder.path(), &[slice.part10(Syntax::Explicit)]),
    );
    slices.step = [0.0, 0.0, 2.5];
    assert_voxels(&slices, 1, &volume, (1.0, 0.0));
}

#[test]
fn a_scaling_that_differs_gives_values() {
    let slices = Slices {
        modality: "PT",
        ..Slices::axial_ct()
    };
    let folder = tempfile::tempdir().unwrap();
    let slope = |slice: usize| 0.5 + slice as f64;
    let file = |slice: usize| {
        let text = slope(slice).to_string();
        slices
            .slice(slice)
            .text(tags::RESCALE_SLOPE, VR::DS, &text)
            .part10(Syntax::Explicit)
    };
    let (plan, volume) = convert(&folder, &store(folder.path(), &[file(0), file(1), file(2)]));
    assert_eq!((plan.datatype, plan.rescale), ((16, 4), None));
    for slice in 0..3 {
        let value = f64::from(slices.number(slice, 11, 4)) * slope(slice);
        assert!((volume.value([4, 0, slice, 0]) - value).abs() < 1e-3);
    }
    assert!(plan.sidecar().contains("\"RescaledPerSlice\": true"));
}

#[test]
fn pixels_of_eight_bits_and_colours() {
    let base = Slices::axial_ct();
    let grey = |slice: usize, vr| {
        let bytes: Vec<u8> = (0..120).map(|at| (at * 2 + slice) as u8).collect();
        let it = base.slice(slice).bytes(tags::PIXEL_DATA, vr, bytes);
        it.short(tags::BITS_ALLOCATED, 8)
            .short(tags::BITS_STORED, 8)
            .short(tags::HIGH_BIT, 7)
    };
    for syntax in SYNTAXES {
        let folder = tempfile::tempdir().unwrap();
        let files = [0, 1].map(|slice| grey(slice, VR::OB).part10(syntax));
        let (plan, volume) = convert(&folder, &store(folder.path(), &files));
        assert_eq!(plan.datatype, (2, 1));
        assert_eq!(volume.value([3, 11, 1, 0]), 7.0, "{syntax:?}");
    }
    // Bytes in words change places in big endian.
    let mut swapped: Vec<u8> = (0..120).map(|at| (at * 2) as u8).collect();
    swapped.chunks_exact_mut(2).for_each(<[u8]>::reverse);
    let words = grey(0, VR::OW)
        .bytes(tags::PIXEL_DATA, VR::OW, swapped)
        .part10(Syntax::BigEndian);
    let folder = tempfile::tempdir().unwrap();
    let (_, volume) = convert(&folder, &store(folder.path(), &[words]));
    assert_eq!(
        (volume.value([3, 11, 0, 0]), volume.value([4, 11, 0, 0])),
        (6.0, 8.0)
    );

    let colour = |slice: usize, planar: bool| {
        let bytes = (0..360).map(|at| {
            let (pixel, sample) = if planar {
                (at % 120, at / 120)
            } else {
                (at / 3, at % 3)
            };
            (pixel + 50 * sample + slice) as u8
        });
        grey(slice, VR::OB)
            .bytes(tags::PIXEL_DATA, VR::OB, bytes.collect())
            .short(tags::SAMPLES_PER_PIXEL, 3)
            .short(tags::PLANAR_CONFIGURATION, planar.into())
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB")
            .part10(Syntax::Explicit)
    };
    for planar in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let files = store(folder.path(), &[colour(0, planar), colour(1, planar)]);
        let plan = plan(&files).unwrap();
        let mut plain = Vec::new();
        plan.write_plain(&mut plain, &mut native_only).unwrap();
        assert_eq!(plan.plain_bytes(), plain.len() as u64);
        // The last row is the first; its pixels are 110 and up.
        assert_eq!(plain[352..358], [110, 160, 210, 111, 161, 211]);
    }
    let yellow = grey(0, VR::OB).text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR");
    assert!(refusal(&[yellow.part10(Syntax::Explicit)]).contains("neither grey nor RGB"));
}

#[test]
fn words_of_big_endian_files_may_begin_in_the_frame_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pixels");
    // Three frames of three bytes, in words: 0 1 2, 3 4 5, 6 7 8.
    fs::write(&path, [99, 1, 0, 3, 2, 5, 4, 7, 6, 0, 8]).unwrap();
    let mut file = File::open(&path).unwrap();
    for (frame, expected) in [[0, 1, 2], [3, 4, 5], [6, 7, 8]].iter().enumerate() {
        let start = 3 * frame as u64;
        let bytes = pixels::read_native(&mut file, 1, start, 3, frames::Swap::Words).unwrap();
        assert_eq!(bytes, expected);
    }
}

#[test]
fn what_is_no_volume_is_refused_with_a_sentence() {
    let it = Slices::axial_ct();
    let slice = |slice: usize| it.slice(slice);
    let made = |slices: &[Elements]| -> Vec<Vec<u8>> {
        slices
            .iter()
            .map(|it| it.part10(Syntax::Explicit))
            .collect()
    };
    let at = |slice: Elements, position: &str| {
        slice.text(tags::IMAGE_POSITION_PATIENT, VR::DS, position)
    };
    let gap = refusal(&made(&[slice(0), slice(1), slice(2), slice(5), slice(6)]));
    assert_eq!(
        gap,
        "2 slices are missing between 4.00 and 10.00 mm along the normal"
    );
    let unequal = refusal(&made(&[slice(0), slice(1), at(slice(2), "-20\\-31.5\\17")]));
    assert!(
        unequal.starts_with("slices are not equally spaced: 2.000 to 2.750 mm"),
        "{unequal}"
    );
    let tilted = made(&[0, 1, 2, 3].map(|k| at(slice(k), &format!("-20\\{}\\{}", k, 2 * k))));
    assert!(
        refusal(&tilted).contains("26.57 degrees"),
        "{}",
        refusal(&tilted)
    );
    let doubled = refusal(&made(&[slice(0), slice(1), slice(1)]));
    assert!(
        doubled.starts_with("an instance is there twice"),
        "{doubled}"
    );
    let other = |it: Elements| it.text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.77");
    let uneven = refusal(&made(&[slice(0), slice(1), other(slice(1))]));
    assert!(uneven.contains("1 to 2 images at a position"), "{uneven}");
    let same = refusal(&made(&[slice(0), other(slice(0))]));
    assert_eq!(
        same,
        "there are 2 images at each position, and nothing tells them apart, or several things do"
    );
    let localizer = slice(1).text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1");
    assert!(refusal(&made(&[slice(0), localizer])).contains("orientation (a localizer?)"));
    let series = slice(1).text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.9");
    assert_eq!(
        refusal(&made(&[slice(0), series])),
        "the images differ in series"
    );
    let size = slice(1).short(tags::ROWS, 10);
    assert_eq!(
        refusal(&made(&[slice(0), size])),
        "the images differ in rows and columns"
    );
    let long = slice(0).short(tags::ROWS, 200);
    assert!(refusal(&made(&[long])).contains("too short for its frames"));
    let nowhere = slice(0).without(tags::IMAGE_POSITION_PATIENT);
    assert_eq!(
        refusal(&made(&[nowhere])),
        "file 1: no Image Position (Patient)"
    );
    let frames = slice(0).text(tags::NUMBER_OF_FRAMES, VR::IS, "2");
    assert!(refusal(&made(&[frames])).contains("without functional groups"));
    let mosaic = slice(0).text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC");
    assert!(refusal(&made(&[mosaic])).contains("a mosaic"));
    assert_eq!(refusal(&[]), "there are no images");
    let cut = slice(0).part10(Syntax::Explicit);
    let cut = refusal(&[cut[..cut.len() - 20].to_vec()]);
    assert!(cut.starts_with("file 1: (7FE0,0010) declares"), "{cut}");
}

#[test]
fn phantoms_become_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let studies = phantoms::write(folder.path(), "volume", now, Detail::Small).unwrap();
    let files = |index: usize| {
        let entries = fs::read_dir(&studies[index].folder).unwrap();
        entries.map(|it| it.unwrap().path()).collect::<Vec<_>>()
    };
    let (ct, volume) = convert(&folder, &files(0));
    assert_eq!((ct.size, ct.volumes), ([64, 64, 8], 1));
    assert_eq!(
        (volume.header.scl_slope, volume.header.scl_inter),
        (1.0, -1024.0)
    );
    let sidecar: serde_json::Value = serde_json::from_str(&ct.sidecar()).unwrap();
    assert_eq!(sidecar["Modality"], "CT");
    let (mr, _) = convert(&folder, &files(2));
    assert_eq!(mr.size, [64, 64, 6]);
    let said = nifti::Sidecar::parse(mr.sidecar().as_bytes());
    assert_eq!(said.repetition_time_s, Some(0.5));
    assert_eq!(said.problems, [""; 0]);
    for private in ["Bernhard", "HIL-1002", "HA-24", "T1 SE tra"] {
        assert!(!mr.sidecar().contains(private), "{private}");
    }
    // An ultrasound image lies nowhere in space, and a report is no image.
    assert!(
        plan(&files(3))
            .unwrap_err()
            .to_string()
            .contains("Image Orientation")
    );
    assert!(plan(&files(1)).is_err());
}

#[test]
fn a_decoder_may_be_plugged_in() {
    let it = Slices::axial_ct();
    let folder = tempfile::tempdir().unwrap();
    let native = it.slice(0).part10(Syntax::Explicit);
    // The same slice as one fragment of nonsense.
    let mut packed = native[..native.len() - 240 - 12].to_vec();
    packed.extend([
        0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
    ]);
    packed.extend([
        0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 1, 2, 3, 4,
    ]);
    packed.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    let files = store(folder.path(), &[packed]);
    let plan = plan(&files).unwrap();
    assert!(plan.compressed);
    let pixels = native[native.len() - 240..].to_vec();
    let mut asked = Vec::new();
    let mut ours = Vec::new();
    let mut decode = |path: &Path, frame: u32| {
        asked.push((path.to_owned(), frame));
        Ok(pixels.clone())
    };
    plan.write_plain(&mut ours, &mut decode).unwrap();
    assert_eq!(asked, [(files[0].clone(), 0)]);
    assert_eq!(ours[352..354], (it.number(0, 11, 0) as u16).to_le_bytes());
    let fault = plan
        .write_plain(&mut Vec::new(), &mut native_only)
        .unwrap_err();
    assert!(fault.to_string().contains("there is no decoder"), "{fault}");
    let fault = plan
        .write_plain(&mut Vec::new(), &mut |_, _| Ok(vec![0; 7]))
        .unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("gave 7 bytes, and a frame has 240"),
        "{fault}"
    );
}

#[test]
fn a_file_that_has_gone_or_shrunk_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = store(
        folder.path(),
        &files_of(&Slices::oblique(), 3, Syntax::Explicit),
    );
    let plan = plan(&files).unwrap();
    let whole = fs::read(&files[1]).unwrap();
    fs::write(&files[1], &whole[..whole.len() - 10]).unwrap();
    assert!(plan.write(Vec::new(), &mut native_only).is_err());
}

#[test]
fn numbers_that_lead_nowhere_are_refused() {
    let it = Slices::axial_ct();
    let of = |slice: Elements| refusal(&[slice.part10(Syntax::Explicit)]);
    let infinite = [f64::INFINITY; 3].map(f64::to_le_bytes).concat();
    let nowhere = of(it
        .slice(0)
        .bytes(tags::IMAGE_POSITION_PATIENT, VR::FD, infinite));
    assert_eq!(nowhere, "file 1: no Image Position (Patient)");
    let far = of(it
        .slice(0)
        .text(tags::IMAGE_POSITION_PATIENT, VR::DS, "0\\0\\1e300"));
    assert!(far.contains("further away"), "{far}");
    for (tag, text) in [
        (tags::RESCALE_SLOPE, "0"),
        (tags::RESCALE_SLOPE, "1e200"),
        (tags::RESCALE_INTERCEPT, "-1e200"),
    ] {
        let scaling = of(it.slice(0).text(tag, VR::DS, text));
        assert!(scaling.contains("is no scaling"), "{scaling}");
    }
    let spacing = of(it.slice(0).text(tags::PIXEL_SPACING, VR::DS, "0\\1"));
    assert!(spacing.contains("Pixel Spacing"), "{spacing}");
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_written_whole(
        syntax in 0_usize..4,
        mosaic: bool,
        changes in prop::collection::vec((0.0..0.7, any::<u8>()), 0..12),
    ) {
        let slices = Slices::oblique();
        let mut files = files_of(&slices, 2, SYNTAXES[syntax]);
        if mosaic {
            files = vec![enhanced::mosaic(&slices, |it| it)];
        }
        for (at, byte) in changes {
            // Of the pixels, which are last, only the first are changed.
            let at = (at * files[0].len() as f64) as usize;
            files[0][at] = byte;
        }
        let folder = tempfile::tempdir().unwrap();
        if let Ok(plan) = plan(&store(folder.path(), &files)) {
            let mut written = Vec::new();
            if plan.write_plain(&mut written, &mut native_only).is_ok() {
                prop_assert_eq!(written.len() as u64, plan.plain_bytes());
            }
            prop_assert!(serde_json::from_str::<serde_json::Value>(&plan.sidecar()).is_ok());
        }
    }
}
