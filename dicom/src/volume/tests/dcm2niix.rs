//! The same series by `dcm2niix`: affine, dimensions, values.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use tempfile::TempDir;

use super::convert;
use super::fourth::{several, weighted};
use super::made::{Elements, Slices, Syntax, store};
use super::volumes::{Volume, assert_close};

/// What `dcm2niix` makes of a folder; `None` if it is not installed.
fn theirs(dicom: &Path) -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new("dcm2niix")
        .args(["-z", "y", "-b", "y", "-f", "theirs", "-o"])
        .args([folder.path(), dicom])
        .output();
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            let all = std::env::var_os("HILUM_TEST_ALL").is_some();
            assert!(!all, "dcm2niix cannot be started: {error}");
            // Not by a macro, whose words are kept back as long as nothing fails.
            let skipped = "SKIPPED: dcm2niix is not there to compare with (Debian: dcm2niix)\n";
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        }
    };
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(folder.path().join("theirs.nii.gz").is_file(), "{said}");
    Some(folder)
}

pub(super) fn compare(files: &[Vec<u8>], value_tolerance: f64) {
    let dicom = tempfile::tempdir().unwrap();
    let paths = store(dicom.path(), files);
    compare_files(dicom.path(), &paths, value_tolerance);
}

pub(super) fn compare_files(dicom: &Path, paths: &[PathBuf], value_tolerance: f64) {
    let Some(theirs) = theirs(dicom) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, ours) = convert(&folder, paths);
    let theirs = Volume::read(&theirs.path().join("theirs.nii.gz"));
    assert_eq!(ours.size, theirs.size);
    assert_close(&ours.sform(), &theirs.sform(), 1e-3);
    let header = |it: &Volume| {
        let it = &it.header;
        [
            it.quatern_b,
            it.quatern_c,
            it.quatern_d,
            it.quatern_x,
            it.quatern_y,
            it.quatern_z,
            it.pixdim[0],
        ]
    };
    let near = header(&ours)
        .iter()
        .zip(header(&theirs))
        .all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(near, "{:?} {:?}", header(&ours), header(&theirs));
    assert_eq!(ours.samples(), theirs.samples());
    let mut different = 0.0;
    for at in 0..ours.samples() {
        different = f64::max(different, (ours.sample(at) - theirs.sample(at)).abs());
    }
    assert!(different <= value_tolerance, "values differ by {different}");
    assert!((0..ours.samples()).any(|at| ours.sample(at) != 0.0));
}

fn series(
    slices: &Slices,
    syntax: Syntax,
    change: impl Fn(Elements, usize) -> Elements,
) -> Vec<Vec<u8>> {
    (0..6)
        .map(|slice| change(slices.slice(slice), slice).part10(syntax))
        .collect()
}

#[test]
fn ct() {
    let ct = Slices {
        signed: true,
        stored: 16,
        ..Slices::axial_ct()
    };
    for syntax in [Syntax::Implicit, Syntax::Explicit, Syntax::BigEndian] {
        let files = series(&ct, syntax, |it, _| {
            it.text(tags::RESCALE_SLOPE, VR::DS, "1")
                .text(tags::RESCALE_INTERCEPT, VR::DS, "-1024")
        });
        compare(&files, 0.0);
    }
}

#[test]
fn oblique_mr() {
    for syntax in [Syntax::Explicit, Syntax::BigEndian] {
        compare(&series(&Slices::oblique(), syntax, |it, _| it), 0.0);
    }
    // Slices that follow each other against the normal, as instances are numbered.
    let mut down = Slices::oblique();
    down.step = down.step.map(|it| -it);
    compare(&series(&down, Syntax::Explicit, |it, _| it), 0.0);
}

#[test]
fn sagittal_and_coronal() {
    for (along, step) in [
        ([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]], [-3.0, 0.0, 0.0]),
        ([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]], [0.0, 3.0, 0.0]),
    ] {
        let slices = Slices {
            along,
            step,
            ..Slices::oblique()
        };
        compare(&series(&slices, Syntax::Explicit, |it, _| it), 0.0);
    }
}

#[test]
fn pet_with_a_slope_of_each_slice() {
    let pet = Slices {
        modality: "PT",
        sop_class: "1.2.840.10008.5.1.4.1.1.128",
        signed: true,
        stored: 16,
        ..Slices::axial_ct()
    };
    let files = series(&pet, Syntax::Explicit, |it, slice| {
        let slope = format!("{}", 0.25 + slice as f64 * 0.125);
        let it =
            it.text(tags::RESCALE_SLOPE, VR::DS, &slope)
                .text(tags::RESCALE_INTERCEPT, VR::DS, "0");
        it.text(tags::UNITS, VR::CS, "BQML")
    });
    compare(&files, 1e-3);
}

#[test]
fn volumes_in_time() {
    let files = several(4, |it, volume| {
        let it = it.text(
            tags::TEMPORAL_POSITION_IDENTIFIER,
            VR::IS,
            &(volume + 1).to_string(),
        );
        let it = it.text(tags::MODALITY, VR::CS, "MR").text(
            tags::SOP_CLASS_UID,
            VR::UI,
            "1.2.840.10008.5.1.4.1.1.4",
        );
        let it = it.text(tags::ACQUISITION_NUMBER, VR::IS, &(volume + 1).to_string());
        it.text(
            tags::ACQUISITION_TIME,
            VR::TM,
            &format!("10{:02}00", 10 + volume),
        )
    });
    compare(&files, 0.0);
}

#[test]
fn diffusion() {
    let files = several(3, |it, volume| {
        // The order of `dcm2niix` is that of instances; ours, of directions.
        let it = weighted(it, [0, 2, 1][volume])
            .text(tags::MODALITY, VR::CS, "MR")
            .text(tags::MANUFACTURER, VR::LO, "Philips Medical Systems")
            .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.4");
        it.text(tags::ACQUISITION_NUMBER, VR::IS, &(volume + 1).to_string())
    });
    let dicom = tempfile::tempdir().unwrap();
    let paths = store(dicom.path(), &files);
    let Some(theirs) = theirs(dicom.path()) else {
        return;
    };
    let ours = crate::volume::plan(&paths).unwrap().gradients().unwrap();
    let numbers = |text: &str| -> Vec<f64> {
        text.split_whitespace()
            .map(|it| it.parse().unwrap())
            .collect()
    };
    for (ours, name) in ours.iter().zip(["theirs.bval", "theirs.bvec"]) {
        let theirs = fs::read_to_string(theirs.path().join(name)).unwrap();
        let (ours, theirs) = (numbers(ours), numbers(&theirs));
        let near = ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near && ours.len() == theirs.len(), "{ours:?} {theirs:?}");
    }
}

#[test]
fn phantoms() {
    use crate::phantoms::{Detail, write};
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let studies = write(folder.path(), "volume", now, Detail::Small).unwrap();
    for study in [&studies[0], &studies[2]] {
        let entries = fs::read_dir(&study.folder).unwrap();
        let paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
        compare_files(&study.folder, &paths, 0.0);
    }
}
